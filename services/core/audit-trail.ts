import { within } from "./deadline";
import type { AuditRecord } from "./contract";
import { publicError } from "./errors";
import { jittered } from "./jitter";

export interface TrailParts {
  /** Stores records, durable when it resolves; a record that comes again is the same one. */
  send(records: AuditRecord[]): Promise<unknown>;
  counted?(outcome: AuditOutcome, records: number): void;
  /** Told once when records begin to be dropped. */
  lost?(error: unknown): void;
}

export type AuditOutcome = "stored" | "dropped";

interface Waiting {
  record: AuditRecord;
  done: () => void;
}

interface Burst {
  more: number;
  again(detail: Record<string, number>): AuditRecord;
}

/** Records that wait in one process at most. */
const ROOM = 1_000;
/** Records of one call. */
const BATCH = 100;
/** Milliseconds that whoever is audited waits for his record. */
const PATIENCE = 2_000;
/** Milliseconds before the second try, doubled up to the longest. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5_000;
/** Milliseconds for which what comes again is only counted, and different things counted apart at most. */
const MINUTE = 60_000;
const BURSTS = 10_000;
/** Milliseconds that a stop waits for what could not be stored yet. */
const LAST = 2_000;

/**
 * Records on their way to the audit log: those of one tick in one call, in order, again and again until they are stored. It
 * is bounded, and what it does never fails what it records.
 */
export class AuditTrail {
  private queue: Waiting[] = [];
  private readonly bursts = new Map<string, Burst>();
  private counting: NodeJS.Timeout | undefined;
  private turn: Promise<void> | null = null;
  private wake: () => void = () => undefined;
  private dropping = false;
  /** One at a time, to find the one that is refused. */
  private single = 0;
  /** Monotonic milliseconds after which nothing is tried again. */
  private closing = Infinity;

  constructor(private readonly parts: TrailParts) {}

  /** Records that are not stored yet. */
  get size(): number {
    return this.queue.length;
  }

  /** Resolves once it is stored, dropped, or has waited long enough; then it is stored later. */
  async add(record: AuditRecord): Promise<void> {
    if (this.queue.length >= ROOM) return this.drop(1);
    const stored = new Promise<void>(done => this.queue.push({ record: clean(record), done }));
    this.turn ??= this.run();
    await within(PATIENCE, stored).catch(() => undefined);
  }

  /**
   * The first in a minute of what `about` names is recorded; of all others the number, when the minute is over.
   * @param make a record of it; with `times` for the others
   */
  async often(about: string, make: Burst["again"]): Promise<void> {
    const known = this.bursts.get(about);
    if (known) return void known.more++;
    if (this.bursts.size >= BURSTS) return this.drop(1);
    this.bursts.set(about, { more: 0, again: make });
    this.counting ??= setInterval(() => this.count(), MINUTE).unref();
    await this.add(make({}));
  }

  /** Stores what waits, as far as that is possible in time. */
  async close(): Promise<void> {
    clearInterval(this.counting);
    this.count();
    this.closing = performance.now() + LAST;
    this.wake();
    await this.turn;
    this.closing = Infinity;
  }

  /** The minute is over. */
  private count(): void {
    for (const { more, again } of this.bursts.values()) if (more > 0) void this.add(again({ times: more }));
    this.bursts.clear();
    clearInterval(this.counting);
    this.counting = undefined;
  }

  private async run(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve));
    for (let pause = FIRST_PAUSE; this.queue.length > 0;) {
      const batch = this.queue.slice(0, this.single > 0 ? 1 : BATCH);
      try {
        await this.parts.send(batch.map(({ record }) => record));
        this.settle(batch.length, "stored");
        this.dropping = false;
        pause = FIRST_PAUSE;
      } catch (error) {
        if (publicError(error).code === "INVALID") this.refused(batch.length, error);
        else if (performance.now() >= this.closing) this.settle(this.queue.length, "dropped", error);
        else {
          await this.pause(Math.min(jittered(pause), Math.max(0, this.closing - performance.now())));
          pause = Math.min(2 * pause, LONGEST_PAUSE);
        }
      }
    }
    this.turn = null;
  }

  /** One of them is not understood there: it must not hold up the others. */
  private refused(records: number, error: unknown): void {
    if (records > 1) this.single = records;
    else this.settle(1, "dropped", error);
  }

  private settle(records: number, outcome: AuditOutcome, error?: unknown): void {
    const settled = this.queue.slice(0, records);
    this.queue = this.queue.slice(records);
    this.single = Math.max(0, this.single - records);
    for (const { done } of settled) done();
    if (outcome === "dropped") this.drop(records, error);
    else this.parts.counted?.(outcome, records);
  }

  private drop(records: number, error?: unknown): void {
    this.parts.counted?.("dropped", records);
    if (this.dropping) return;
    this.dropping = true;
    this.parts.lost?.(error ?? new Error("too many wait"));
  }

  private pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms).unref();
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Controls, halves of characters, line ends of Unicode and marks of direction. */
const UNSAFE = /[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const SHORT = 100;
const LONG = 500;
/** Details of a record. */
const DETAILS = 20;

const line = (text: string, most: number): string => text.slice(0, most).replace(UNSAFE, "\ufffd");

/** Texts may come from outside: each stays short and on its line. */
function clean({ actor, object, address, detail, ...rest }: AuditRecord): AuditRecord {
  const details = Object.entries(detail ?? {}).slice(0, DETAILS);
  return {
    ...rest,
    actor: actor && line(actor, SHORT),
    ...(object !== undefined && { object: line(object, SHORT) }),
    ...(address !== undefined && { address: line(address, SHORT) }),
    ...(details.length > 0 && {
      detail: Object.fromEntries(
        details.map(([name, value]) => [line(name, SHORT / 2), typeof value === "string" ? line(value, LONG) : value]),
      ),
    }),
  };
}
