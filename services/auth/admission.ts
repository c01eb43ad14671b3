import type { UserRecord } from "../core/contract";
import { RookeryError } from "../core/errors";

const UNVERIFIED = "Verify your e-mail first: follow the link in the mail, or ask for another.";

/**
 * Whether an account may come in. Every door asks here, whatever it lets people prove who they are by; who was removed has no
 * record. Why not is said to nobody else: asked before that proof, it would tell which accounts there are.
 */
export class Admission {
  /** @param verification accounts with an unverified e-mail stay outside */
  constructor(private readonly verification: boolean) {}

  /** Throws FORBIDDEN. `mailbox`: he has just proved that the account's e-mail is his. */
  check(user: UserRecord, { mailbox = false } = {}): void {
    if (user.deactivated) throw new RookeryError("FORBIDDEN", "The account is deactivated.");
    if (this.verification && user.unverified && !mailbox)
      throw new RookeryError("FORBIDDEN", UNVERIFIED, { errors: [{ field: "email", message: UNVERIFIED }] });
  }

  /** The same for who is told no more than that his token does not hold. */
  admits(user: UserRecord): boolean {
    try {
      this.check(user);
      return true;
    } catch {
      return false;
    }
  }
}
