import type { Documents } from "../../mixins/documents";
import type { AuditNote } from "../core/audit";
import { hasCode, RookeryError } from "../core/errors";
import type { Credentials } from "./auth.store";
import type { Passwords } from "./passwords";
import type { SecondFactors } from "./second-factor";
import type { SignInDelay } from "./sign-in-delay";

/** A request of somebody who is signed in. */
export interface Asking {
  address: string;
  /** As he would sign in, so that attempts here and there count together. */
  username: string;
  /** The action. */
  what: string;
  /** Records what is done in this request. Never rejects. */
  audit(entry: AuditNote): Promise<void>;
}

/**
 * Whether it is still the user himself who asks, before something that a stolen access token must not be enough for. Attempts
 * count together with those to sign in: what is tried is the same password.
 */
export class Reauthentication {
  constructor(
    private readonly credentials: Documents<Credentials>,
    private readonly passwords: Pick<Passwords, "verify">,
    private readonly secondFactors: Pick<SecondFactors, "require">,
    private readonly delay: Pick<SignInDelay, "begin">,
  ) {}

  /**
   * Throws FORBIDDEN if this is not the password: a 401 would tell clients that the session is over. CONFLICT: none is set.
   * RATE_LIMITED after too many attempts.
   */
  async demandPassword(asking: Asking, userId: string, password: string): Promise<void> {
    const { succeeded } = await this.check(asking, userId, password);
    await succeeded();
  }

  /** Both factors. Throws FORBIDDEN, with an error of `code` where that is missing or wrong. */
  async demand(asking: Asking, userId: string, password: string, code: string | undefined): Promise<Credentials> {
    const { stored, succeeded } = await this.check(asking, userId, password);
    await this.demandCode(asking, userId, code);
    await succeeded();
    return stored;
  }

  /** The same where there is a password; without one, of the second factor alone. */
  async demandAny(
    asking: Asking,
    userId: string,
    password: string | undefined,
    code: string | undefined,
  ): Promise<void> {
    if (!(await this.hasPassword(userId))) return this.demandCode(asking, userId, code);
    if (password === undefined) throw wrong();
    await this.demand(asking, userId, password, code);
  }

  private async check(asking: Asking, userId: string, password: string) {
    const stored = await this.credentials.get(userId);
    if (!stored) throw new RookeryError("CONFLICT", "The account has no password.");
    const succeeded = await this.delay.begin(asking.username, userId, asking.address);
    if (await this.passwords.verify(password, stored.hash)) return { stored, succeeded };
    await noteRefusal(asking, userId, "password");
    throw wrong();
  }

  private async demandCode(asking: Asking, userId: string, code: string | undefined): Promise<void> {
    try {
      await this.secondFactors.require(userId, code, () => noteRefusal(asking, userId, "code"));
    } catch (error) {
      if (!(error instanceof RookeryError) || !hasCode(error, "UNAUTHENTICATED")) throw error;
      throw new RookeryError("FORBIDDEN", error.message, error.data);
    }
  }

  async hasPassword(userId: string): Promise<boolean> {
    return (await this.credentials.get(userId)) !== null;
  }
}

export const noteRefusal = ({ audit, what }: Asking, object: string, factor: "password" | "code"): Promise<void> =>
  audit({ type: "reauthentication", object, result: "refused", detail: { what, factor } });

const wrong = (): RookeryError => {
  const message = "The password is wrong.";
  return new RookeryError("FORBIDDEN", message, { errors: [{ field: "password", message }] });
};
