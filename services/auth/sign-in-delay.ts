import { createHmac } from "node:crypto";
import { DuplicateKeyError, type CollectionSpec, type Documents } from "../../mixins/documents";
import { networkOf } from "../core/client-address";
import type { Clock } from "../core/clock";
import { RookeryError } from "../core/errors";
import type { RateLimitMode } from "../core/limits";

/** Attempts on one account, or from one network that its owner has signed in from. Times are milliseconds since 1970. */
export interface Attempts {
  id: string;
  failures: number;
  /** No attempt before. */
  until: number;
  /** Of the last one. */
  at: number;
  /** When its owner last signed in from there. */
  known?: number;
}

export const ATTEMPTS: CollectionSpec = {
  collection: "sign_ins",
  indexes: [{ name: "at", fields: ["at"] }],
};

/** Failures that cost nothing. */
const FREE = 5;
/** Milliseconds to wait after the next, doubled with each, and at most. */
const FIRST = 1_000;
const LONGEST = 900_000;
/** Milliseconds after the last attempt at which failures are forgotten, and after a sign-in at which a network is. */
const FORGOTTEN = 3_600_000;
const STRANGE = 90 * 86_400_000;
const BATCH = 500;

export interface DelayParts {
  attempts: Documents<Attempts>;
  clock: Clock;
  mode: RateLimitMode;
  /** Names are kept under it: what is typed as a name is often a password. */
  secret: string;
  /** Called where somebody has to wait, refused or not. */
  exceeded(): void;
}

/**
 * Slows down whoever tries passwords of one account, from many addresses or with a stolen token: each failure beyond a few doubles the time until
 * the next attempt. Who comes from where the account's owner has signed in before waits for his own failures only, so that
 * nobody can be locked out by others. A name that nobody has is treated like any other.
 */
export class SignInDelay {
  constructor(private readonly parts: DelayParts) {}

  /**
   * Counts an attempt before it is made: of any number at once no more get through than one after the other. Throws
   * RATE_LIMITED. Resolves to what is to be called when it succeeded.
   */
  async begin(login: string, user: string | undefined, address: string): Promise<() => Promise<void>> {
    const { attempts, clock, mode, exceeded } = this.parts;
    if (mode === "off") return async () => undefined;
    // As accounts are found by it. Strangers are counted by what they type: one count for a name and an e-mail would tell
    // that both are somebody's.
    const typed = this.hidden(login.trim().toLowerCase());
    const here = `${user ?? typed}@${this.hidden(networkOf(address))}`;
    const known = (await attempts.get(here))?.known;
    const key = known !== undefined && clock.now() - known < STRANGE ? here : typed;
    const wait = await this.count(key);
    if (wait > 0) {
      exceeded();
      if (mode === "on") throw new RookeryError("RATE_LIMITED", "Too many failed attempts.", { retryAfterMs: wait });
    }
    return () => this.succeeded(key, here);
  }

  /** Where a user who is gone signed in from. */
  async forget(user: string): Promise<void> {
    await this.parts.attempts.removeWhere({ id: { $prefix: `${user}@` } });
  }

  /** Forgets a bounded number of what does not matter any more. */
  async sweep(): Promise<void> {
    const { attempts, clock } = this.parts;
    const now = clock.now();
    const old = await attempts.find({ where: { at: { $lt: now - FORGOTTEN }, known: null }, sort: "at", limit: BATCH });
    const strange = await attempts.find({ where: { at: { $lt: now - STRANGE } }, sort: "at", limit: BATCH });
    const ids = [...old, ...strange].map(({ id }) => id);
    if (ids.length > 0) await attempts.removeWhere({ id: { $in: ids }, at: { $lt: now - FORGOTTEN } });
  }

  /** Milliseconds to wait; 0: it is counted and may be made. */
  private async count(key: string): Promise<number> {
    const { attempts, clock } = this.parts;
    for (;;) {
      let wait = 0;
      const found = await attempts.update(key, stored => {
        const now = clock.now();
        wait = Math.max(0, stored.until - now);
        if (wait > 0) return null;
        const failures = (now - stored.at > FORGOTTEN ? 0 : stored.failures) + 1;
        return { ...stored, failures, until: now + delayAfter(failures), at: now };
      });
      if (found) return wait;
      try {
        await attempts.insert({ id: key, failures: 1, until: 0, at: clock.now() });
        return 0;
      } catch (error) {
        if (!(error instanceof DuplicateKeyError)) throw error;
      }
    }
  }

  private async succeeded(key: string, here: string): Promise<void> {
    const { attempts, clock } = this.parts;
    const now = clock.now();
    if (key !== here) await attempts.remove(key);
    const noted = { id: here, failures: 0, until: 0, at: now, known: now };
    if (await attempts.update(here, () => noted)) return;
    await attempts.insert(noted).catch((error: unknown) => {
      if (!(error instanceof DuplicateKeyError)) throw error;
    });
  }

  private hidden(text: string): string {
    return createHmac("sha256", this.parts.secret).update(text).digest("base64url");
  }
}

const delayAfter = (failures: number): number =>
  failures <= FREE ? 0 : Math.min(FIRST * 2 ** (failures - FREE - 1), LONGEST);
