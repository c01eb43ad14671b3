import { setTimeout as pause } from "node:timers/promises";
import type { Clock } from "../core/clock";
import { call, type ActionName, type Caller, type ParamsOf, type ReturnsOf } from "../core/contract";
import { publicError } from "../core/errors";

/** Milliseconds after which the right to export is looked at anew. */
const GRANT_TTL = 5_000;
/** Tries of one page, and milliseconds before the second one, doubled each time: a node that restarts ends no export. */
const TRIES = 5;
const PAUSE = 200;

/** Asks page after page; nothing is held beyond the one that is being written. */
export class Pages {
  private grantedAt = -Infinity;

  constructor(
    private readonly via: Caller,
    private readonly clock: Clock,
  ) {}

  async ask<N extends ActionName>(action: N, params: ParamsOf<N>): Promise<ReturnsOf<N>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call(this.via, action, params);
      } catch (error) {
        const { code } = publicError(error);
        if (attempt === TRIES || (code !== "UNAVAILABLE" && code !== "UNKNOWN_OUTCOME")) throw error;
        await pause(PAUSE * 2 ** (attempt - 1));
      }
    }
  }

  /** What the owner of the data says of whoever asks; unless he has said it a moment ago, then null. */
  async granted<N extends ActionName>(action: N, params: ParamsOf<N>): Promise<ReturnsOf<N> | null> {
    const now = this.clock.monotonic();
    if (now - this.grantedAt < GRANT_TTL) return null;
    const grant = await this.ask(action, params);
    this.grantedAt = now;
    return grant;
  }
}
