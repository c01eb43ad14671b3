import { RookeryError } from "./errors";
import type { Identity } from "./model";
import { ROLES, type Role } from "./permissions";

/**
 * Whom somebody may manage, and which roles he may give: nobody reaches up to who may do something that he may not himself.
 * What a role allows can be changed, so that is asked of its owner. A token with scopes reaches as far as its user does: what
 * may be done with it at all, the scopes say.
 */
export class Reach {
  private constructor(private readonly within: readonly Role[]) {}

  /** @param ask which roles allow no more than these do together */
  static async of(
    { roles }: Pick<Identity, "roles">,
    ask: (roles: readonly Role[]) => Promise<readonly Role[]>,
  ): Promise<Reach> {
    // An Admin has every permission, whatever is changed.
    return new Reach(roles.includes("Admin") ? ROLES : await ask(roles));
  }

  covers(roles: readonly Role[]): boolean {
    return roles.every(role => this.within.includes(role));
  }

  /** Throws FORBIDDEN. */
  over(roles: readonly Role[]): void {
    if (!this.covers(roles)) throw new RookeryError("FORBIDDEN", "These roles may do more than you may.");
  }
}
