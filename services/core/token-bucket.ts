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
