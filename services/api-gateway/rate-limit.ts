import { isIPv6 } from "node:net";
import type { ServerResponse } from "node:http";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { digest } from "../core/ids";
import { RookeryError } from "../core/errors";
import type { Limits, RateLimitMode } from "../core/limits";

/** Where requests of one key in one window are counted. */
export interface WindowCounter {
  readonly limit: number;
  /** Counts one more. */
  add(key: string): Promise<Count>;
}

export interface Count {
  /** Requests in this window, this one included. */
  used: number;
  /** Milliseconds until the window ends. */
  endsInMs: number;
}

/** Milliseconds of a window. */
const WINDOW = 60_000;
/** Keys counted apart. Beyond it, new ones share a few counters: memory stays bounded, known keys are not disturbed. */
const MAX_KEYS = 50_000;
const SHARED_COUNTERS = 256;

/** Counts in this process. */
export class MemoryCounter implements WindowCounter {
  private readonly counter: RateLimiterMemory;
  /** Keys first seen in the current stretch of one window's length, and in the one before: no fewer than are kept. */
  private fresh = 0;
  private previous = 0;
  private since: number;

  /** @param now monotonic milliseconds */
  constructor(
    readonly limit: number,
    private readonly now: () => number,
    private readonly maxKeys = MAX_KEYS,
  ) {
    this.counter = new RateLimiterMemory({ points: limit, duration: WINDOW / 1000 });
    this.since = now();
  }

  async add(key: string): Promise<Count> {
    this.turn();
    const crowded = this.fresh + this.previous >= this.maxKeys;
    const counted = crowded && (await this.counter.get(key)) === null ? sharedKey(key) : key;
    const { consumedPoints, msBeforeNext, isFirstInDuration } = await this.counter
      .consume(counted)
      .catch((refusal: unknown) => {
        if (refusal instanceof RateLimiterRes) return refusal;
        throw refusal;
      });
    if (isFirstInDuration && counted === key) this.fresh += 1;
    return { used: consumedPoints, endsInMs: msBeforeNext };
  }

  private turn(): void {
    const windows = Math.floor((this.now() - this.since) / WINDOW);
    if (windows < 1) return;
    this.previous = windows === 1 ? this.fresh : 0;
    this.fresh = 0;
    this.since += windows * WINDOW;
  }
}

const sharedKey = (key: string): string => `shared:${parseInt(digest(key).slice(0, 8), 36) % SHARED_COUNTERS}`;

export type LimitKind = "requests" | "signIns";

/** Applies the limits of REST: counts, writes the RateLimit headers and refuses with RATE_LIMITED. */
export class RateLimit {
  /**
   * @param mode `count` counts and tells but refuses nobody; `off` does nothing
   * @param counters made for each kind
   * @param exceeded called for everything over a limit, refused or not
   */
  constructor(
    private readonly mode: RateLimitMode,
    private readonly counters: Readonly<Record<LimitKind, WindowCounter>>,
    private readonly exceeded: (kind: LimitKind) => void = () => undefined,
  ) {}

  /** Counts a request in memory, with limits from the configuration. */
  static inMemory(
    mode: RateLimitMode,
    limits: Limits,
    now: () => number,
    exceeded?: (kind: LimitKind) => void,
  ): RateLimit {
    const counters = {
      requests: new MemoryCounter(limits.requestsPerMinute, now),
      signIns: new MemoryCounter(limits.signInsPerMinute, now),
    };
    return new RateLimit(mode, counters, exceeded);
  }

  /** Throws RATE_LIMITED over the limit. The headers of the last limit looked at stay: the narrower one comes last. */
  async take(kind: LimitKind, key: string, res: ServerResponse): Promise<void> {
    if (this.mode === "off") return;
    const { limit } = this.counters[kind];
    const { used, endsInMs } = await this.counters[kind].add(key);
    res.setHeader("RateLimit-Limit", limit);
    res.setHeader("RateLimit-Remaining", Math.max(0, limit - used));
    res.setHeader("RateLimit-Reset", Math.ceil(endsInMs / 1000));
    if (used <= limit) return;
    this.exceeded(kind);
    if (this.mode === "on") throw new RookeryError("RATE_LIMITED", undefined, { retryAfterMs: endsInMs });
  }
}

export const userKey = (id: string): string => `user:${id}`;

/** One household has 2^64 IPv6 addresses: the network counts, not the address. */
export const addressKey = (address: string): string => `address:${isIPv6(address) ? network64(address) : address}`;

function network64(address: string): string {
  const [head = "", tail] = address.split("::") as [string, string?];
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? [] : tail.split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups.push(...rest);
  }
  return groups.slice(0, 4).join(":");
}
