import type { UserRecord } from "../core/contract";
import type { Role } from "../core/permissions";
import type { Accounts } from "./accounts";
import type { SecondFactors } from "./second-factor";

/** Who has to have a second factor: without one, a sign-in is good for nothing but to set it up. */
export class SecondFactorDuty {
  constructor(
    private readonly required: readonly Role[],
    private readonly factors: Pick<SecondFactors, "state">,
  ) {}

  /** A program has none, and is nobody who could set one up. */
  async isDue({ id, roles, bot }: Pick<UserRecord, "id" | "roles" | "bot">): Promise<boolean> {
    return !bot && this.concerns(roles) && !(await this.factors.state(id)).enabled;
  }

  /** He has one now, or none any more: tokens are made anew, with what they are good for from here on. */
  async changed({ id, roles }: Pick<UserRecord, "id" | "roles">, accounts: Pick<Accounts, "revoke">): Promise<void> {
    if (this.concerns(roles)) await accounts.revoke(id, { keepSessions: true });
  }

  private concerns(roles: readonly Role[]): boolean {
    return roles.some(role => this.required.includes(role));
  }
}
