import type { Documents } from "../../mixins/documents";
import { hasCode, RookeryError } from "../core/errors";
import type { Credentials } from "./auth.store";
import type { Passwords } from "./passwords";
import type { SecondFactors } from "./second-factor";

/** Whether it is still the user himself who asks, before something that a stolen access token must not be enough for. */
export class Reauthentication {
  constructor(
    private readonly credentials: Documents<Credentials>,
    private readonly passwords: Pick<Passwords, "verify">,
    private readonly secondFactors: Pick<SecondFactors, "require">,
  ) {}

  /** Throws FORBIDDEN if this is not the password: a 401 would tell clients that the session is over. CONFLICT: none is set. */
  async demandPassword(userId: string, password: string): Promise<Credentials> {
    const stored = await this.credentials.get(userId);
    if (!stored) throw new RookeryError("CONFLICT", "The account has no password.");
    if (!(await this.passwords.verify(password, stored.hash))) throw wrong();
    return stored;
  }

  /** Both factors. Throws FORBIDDEN, with an error of `code` where that is missing or wrong. */
  async demand(userId: string, password: string, code: string | undefined): Promise<Credentials> {
    const stored = await this.demandPassword(userId, password);
    await this.demandCode(userId, code);
    return stored;
  }

  /** The same where there is a password; without one, of the second factor alone. */
  async demandAny(userId: string, password: string | undefined, code: string | undefined): Promise<void> {
    if (!(await this.hasPassword(userId))) return this.demandCode(userId, code);
    if (password === undefined) throw wrong();
    await this.demand(userId, password, code);
  }

  private async demandCode(userId: string, code: string | undefined): Promise<void> {
    try {
      await this.secondFactors.require(userId, code);
    } catch (error) {
      if (!(error instanceof RookeryError) || !hasCode(error, "UNAUTHENTICATED")) throw error;
      throw new RookeryError("FORBIDDEN", error.message, error.data);
    }
  }

  async hasPassword(userId: string): Promise<boolean> {
    return (await this.credentials.get(userId)) !== null;
  }
}

const wrong = (): RookeryError => {
  const message = "The password is wrong.";
  return new RookeryError("FORBIDDEN", message, { errors: [{ field: "password", message }] });
};
