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
  /** When each is full again. */
  private readonly buckets = new Map<string, number>();
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
    const fullAt = this.buckets.get(key) ?? 0;
    const wait = untilToken(this.rate, fullAt, now);
    if (wait === 0) this.buckets.set(key, afterToken(this.rate, fullAt, now));
    return wait;
  }

  get size(): number {
    return this.buckets.size;
  }

  private sweep(now: number): void {
    const fullAfter = (this.rate.burst / this.rate.perSecond) * 1000;
    if (now - this.sweptAt < fullAfter) return;
    this.sweptAt = now;
    for (const [key, fullAt] of this.buckets) if (fullAt <= now) this.buckets.delete(key);
  }
}
