/** Time as a dependency, so that tests can set it. Wall time is for display and expiry, monotonic time for durations. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds that never jump. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** RFC 3339 in UTC with milliseconds: the one form of time in answers. */
export const timestamp = (clock: Clock): string => new Date(clock.now()).toISOString();
