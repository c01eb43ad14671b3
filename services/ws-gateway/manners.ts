import type { Clock } from "../core/clock";
import { CLOSES } from "../core/closes";
import { RookeryError } from "../core/errors";
import type { Limits, Rate, RateLimitMode } from "../core/limits";
import { afterToken, untilToken } from "../core/token-bucket";
import type { Connection } from "./connection";

export interface MannersDependencies {
  limits: Limits;
  rateLimit: RateLimitMode;
  clock: Clock;
  rateLimited(limit: string, refused: boolean): void;
}

/** How much one socket may say: beyond a first rate it is refused, beyond a second, which nobody has by chance, it ends. */
export class Manners {
  private readonly frames: Rate;
  private readonly flood: Rate;

  constructor(private readonly with_: MannersDependencies) {
    const { limits } = with_;
    this.frames = { burst: limits.frameBurst, perSecond: limits.framesPerSecond };
    this.flood = { burst: limits.floodBurst, perSecond: limits.floodPerSecond };
  }

  /** Counts a frame that is no send: these have a rate of their user. Throws RATE_LIMITED. */
  throttle(connection: Connection): void {
    const { rateLimit, rateLimited } = this.with_;
    if (rateLimit === "off") return;
    const retryAfterMs = this.take(connection, "framesFullAt", this.frames);
    if (retryAfterMs === 0) return;
    rateLimited("frame", rateLimit === "on");
    if (rateLimit === "on") throw new RookeryError("RATE_LIMITED", "Too many frames.", { retryAfterMs });
  }

  /** Counts whatever was said, also what is refused or means nothing. False: it was too much, and the socket is closed. */
  heeds(connection: Connection): boolean {
    const { rateLimit, rateLimited } = this.with_;
    if (rateLimit === "off" || this.take(connection, "saidFullAt", this.flood) === 0) return true;
    rateLimited("flood", rateLimit === "on");
    if (rateLimit === "on") connection.end(CLOSES.FLOOD);
    return rateLimit !== "on";
  }

  /** Takes a token of one of the connection's buckets. Milliseconds until there is one; 0: it was taken. */
  private take(connection: Connection, bucket: "framesFullAt" | "saidFullAt", rate: Rate): number {
    const now = this.with_.clock.monotonic();
    const wait = untilToken(rate, connection[bucket], now);
    if (wait === 0) connection[bucket] = afterToken(rate, connection[bucket], now);
    return wait;
  }
}
