import type { RoomEvent } from "../core/room-bus";
import { Framed, type Encode, type Target } from "./ring";

export interface JoinedReadsDependencies {
  /** Entries after an offset, in order; at least one where there are any. */
  read(after: number): Promise<readonly RoomEvent[]>;
  /** Told of all that was read, as it is now. */
  got(entries: readonly Framed[]): void;
  encode: Encode;
}

interface Reader {
  after: number;
  resolve(entries: readonly Framed[]): void;
  reject(error: unknown): void;
}

/**
 * Reads of one room's log for those who are behind, one at a time: however many come back together, whoever waits when a
 * read is sent shares it. Nobody joins one under way, since it may have seen the log before what he knows of was stored.
 */
export class JoinedReads {
  private waiting: Reader[] = [];
  private reading = false;
  /** Messages changed since the read under way was sent: it may have been too early for them. */
  private readonly changes = new Map<number, Target>();

  constructor(private readonly with_: JoinedReadsDependencies) {}

  /** Entries after an offset; none if the log ends there. Rejects if it cannot be read. */
  after(offset: number): Promise<readonly Framed[]> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ after: offset, resolve, reject });
      if (!this.reading) void this.run();
    });
  }

  /** A message was changed. */
  change(target: Target): void {
    if (this.reading) this.changes.set(target.offset, target);
  }

  private async run(): Promise<void> {
    this.reading = true;
    while (this.waiting.length > 0) {
      // Whoever comes in the same tick goes along.
      await new Promise(resolve => setImmediate(resolve));
      const readers = this.waiting;
      this.waiting = [];
      this.changes.clear();
      // The one who has waited longest says where: nobody waits for ever.
      const from = (readers[0] as Reader).after;
      try {
        const entries = (await this.with_.read(from)).map(event => this.current(event));
        this.with_.got(entries);
        this.waiting.unshift(...readers.filter(reader => !serve(reader, from, entries)));
      } catch (error) {
        for (const { reject } of readers) reject(error);
      }
    }
    this.reading = false;
  }

  private current(event: RoomEvent): Framed {
    let entry = new Framed(event, this.with_.encode);
    for (const target of this.changes.values()) entry = entry.after(target);
    return entry;
  }
}

/** Gives a reader his part of what was read after an offset; false if there is none for him. */
function serve({ after, resolve }: Reader, from: number, entries: readonly Framed[]): boolean {
  const first = entries[0]?.event.offset ?? 0;
  const own = after === from ? entries : after > from ? entries.slice(Math.max(after + 1 - first, 0)) : [];
  if (own.length === 0 && after !== from) return false;
  resolve(own);
  return true;
}
