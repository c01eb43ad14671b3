import type { LogHead, ReturnsOf } from "../core/contract";

/** Rooms of one read. */
const BATCH = 500;

/** Joins the head reads of a tick into one call, and remembers the epoch of the store. */
export class HeadReader {
  private waiting = new Map<string, { resolve(head: LogHead | undefined): void; reject(error: unknown): void }[]>();
  private knownEpoch: string | null = null;

  constructor(private readonly heads: (rooms: string[]) => Promise<ReturnsOf<"messages.heads">>) {}

  async epoch(): Promise<string> {
    return this.knownEpoch ?? (this.knownEpoch = (await this.heads([])).epoch);
  }

  read(room: string): Promise<LogHead | undefined> {
    return new Promise((resolve, reject) => {
      if (this.waiting.size === 0) setImmediate(() => this.flush());
      const waiters = this.waiting.get(room) ?? [];
      this.waiting.set(room, [...waiters, { resolve, reject }]);
    });
  }

  private flush(): void {
    const all = [...this.waiting];
    this.waiting = new Map();
    for (let from = 0; from < all.length; from += BATCH) void this.ask(all.slice(from, from + BATCH));
  }

  private async ask(batch: [string, { resolve(head: LogHead | undefined): void; reject(error: unknown): void }[]][]) {
    try {
      const { epoch, heads } = await this.heads(batch.map(([room]) => room));
      this.knownEpoch = epoch;
      for (const [room, waiters] of batch) for (const { resolve } of waiters) resolve(heads[room]);
    } catch (error) {
      for (const [, waiters] of batch) for (const { reject } of waiters) reject(error);
    }
  }
}
