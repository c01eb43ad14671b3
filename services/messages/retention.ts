import type { Clock } from "../core/clock";
import type { RetentionState, RoomRetention } from "../core/contract";
import { TRIMMED, type FrontEntry, type MessageStore } from "./message.store";

/** What removing needs of the world; owners of other data are asked by typed calls. */
export interface RetentionDependencies {
  store: Pick<MessageStore, "front" | "trim" | "nextKeeping" | "dropKept">;
  clock: Clock;
  /** Days that hold where a room says nothing else; 0: for ever. */
  days: number;
  /** A page of all rooms, by id from behind `after`. */
  rooms(after: string, limit: number): Promise<RoomRetention[]>;
  /** What a room says now; undefined if there is no such room. */
  room(id: string): Promise<RoomRetention | undefined>;
  /** Empties a message that is the last entry of its log. */
  expire(room: string, id: string): Promise<void>;
  /** Tells those who show the room where its log begins now. */
  told(room: string, floor: number): void;
  /** These files were shown by messages that are gone. */
  release(files: string[]): Promise<unknown>;
  /** Waits so many milliseconds, or until the end. */
  pause(ms: number): Promise<void>;
  /** Whether to go on: this is still the node that does it, and it does not stop. */
  going(): boolean;
  /** Told of what failed; the next round tries it again. */
  failed(error: unknown, about: object): void;
  /** Told of entries that left. */
  removed?(entries: number): void;
}

const DAY = 86_400_000;
/** Milliseconds between two rounds: a hundredth of the time that messages are kept, within these bounds. */
const ROUND = { shortest: 1_000, longest: 600_000 };
/** Rooms looked at in one step. */
const PAGE = 100;
/** Files named in one call. */
const FILES = 200;
/**
 * Milliseconds that one step shall take: senders wait behind it in the store. The steps grow and shrink to that; below the
 * smallest it is the way to the store that takes the time, and not the entries.
 */
const STEP = 10;
const SMALLEST = 50;
/** Of the time this share at most is spent in the store. */
const SHARE = 0.1;
/** Milliseconds that a step counts for at most: a store that hung must not stop us for minutes. */
const LONGEST = 1_000;

export const roundEvery = (days: number): number =>
  days === 0 ? ROUND.longest : Math.min(Math.max((days * DAY) / 100, ROUND.shortest), ROUND.longest);

/**
 * Entries of a room made before this moment leave it; Infinity: all of them; null: none. A deleted room goes as a whole when
 * it has been deleted for as long as messages are kept, there or everywhere, whichever is shorter.
 */
export function cutOf({ days, hold, deletedAt }: RoomRetention, everywhere: number, now: number): number | null {
  if (hold) return null;
  const own = days ?? everywhere;
  if (deletedAt !== null) {
    const least = Math.min(own || Infinity, everywhere || Infinity);
    if (now - Date.parse(deletedAt) >= least * DAY) return Infinity;
  }
  return own > 0 ? now - own * DAY : null;
}

/**
 * How many of a log's first entries leave: up to the last that was made before the cut, as long as no message stands in front
 * of it that was not, as where a clock went back. Other entries go with the messages around them: what was imported is older
 * than the joining of those it was imported for.
 */
export function leaving(entries: readonly FrontEntry[], cut: number): number {
  const stays = entries.findIndex(({ kind, at }) => kind === "message" && at !== null && at >= cut);
  const before = stays === -1 ? entries : entries.slice(0, stays);
  return before.findLastIndex(({ at }) => at === null || at < cut) + 1;
}

/** What comes next of a room: a cheap look at its front, more of it, the message that was emptied, or the next room. */
type Step = "look" | "more" | "expired" | "done";

/**
 * Removes what is older than its room keeps it. Logs are looked at from their front, in small steps with long pauses; where
 * a step was cut off, the next round finds the front as it is, so nothing is remembered of how far it was. Two at once only
 * do the same twice.
 */
export class Retention {
  private size = SMALLEST;
  private state: Omit<RetentionState, "chosen" | "days"> = {
    since: null,
    rounds: 0,
    removed: 0,
    overdue: 0,
    last: null,
  };
  /** The farthest that an entry of the round under way has outstayed its time. */
  private overdue = 0;

  constructor(private readonly with_: RetentionDependencies) {}

  get now(): RetentionState {
    const overdue = this.state.since === null ? this.state.overdue : Math.max(this.overdue, 0);
    return { chosen: this.with_.going(), days: this.with_.days, ...this.state, overdue };
  }

  /** Looks at every room once. Resolves to how many entries it removed; rejects if rooms cannot be asked. */
  async round(): Promise<number> {
    const { clock } = this.with_;
    const began = clock.monotonic();
    const before = this.state.removed;
    let failed = 0;
    this.overdue = 0;
    this.state.since = clock.now();
    try {
      failed += await this.forget();
      for (let after = ""; this.with_.going();) {
        const page = await this.gently(() => this.with_.rooms(after, PAGE));
        for (const room of page) if (!(await this.visit(room))) failed++;
        const last = page.at(-1);
        if (page.length < PAGE || !last) break;
        after = last.room;
      }
      if (!this.with_.going()) return this.state.removed - before;
      const removed = this.state.removed - before;
      this.state.rounds++;
      this.state.overdue = failed > 0 ? this.overdue : 0;
      this.state.last = { at: clock.now(), took: Math.round(clock.monotonic() - began), removed, failed };
      return removed;
    } finally {
      this.state.since = null;
    }
  }

  /** Drops what deletions have kept in rooms that are on hold no more. Resolves to how many rooms have to wait for the next round. */
  private async forget(): Promise<number> {
    const { store, going, failed } = this.with_;
    let waiting = 0;
    for (let room: string | null = ""; going();) {
      const after: string = room;
      room = await this.gently(() => store.nextKeeping(after));
      if (room === null) break;
      const kept = room;
      try {
        while (going() && (await this.gently(() => this.dropKept(kept))));
      } catch (error) {
        waiting++;
        if (going()) failed(error, { room });
      }
    }
    return waiting;
  }

  private async dropKept(room: string): Promise<boolean> {
    const now = await this.with_.room(room);
    return now !== undefined && !now.hold && this.with_.store.dropKept(room, this.size);
  }

  /** Resolves to false if the room has to wait for the next round. */
  private async visit(room: RoomRetention): Promise<boolean> {
    const { going, failed } = this.with_;
    try {
      let expired = false;
      for (let step: Step = "look"; step !== "done" && going();) {
        const look: boolean = step === "look";
        step = await this.gently(() => this.step(room, look, expired));
        expired ||= step === "expired";
      }
      return true;
    } catch (error) {
      if (going()) failed(error, { room: room.room });
      return false;
    }
  }

  /** Removes some of the first entries of a room. What they showed is noted before, and its owner told after. */
  private async step(listed: RoomRetention, look: boolean, expired: boolean): Promise<Step> {
    const { store, clock, days } = this.with_;
    const { room } = listed;
    const likely = cutOf(listed, days, clock.now());
    if (likely === null) return "done";
    const [first] = look ? await store.front(room, 1) : [];
    if (look && (!first || (first.kind === "message" && leaving([first], likely) === 0))) return "done";
    // Asked again before each step that removes something: a hold that came meanwhile keeps what is left.
    const now = await this.with_.room(room);
    const cut = now ? cutOf(now, days, clock.now()) : null;
    if (cut === null) return "done";
    const front = await store.front(room, this.size + 1);
    const old = front.slice(0, Math.min(leaving(front, cut), this.size));
    this.outstayed(old[0], cut);
    // The last entry of a log never leaves it.
    const last = front.length <= this.size && old.length === front.length ? old.pop() : undefined;
    const end = old.at(-1);
    if (end) {
      const floor = await this.trim(room, end.offset + 1);
      this.with_.told(room, floor);
      this.count(old.filter(({ offset }) => offset < floor).length);
      await this.release(old.flatMap(({ files }) => files));
      return "more";
    }
    if (last?.kind !== "message" || last.id === null || expired) return "done";
    await this.with_.expire(room, last.id);
    await this.release(last.files);
    return "expired";
  }

  private async trim(room: string, before: number): Promise<number> {
    const { store, clock } = this.with_;
    const began = clock.monotonic();
    const floor = await store.trim(room, before);
    const took = clock.monotonic() - began;
    const factor = took > 2 * STEP ? 0.5 : took < STEP ? 2 : 1;
    this.size = Math.round(Math.min(Math.max(this.size * factor, SMALLEST), TRIMMED));
    return floor;
  }

  private count(entries: number): void {
    this.state.removed += entries;
    this.with_.removed?.(entries);
  }

  private outstayed(entry: FrontEntry | undefined, cut: number): void {
    const at = entry?.at ?? -Infinity;
    if (Number.isFinite(at) && Number.isFinite(cut)) this.overdue = Math.max(this.overdue, cut - at);
  }

  /** The files' owner removes them by itself later where it is not told. */
  private async release(files: string[]): Promise<void> {
    const ids = [...new Set(files)];
    for (let from = 0; from < ids.length; from += FILES)
      await this.with_
        .release(ids.slice(from, from + FILES))
        .catch((error: unknown) => this.with_.failed(error, { files: ids.length }));
  }

  /** Does a piece of work, then rests as long as it takes to be a small share of the time. */
  private async gently<T>(work: () => Promise<T>): Promise<T> {
    const { clock, pause } = this.with_;
    const began = clock.monotonic();
    try {
      return await work();
    } finally {
      await pause(Math.min(clock.monotonic() - began, LONGEST) * (1 / SHARE - 1));
    }
  }
}
