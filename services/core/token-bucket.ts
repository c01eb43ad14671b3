import type { Rate } from "./limits";

/**
 * A bucket that its owner keeps as one number, the time (monotonic milliseconds) at which it is full again; 0 at first.
 * Milliseconds until it has a token; 0 if it has one.
 */
export function untilToken({ burst, perSecond }: Rate, fullAt: number, now: number): number {
  const missing = (Math.max(0, fullAt - now) / 1_000) * perSecond;
  return missing <= burst - 1 ? 0 : Math.ceil(((missing - burst + 1) / perSecond) * 1_000);
}

/** When that bucket is full again after one more token was taken. */
export const afterToken = ({ perSecond }: Rate, fullAt: number, now: number): number =>
  Math.max(fullAt, now) + 1_000 / perSecond;

/**
 * Token buckets by key, synchronous and bounded: the library limiters answer by promise, which is too dear per message.
 * Idle buckets are forgotten once full, so memory follows the number of keys active within `burst / perSecond` seconds.
 */
export class TokenBuckets {
  private readonly buckets = new Map<string, { tokens: number; at: number }>();
  private sweptAt: number;

  constructor(
    private readonly rate: Rate,
    /** Monotonic milliseconds. */
    private readonly now: () => number,
  ) {
    this.sweptAt = now();
  }

  /** Takes one token. Returns 0, or the milliseconds until there will be one. */
  take(key: string): number {
    const now = this.now();
    this.sweep(now);
    let bucket = this.buckets.get(key);
    if (!bucket) this.buckets.set(key, (bucket = { tokens: this.rate.burst, at: now }));
    bucket.tokens = Math.min(this.rate.burst, bucket.tokens + ((now - bucket.at) / 1000) * this.rate.perSecond);
    bucket.at = now;
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - bucket.tokens) / this.rate.perSecond) * 1000);
  }

  get size(): number {
    return this.buckets.size;
  }

  private sweep(now: number): void {
    const fullAfter = (this.rate.burst / this.rate.perSecond) * 1000;
    if (now - this.sweptAt < fullAfter) return;
    this.sweptAt = now;
    for (const [key, bucket] of this.buckets) if (now - bucket.at >= fullAfter) this.buckets.delete(key);
  }
}
