import { setTimeout as pause } from "node:timers/promises";
import type { Clock } from "../core/clock";
import type { AppendAnswer, AppendRequest, RoomAccess, RoomRules } from "../core/contract";
import { publicError, RookeryError } from "../core/errors";
import type { Limits } from "../core/limits";
import type { Attachment } from "../core/model";
import type { RoomBus, RoomHead } from "../core/room-bus";
import { Doubt } from "./doubt";
import { byKey, failed, keyText, newJob, nextBatch, sendsOf, settle, type Job } from "./job";
import { eventOf, type Entry, type MessageStore, type Repeat } from "./message.store";
import { plan, type Held, type Planned, type Refused } from "./plan";
import { Surroundings } from "./surroundings";
import type { WriteTrace } from "./write-trace";

/** What a writer needs of the world; the services behind it are asked by typed calls. */
export interface WriterDependencies {
  store: MessageStore;
  bus: RoomBus;
  clock: Clock;
  limits: Limits;
  /** The owner's answer to what a user may do in a room. */
  access(user: string, room: string, browses: boolean): Promise<RoomAccess>;
  /** What holds for all members; null: there is no such room. */
  rules(room: string): Promise<RoomRules | null>;
  /** Whether nothing of the room may be lost, whoever deletes it. */
  held(room: string): Promise<boolean>;
  /** Members who are online; `[EVERYBODY]` where they are too many to be named. */
  online(room: string): Promise<readonly string[]>;
  /** Takes files into a room. Throws INVALID for files that are not the owner's. */
  attach(owner: string, room: string, ids: string[]): Promise<Attachment[]>;
  /** Users by their names, ignoring case; unknown names are left out. */
  named(usernames: string[]): Promise<{ id: string; username: string }[]>;
  /** Told how much users want to send before they are throttled; a promise where that has to be asked for. */
  prepare?(sends: ReadonlyMap<string, number>): Promise<unknown> | undefined;
  /** Milliseconds until the user may send again, 0 if now. */
  throttle(user: string): number;
  /** False while nobody could be told of what is written: then nothing is accepted. */
  reachable?(): boolean;
  /** Told of what surprised us; for the log. */
  report(what: string, detail: Record<string, unknown>): void;
  /** Told of every commit. */
  committed?(entries: number): void;
  /** Told of files that messages showed which are deleted now. */
  freed?(files: readonly string[]): void;
  /** Told when entries of another writer of a room were met. */
  conflicted?(): void;
  /** Told of every batch whose outcome is unknown, and when it no longer is. */
  doubted?(): void;
  doubtSettled?(): void;
  /** Remembers what was written, for operators. */
  trace?: Pick<WriteTrace, "wrote" | "repeated">;
}

/** Requests that may wait for one room. */
const QUEUE = 4_096;
/** Milliseconds within which every request is answered, whatever the store does. */
const DEADLINE = 4_800;
/**
 * What is stored waits to be told of together with what is being stored: batches so told of; entries of the first of them,
 * since more make frames that gain nothing from being longer; milliseconds, by the sweep, where that hangs.
 */
const TOGETHER = { batches: 2, entries: 64, ms: 100 };
/** Milliseconds at most that a writer waits before it tries again what another was faster with. */
const BACKOFF = 8;

/** A batch that is stored. */
interface Stored {
  entries: readonly Planned[];
  held: readonly Held[];
  /** Milliseconds since 1970. */
  writtenAt: number;
  committedAt: number;
  /** Monotonic milliseconds. */
  since: number;
}

/**
 * The writer of one room: gives offsets, commits batch after batch, publishes, acknowledges, in this order. While one
 * batch is being written the next collects; where one has collected, both are told of together. Senders who wait for their
 * acks would else go on in two halves for ever, each with a frame of its own to every reader. That two writers can exist
 * at once is expected: the store's unique keys decide, and whoever lost reads what is there and decides again.
 */
export class RoomWriter {
  private queue: Job[] = [];
  private running = false;
  private head: RoomHead | null = null;
  private readonly surroundings: Surroundings;
  private batch: readonly Job[] = [];
  private doubt: Doubt | null = null;
  /** Monotonic milliseconds. */
  usedAt: number;
  /** Where the log was after the last commit: to be told, whatever failed since, and never to be built upon. */
  private written: RoomHead | null = null;
  /** Gateways were not told again since the last commit. */
  private untold = false;
  /** Stored, and neither published nor acknowledged yet. */
  private stored: Stored[] = [];

  constructor(
    readonly room: string,
    private readonly with_: WriterDependencies,
  ) {
    this.usedAt = with_.clock.monotonic();
    this.surroundings = new Surroundings(room, with_);
  }

  get idle(): boolean {
    return !this.running && this.queue.length === 0 && this.doubt === null && !this.untold;
  }

  /** What two people are to each other has changed. */
  askAnew(users: readonly string[]): void {
    this.surroundings.askAnew(users);
  }

  append(request: AppendRequest): Promise<AppendAnswer> {
    this.usedAt = this.with_.clock.monotonic();
    return new Promise(resolve => {
      const job = newJob(request, this.usedAt + DEADLINE, resolve);
      const refusal = this.refusal(job);
      if (refusal) return settle(job, failed(refusal));
      this.queue.push(job);
      if (!this.running) void this.run();
    });
  }

  /** Answers what has waited too long: what was not begun is surely not done, the rest is unknown; what is stored is told. */
  expire(): void {
    const now = this.with_.clock.monotonic();
    if (this.stored[0] && now - this.stored[0].since >= TOGETHER.ms) this.tell();
    for (const job of this.batch)
      if (job.deadline <= now) settle(job, failed(new RookeryError(job.started ? "UNKNOWN_OUTCOME" : "UNAVAILABLE")));
    for (const job of this.queue) if (job.deadline <= now) settle(job, failed(new RookeryError("UNAVAILABLE")));
  }

  /** Tells the head again once the room has been quiet for a second: a lost last event shows no gap by itself. */
  tellHead(): void {
    if (!this.untold || this.with_.clock.monotonic() - this.usedAt < 1_000) return;
    this.tellHeadNow();
  }

  tellHeadNow(): void {
    const head = this.head ?? this.written;
    if (this.running || !head) return;
    this.untold = false;
    this.with_.bus.publish({ type: "head", room: this.room, head });
  }

  private refusal(job: Job): RookeryError | null {
    if (this.doubt) return new RookeryError(this.doubt.concerns(job) ? "UNKNOWN_OUTCOME" : "UNAVAILABLE");
    return this.queue.length >= QUEUE ? new RookeryError("UNAVAILABLE", "The room is busy.") : null;
  }

  private async run(): Promise<void> {
    this.running = true;
    try {
      while (this.queue.length > 0) {
        await this.with_.store.turn();
        const { batch, rest } = nextBatch(this.queue);
        this.batch = batch;
        this.queue = rest;
        if (batch.length === 0) continue;
        try {
          await this.commit(batch);
        } catch (error) {
          this.forget();
          const lost = publicError(error).code === "INTERNAL";
          if (lost) this.with_.report("a batch failed", { room: this.room, error: String(error) });
          for (const job of batch) settle(job, failed(error));
        }
        if (this.enough) this.tell();
      }
    } finally {
      this.tell();
      this.batch = [];
      this.running = false;
    }
  }

  /** Ends when every job is answered: as long as others are faster it tries again, until the jobs expire. */
  private async commit(batch: Job[]): Promise<void> {
    let jobs: readonly Job[] = batch;
    for (let lost = 0; ; lost++) {
      const head = (this.head ??= (await this.with_.store.takeOver(this.room)).head);
      const prepared = this.with_.prepare?.(sendsOf(jobs));
      const loaded = await this.surroundings.load(jobs);
      if (prepared) await prepared;
      const { planned, refused, held } = plan(jobs, head, loaded, this.with_);
      // From here on it is written, however long we wait before that: whoever expires meanwhile is not told otherwise.
      for (const { job } of [...planned, ...held]) job.started = true;
      // A repeat is answered as the first time, even if the same request would be refused today.
      if (refused.length > 0) await this.answerRefused(refused);
      if (planned.length === 0) return;
      const writtenAt = this.with_.clock.now();
      const stored = await this.write(
        planned.map(({ entry }) => entry),
        planned.map(({ job }) => job),
      );
      const committedAt = this.with_.clock.now();
      const whole = stored === planned.length;
      const since = this.with_.clock.monotonic();
      this.keep({ entries: planned.slice(0, stored), held: whole ? held : [], writtenAt, committedAt, since });
      if (whole) return;
      this.tell();
      jobs = jobs.filter(({ answered }) => !answered);
      for (const job of jobs) job.started = false;
      // The first time it may be no more than a repeat. Two writers at the same pace must not meet for ever.
      if (lost > 0) await pause(Math.random() * Math.min(2 ** lost, BACKOFF));
      jobs = await this.catchUp(jobs);
      this.expire();
    }
  }

  private async answerRefused(refused: readonly Refused[]): Promise<void> {
    const keys = refused.map(({ job }) => job.key);
    const repeats = byKey(await this.with_.store.repeats(this.room, keys));
    for (const { job, error } of refused) {
      const repeat = repeats.get(keyText(job.key));
      settle(job, repeat ? this.repeated(job, repeat) : failed(error));
    }
  }

  /** Returns how many entries are stored. On an unknown outcome answers their senders so and starts to settle it. */
  private async write(entries: readonly Entry[], jobs: readonly Job[]): Promise<number> {
    try {
      return (await this.with_.store.append(this.room, entries)).stored;
    } catch (error) {
      if ((error as { outcome?: string }).outcome === "unknown")
        this.begin(new Doubt(this.room, entries, jobs, this.with_.store));
      throw error;
    }
  }

  private begin(doubt: Doubt): void {
    this.tell();
    this.doubt = doubt;
    this.with_.doubted?.();
    for (const job of this.queue.splice(0)) settle(job, failed(this.refusal(job) ?? new RookeryError("UNAVAILABLE")));
    void this.settleDoubt(doubt);
  }

  /** From here on the log is that far; who asked and who reads is told when `tell` is called. */
  private keep(stored: Stored): void {
    const { entries } = stored;
    const last = entries.at(-1)?.entry;
    if (!last) return;
    this.stored.push(stored);
    this.head = this.written = { offset: last.offset, seq: last.seq };
    this.untold = true;
    this.with_.committed?.(entries.length);
    for (const { entry, freed = [] } of entries) {
      this.surroundings.follow(entry, true);
      if (freed.length > 0) this.with_.freed?.(freed);
    }
  }

  private get enough(): boolean {
    const [first] = this.stored;
    return this.stored.length >= TOGETHER.batches || (first !== undefined && first.entries.length > TOGETHER.entries);
  }

  /** Publishes what is stored, then acknowledges it. */
  private tell(): void {
    const stored = this.stored;
    if (stored.length === 0) return;
    this.stored = [];
    const events = stored.flatMap(({ entries }) => entries.map(({ entry }) => eventOf(entry, entry.change)));
    this.with_.bus.publish({ type: "events", room: this.room, events });
    for (const { entries, held } of stored) {
      for (const { job, entry } of entries)
        settle(job, {
          ok: true,
          offset: entry.offset,
          seq: entry.seq,
          data: (entry.kind === "message" ? entry.data : (entry.change?.data ?? entry.data)) ?? "null",
        });
      for (const { job, answer } of held) settle(job, answer);
    }
    for (const batch of stored) this.remember(batch);
  }

  /** One record a batch. */
  private remember({ entries, writtenAt, committedAt }: Stored): void {
    const { trace, clock } = this.with_;
    const [first, last] = [entries[0], entries.at(-1)];
    if (!trace || !first || !last) return;
    const publishedAt = clock.now();
    const age = clock.monotonic() - (first.job.deadline - DEADLINE);
    trace.wrote({
      room: this.room,
      from: first.entry.offset,
      to: last.entry.offset,
      queuedAt: Math.round(publishedAt - age),
      writtenAt,
      committedAt,
      publishedAt,
    });
  }

  /** Another writer, or an earlier attempt, was there first: learn what is stored, answer repeats, keep the rest. */
  private async catchUp(jobs: readonly Job[]): Promise<Job[]> {
    const { store, bus } = this.with_;
    const keys = jobs.map(job => job.key);
    const [{ head, missed }, repeats] = await Promise.all([
      store.takeOver(this.room, this.head ?? undefined),
      store.repeats(this.room, keys).then(byKey),
    ]);
    if (missed) for (const entry of missed) this.surroundings.follow(entry);
    else this.surroundings.forget();
    if (head.offset !== this.head?.offset) {
      this.with_.conflicted?.();
      bus.publish({ type: "head", room: this.room, head });
    }
    this.head = head;
    return jobs.filter(job => {
      const repeat = repeats.get(keyText(job.key));
      if (repeat) settle(job, this.repeated(job, repeat));
      return !repeat;
    });
  }

  private repeated(job: Job, repeat: Repeat): AppendAnswer {
    if (this.head) this.with_.bus.publish({ type: "head", room: this.room, head: this.head });
    if (repeat.hash !== job.hash)
      return failed(new RookeryError("CONFLICT", "This clientId was used for another message."));
    this.with_.trace?.repeated(this.room, repeat.offset);
    return { ok: true, offset: repeat.offset, seq: repeat.seq, data: repeat.data, duplicate: true };
  }

  private async settleDoubt(doubt: Doubt): Promise<void> {
    const since = this.with_.clock.now();
    const { head, events } = await doubt.settle();
    const committedAt = this.with_.clock.now();
    this.forget();
    this.written = head;
    this.untold = true;
    this.usedAt = this.with_.clock.monotonic();
    this.doubt = null;
    this.with_.doubtSettled?.();
    if (events.length > 0) this.with_.bus.publish({ type: "events", room: this.room, events });
    const [first, last] = [events[0], events.at(-1)];
    if (first && last)
      this.with_.trace?.wrote({
        room: this.room,
        from: first.offset,
        to: last.offset,
        queuedAt: since,
        writtenAt: since,
        committedAt,
        publishedAt: this.with_.clock.now(),
        settled: true,
      });
    this.with_.report("an unknown write is settled", { room: this.room });
  }

  private forget(): void {
    this.head = null;
    this.surroundings.forget();
  }
}
