import type { Config } from "../../config/config";
import { RookeryError } from "../core/errors";
import type { UserRecord } from "../core/contract";
import type { Role } from "../core/permissions";
import type { Invitations } from "./invitations";
import type { Outbox } from "./mail/outbox";
import { refuseGuessable } from "./password-policy";

export interface Applicant {
  username: string;
  email: string;
  password: string;
  invitation?: string;
}

/** Who may make an account, and as what. */
export class Registration {
  constructor(
    private readonly settings: Pick<Config["accounts"], "registration" | "verification">,
    private readonly invitations: Pick<Invitations, "take" | "giveBack" | "forget">,
    private readonly outbox: Pick<Outbox, "put">,
  ) {}

  /** Whether who registers has to show that his e-mail is his before he comes in. */
  get verifies(): boolean {
    return this.settings.verification;
  }

  /** Throws before anything is stored: FORBIDDEN, or INVALID for a password that is guessed first. */
  check({ username, email, password, invitation }: Applicant): void {
    this.open(invitation);
    refuseGuessable(password, { username, email });
  }

  /** Throws FORBIDDEN. Who comes by a provider of identities has no invitation. */
  open(invitation?: string): void {
    const { registration } = this.settings;
    if (registration === "closed") throw new RookeryError("FORBIDDEN", "Nobody can register here.");
    if (registration === "invited" && invitation === undefined)
      throw new RookeryError("FORBIDDEN", "Only who is invited can register here.");
  }

  /** Takes the place that an invitation keeps. */
  async admit(
    users: { record(id: string): Promise<UserRecord | null> },
    userId: string,
    { invitation, email }: Applicant,
  ): Promise<{ invitation?: string; roles?: Role[] }> {
    if (invitation === undefined) return {};
    const { id, roles } = await this.invitations.take(users, invitation, userId, email);
    return { invitation: id, ...(roles && { roles }) };
  }

  /** The user was not made after all. */
  async takeBack(userId: string, invitation: string | undefined): Promise<void> {
    if (invitation !== undefined) await this.invitations.giveBack(invitation, userId);
  }

  /** Nothing is kept of who came by the invitation. May be repeated. */
  async forget(invitation: string | undefined): Promise<void> {
    if (invitation !== undefined) await this.invitations.forget(invitation);
  }

  async askForVerification(userId: string, email: string): Promise<void> {
    await this.outbox.put({ kind: "verify", to: email, user: userId });
  }
}
