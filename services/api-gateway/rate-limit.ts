import type { ServerResponse } from "node:http";
import { networkOf } from "../core/client-address";
import { RookeryError } from "../core/errors";
import type { RateLimitMode } from "../core/limits";
import type { SharedCounter } from "../core/shared-counter";

/** Milliseconds of a window. */
export const WINDOW = 60_000;

export const LIMIT_KINDS = ["requests", "signIns"] as const;
export type LimitKind = (typeof LIMIT_KINDS)[number];

/** Applies the limits of REST: counts, writes the RateLimit headers and refuses with RATE_LIMITED. */
export class RateLimit {
  /**
   * @param mode `count` counts and tells but refuses nobody; `off` does nothing
   * @param exceeded called for everything over a limit, refused or not
   */
  constructor(
    private readonly mode: RateLimitMode,
    readonly counters: Readonly<Record<LimitKind, SharedCounter>>,
    private readonly exceeded: (kind: LimitKind) => void = () => undefined,
  ) {}

  /** Throws RATE_LIMITED over the limit. The headers of the last limit looked at stay: the narrower one comes last. */
  async take(kind: LimitKind, key: string, res: ServerResponse): Promise<void> {
    if (this.mode === "off") return;
    const counter = this.counters[kind];
    const taken = counter.take(key);
    const { granted, used, endsInMs } = taken instanceof Promise ? await taken : taken;
    const { most } = counter.allowed;
    res.setHeader("RateLimit-Limit", most);
    res.setHeader("RateLimit-Remaining", Math.max(0, most - used));
    res.setHeader("RateLimit-Reset", Math.ceil(endsInMs / 1000));
    if (granted > 0) return;
    this.exceeded(kind);
    if (this.mode === "on") throw new RookeryError("RATE_LIMITED", undefined, { retryAfterMs: endsInMs });
  }
}

export const userKey = (id: string): string => `user:${id}`;

export const addressKey = (address: string): string => `address:${networkOf(address)}`;
