import { isIPv6 } from "node:net";
import type { ServerResponse } from "node:http";
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
