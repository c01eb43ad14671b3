import type { Clock } from "./clock";
import type { Revocation } from "./contract";
import { RevocationList } from "./revocations";
import type { VerifiedToken } from "./tokens";

export interface RevocationFeedOptions {
  /** The log after this number, as its owner has it. */
  fetch(after: number): Promise<{ head: number; items: Revocation[] }>;
  clock: Clock;
  /** Milliseconds one token lives. */
  keepFor: number;
  /** Whether a broadcast may be lost without a trace, as between nodes. Then the head is compared again and again. */
  lossy: boolean;
  /** Told of entries that are new here: for doors that hold open connections. */
  revoked?(items: readonly Revocation[]): void;
}

/** Milliseconds without word from the log's owner after which this copy is no longer believed, where broadcasts can be lost. */
const STALE_AFTER = 10_000;

/** Milliseconds after which another read begins beside one that was not answered, and reads that may be under way. */
const LATE = 900;
const AT_ONCE = 8;

/** Keeps a copy of auth's revocation log: by its broadcasts, and from the log itself whenever one may have been missed. */
export class RevocationFeed {
  private readonly list: RevocationList;
  /** Up to this number nothing is missing here. */
  private known = 0;
  private missing = true;
  /** Monotonic; when the log was last read. */
  private readAt = -Infinity;
  private reading: Promise<void> | null = null;
  /** Monotonic; when that read began. */
  private begunAt = -Infinity;
  private underWay = 0;

  constructor(private readonly options: RevocationFeedOptions) {
    this.list = new RevocationList(() => options.clock.monotonic(), options.keepFor);
  }

  /** Entries of a broadcast; none: there may be some of which nobody knows. */
  add(items: readonly Revocation[]): void {
    if (items.length === 0) this.missing = true;
    this.take(items);
    for (const { n } of [...items].sort((a, b) => a.n - b.n)) {
      if (n > this.known + 1) this.missing = true;
      else this.known = Math.max(this.known, n);
    }
  }

  /** For a timer, once a second. Never rejects. */
  async compare(): Promise<void> {
    if (this.missing || this.options.lossy) await this.catchUp().catch(() => undefined);
  }

  /** Resolves once this copy may be believed. Rejects if that needs the log and its owner does not answer. */
  async ready(): Promise<void> {
    const { clock, lossy } = this.options;
    const stale = lossy && clock.monotonic() - this.readAt > STALE_AFTER;
    if (stale || this.readAt === -Infinity) await this.catchUp();
  }

  refuses(token: Pick<VerifiedToken, "identity" | "revision">): boolean {
    return this.list.refuses(token);
  }

  /** See `RevocationList.ended`. */
  ended(token: Pick<VerifiedToken, "identity">): boolean {
    return this.list.ended(token);
  }

  private take(items: readonly Revocation[]): void {
    const fresh = this.list.add(items);
    if (fresh.length > 0) this.options.revoked?.(fresh);
  }

  /**
   * Joins a read under way, unless it waits for long: an answer that was lost with a connection is known to be lost only when
   * its time is up, and what is revoked meanwhile must not wait for that.
   */
  private catchUp(): Promise<void> {
    const now = this.options.clock.monotonic();
    const late = now - this.begunAt >= LATE && this.underWay < AT_ONCE;
    if (this.reading && !late) return this.reading;
    this.begunAt = now;
    this.underWay++;
    const reading = this.read().finally(() => {
      this.underWay--;
      if (this.reading === reading) this.reading = null;
    });
    return (this.reading = reading);
  }

  private async read(): Promise<void> {
    for (;;) {
      this.missing = false;
      const { head, items } = await this.options.fetch(this.known).catch((error: unknown) => {
        this.missing = true;
        throw error;
      });
      this.take(items);
      const last = items.reduce((max, { n }) => Math.max(max, n), this.known);
      // Numbers that are not in the answer have expired, up to its last entry if it was cut, else up to the head.
      const cut = items.length > 0 && last < head;
      this.known = cut ? last : Math.max(this.known, head);
      if (!cut) break;
    }
    this.readAt = this.options.clock.monotonic();
  }
}
