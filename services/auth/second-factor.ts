import { randomInt } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import { DuplicateKeyError, type CollectionSpec, type Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { AuditNote } from "../core/audit";
import type { SecondFactorState, TotpSecret } from "../core/contract";
import { RookeryError } from "../core/errors";
import { digest } from "../core/ids";
import { qrCode } from "./qr-code";
import type { Sealing } from "./sealing";

/** A user's second factor; `id` is the user's. */
export interface SecondFactor {
  id: string;
  /** Sealed for the user. */
  secret: string;
  createdAt: string;
  /** Absent until a code was given: it is asked for only from then on. */
  confirmedAt?: string;
  /** Number of the last time step a code was taken for: each is good once. */
  usedStep?: number;
  /** Digests of recovery codes not used yet. */
  recovery?: string[];
  /** Wrong codes in a row, and until when the next is not looked at, milliseconds since the epoch. */
  wrong?: number;
  closedUntil?: number;
}

export const SECOND_FACTORS: CollectionSpec = { collection: "second_factors" };

/** Seconds of a time step, and steps on either side for clocks that differ. */
const PERIOD = 30;
const WINDOW = 1;
const ISSUER = "Rookery";
const RECOVERY_CODES = 10;
/** Letters and digits that are not mistaken for one another; 12 of them are 59 bits. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";
const RECOVERY_LENGTH = 12;
/** Wrong codes in a row that cost nothing; each further one doubles the wait, from the first to the longest. Milliseconds. */
const FREE = 5;
const FIRST_WAIT = 15_000;
const LONGEST_WAIT = 3_600_000;

const WRONG = "The code is wrong.";

/** What is recorded of a wrong code, of who is not signed in. */
export const wrongCode = (type: "login" | "password.reset", object: string): AuditNote => ({
  ...{ type, actor: null, object, result: "refused" },
  detail: { factor: "code" },
});

type Verdict = "ok" | "wrong" | "closed";

/** Time-based codes and recovery codes, asked for after the first factor at whatever door somebody comes in by. */
export class SecondFactors {
  constructor(
    private readonly factors: Documents<SecondFactor>,
    private readonly sealing: Sealing,
    private readonly clock: Clock,
  ) {}

  /**
   * Resolves if the user has no second factor, or this is a code of it, which is used up by it. Throws UNAUTHENTICATED with
   * an error of `field`, by which clients know to ask for a code, and RATE_LIMITED after too many wrong ones.
   * @param wrong called before a wrong code is refused; that none was given yet is how every sign-in begins
   */
  async require(
    userId: string,
    code: string | undefined,
    wrong: () => Promise<unknown>,
    field = "code",
  ): Promise<void> {
    const factor = await this.factors.get(userId);
    if (!factor?.confirmedAt) return;
    if (code === undefined) throw refused(field, "Give a code of your second factor.");
    let verdict: Verdict = "wrong";
    let waitMs = 0;
    const stored = await this.factors.update(userId, known => {
      const judged = this.judge(known, code);
      ({ verdict, waitMs } = judged);
      return judged.next;
    });
    // Taken off since it was read: nothing is asked any more.
    if (!stored?.confirmedAt) return;
    if ((verdict as Verdict) === "closed") throw closed(waitMs);
    if ((verdict as Verdict) === "wrong") {
      await wrong();
      throw refused(field, WRONG);
    }
  }

  async state(userId: string): Promise<SecondFactorState> {
    const factor = await this.factors.get(userId);
    if (!factor?.confirmedAt) return { enabled: false };
    return { enabled: true, confirmedAt: factor.confirmedAt, recoveryCodesLeft: factor.recovery?.length ?? 0 };
  }

  /** A new secret, which counts once a code of it was confirmed. Throws CONFLICT if one does already. */
  async begin(userId: string, username: string): Promise<TotpSecret> {
    const secret = new Secret({ size: 20 });
    const factor: SecondFactor = {
      id: userId,
      secret: this.sealing.seal(secret.base32, userId),
      createdAt: timestamp(this.clock),
    };
    const replaced = await this.factors.update(userId, known => (known.confirmedAt ? null : factor));
    if (replaced?.confirmedAt) throw enabled();
    if (!replaced)
      await this.factors.insert(factor).catch((error: unknown) => {
        throw error instanceof DuplicateKeyError ? enabled() : error;
      });
    const uri = totpOf(secret.base32, username).toString();
    return { secret: secret.base32, uri, qr: qrCode(uri) };
  }

  /**
   * Makes the pending secret count, by a code of it. Resolves to its recovery codes, which are shown this once. A wrong code is
   * FORBIDDEN: whoever gave it is signed in. RATE_LIMITED after too many: somebody else may have begun, and have left.
   * @param wrong called before a wrong code is refused
   */
  async confirm(userId: string, code: string, wrong: () => Promise<unknown>): Promise<string[]> {
    const codes = recoveryCodes();
    let outcome: "missing" | "enabled" | Verdict = "missing";
    let waitMs = 0;
    await this.factors.update(userId, known => {
      outcome = "enabled";
      if (known.confirmedAt) return null;
      waitMs = this.waitOf(known);
      outcome = "closed";
      if (waitMs > 0) return null;
      const step = this.stepOf(known, code);
      outcome = step === null ? "wrong" : "ok";
      if (step === null) return this.missed(known);
      const { wrong: _, closedUntil: _closed, ...factor } = known;
      return { ...factor, confirmedAt: timestamp(this.clock), usedStep: step, recovery: codes.map(digest) };
    });
    switch (outcome as "missing" | "enabled" | Verdict) {
      case "missing":
        throw new RookeryError("CONFLICT", "Begin with a new secret.");
      case "enabled":
        throw enabled();
      case "closed":
        throw closed(waitMs);
      case "wrong":
        await wrong();
        throw new RookeryError("FORBIDDEN", WRONG, { errors: [{ field: "code", message: WRONG }] });
      case "ok":
        return codes;
    }
  }

  /** New recovery codes in place of those there are. Throws CONFLICT without a second factor. */
  async renewRecoveryCodes(userId: string): Promise<string[]> {
    const codes = recoveryCodes();
    const factor = await this.factors.update(userId, known =>
      known.confirmedAt ? { ...known, recovery: codes.map(digest) } : null,
    );
    if (!factor?.confirmedAt) throw new RookeryError("CONFLICT", "There is no second factor.");
    return codes;
  }

  /** Resolves to whether there was one. */
  remove(userId: string): Promise<boolean> {
    return this.factors.remove(userId);
  }

  private judge(known: SecondFactor, code: string): { verdict: Verdict; waitMs: number; next: SecondFactor | null } {
    const waitMs = this.waitOf(known);
    if (!known.confirmedAt) return { verdict: "ok", waitMs: 0, next: null };
    if (waitMs > 0) return { verdict: "closed", waitMs, next: null };
    const { wrong: _, closedUntil: _closed, ...factor } = known;
    const step = this.stepOf(known, code);
    if (step !== null && step > (known.usedStep ?? -1))
      return { verdict: "ok", waitMs: 0, next: { ...factor, usedStep: step } };
    const left = known.recovery ?? [];
    const used = digest(code.toLowerCase().replace(/[\s-]/g, ""));
    if (left.includes(used))
      return { verdict: "ok", waitMs: 0, next: { ...factor, recovery: left.filter(one => one !== used) } };
    return { verdict: "wrong", waitMs: 0, next: this.missed(known) };
  }

  private waitOf({ closedUntil = 0 }: SecondFactor): number {
    return Math.max(0, closedUntil - this.clock.now());
  }

  /** One more wrong code. */
  private missed({ wrong = 0, closedUntil: _, ...factor }: SecondFactor): SecondFactor {
    const wait = wrong < FREE ? 0 : Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (wrong - FREE));
    return { ...factor, wrong: wrong + 1, ...(wait > 0 && { closedUntil: this.clock.now() + wait }) };
  }

  /** The time step a code belongs to; null if it is none of these. */
  private stepOf(factor: SecondFactor, code: string): number | null {
    const secret = this.sealing.open(factor.secret, factor.id);
    const token = code.replace(/\s/g, "");
    if (secret === null || !/^\d{6}$/.test(token)) return null;
    const timestampNow = this.clock.now();
    const delta = totpOf(secret, "").validate({ token, timestamp: timestampNow, window: WINDOW });
    return delta === null ? null : Math.floor(timestampNow / 1000 / PERIOD) + delta;
  }
}

const totpOf = (secret: string, label: string): TOTP => new TOTP({ issuer: ISSUER, label, secret, period: PERIOD });

const recoveryCodes = (): string[] =>
  Array.from({ length: RECOVERY_CODES }, () =>
    Array.from({ length: RECOVERY_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join(""),
  );

const enabled = (): RookeryError => new RookeryError("CONFLICT", "There is a second factor already.");

const closed = (retryAfterMs: number): RookeryError =>
  new RookeryError("RATE_LIMITED", "Too many wrong codes.", { retryAfterMs });

const refused = (field: string, message: string): RookeryError =>
  new RookeryError("UNAUTHENTICATED", message, { errors: [{ field, message }] });
