import type { LogHead, ReturnsOf } from "../core/contract";
import { Lanes } from "./lanes";

/** Rooms of one read. */
export const BATCH = 500;
/** Reads under way. */
const READS = 8;

interface Waiter {
  resolve(head: LogHead | undefined): void;
  reject(error: unknown): void;
}

/** Joins the head reads of a tick into one call, and remembers the epoch of the store. */
export class HeadReader {
  private waiting = new Map<string, Waiter[]>();
  private knownEpoch: string | null = null;
  private asking: ReturnType<typeof this.heads> | null = null;
  private readonly lanes = new Lanes(READS);

  constructor(private readonly heads: (rooms: string[]) => Promise<ReturnsOf<"messages.heads">>) {}

  /** However many ask before it is known, the store is asked once. */
  epoch(): string | Promise<string> {
    if (this.knownEpoch !== null) return this.knownEpoch;
    this.asking ??= this.heads([]).finally(() => (this.asking = null));
    return this.asking.then(({ epoch }) => (this.knownEpoch = epoch));
  }

  read(room: string): Promise<LogHead | undefined> {
    return new Promise((resolve, reject) => {
      if (this.waiting.size === 0) setImmediate(() => this.flush());
      const waiters = this.waiting.get(room);
      if (waiters) waiters.push({ resolve, reject });
      else this.waiting.set(room, [{ resolve, reject }]);
    });
  }

  /** Heads of at most {@link BATCH} rooms. */
  async readAll(rooms: string[]): Promise<Record<string, LogHead>> {
    const { epoch, heads } = await this.lanes.run(() => this.heads(rooms));
    this.knownEpoch = epoch;
    return heads;
  }

  private flush(): void {
    const all = [...this.waiting];
    this.waiting = new Map();
    for (let from = 0; from < all.length; from += BATCH) void this.ask(all.slice(from, from + BATCH));
  }

  private async ask(batch: readonly [string, Waiter[]][]): Promise<void> {
    try {
      const heads = await this.readAll(batch.map(([room]) => room));
      for (const [room, waiters] of batch) for (const { resolve } of waiters) resolve(heads[room]);
    } catch (error) {
      for (const [, waiters] of batch) for (const { reject } of waiters) reject(error);
    }
  }
}
