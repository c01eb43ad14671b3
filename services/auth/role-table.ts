import { upsert, type CollectionSpec, type Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { RoleFacts } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { Identity } from "../core/model";
import { PERMISSIONS, permissionsOf, ROLES, type Permission, type Role } from "../core/permissions";
import { Reach } from "../core/reach";
import type { RevocationLog } from "./revocation-log";

/** What a role allows where that was changed; `id` is the role. */
export interface StoredRole {
  id: Role;
  permissions: Permission[];
  changedAt: string;
  /** Milliseconds since the epoch; set until tokens made before are refused. */
  pendingSince?: number;
}

export const ROLE_TABLE: CollectionSpec = {
  collection: "roles",
  indexes: [{ name: "pendingSince", fields: ["pendingSince"] }],
};

/** Milliseconds for which a change counts as being followed up by the node that made it. */
const UNDER_WAY = 3_000;

/** What each role allows, as the store has it now: tokens are made from it, so nothing of it is kept here. */
export class RoleTable {
  constructor(
    private readonly stored: Documents<StoredRole>,
    private readonly revocations: Pick<RevocationLog, "append">,
    private readonly clock: Clock,
  ) {}

  /**
   * What these roles allow together, in a stable order. Whoever makes a token of it has read the number of the revocation log
   * before: what changes in between refuses the token.
   */
  async permissionsOf(roles: readonly Role[]): Promise<Permission[]> {
    const changed = new Map((await this.stored.getMany(roles)).map(({ id, permissions }) => [id, permissions]));
    const granted = new Set(roles.flatMap(role => changed.get(role) ?? permissionsOf([role])));
    return PERMISSIONS.filter(permission => granted.has(permission));
  }

  list(): Promise<RoleFacts[]> {
    return Promise.all(ROLES.map(async role => ({ role, permissions: await this.permissionsOf([role]) })));
  }

  /** All roles that allow no more than these do together. */
  async within(roles: readonly Role[]): Promise<Role[]> {
    const able = await this.permissionsOf(roles);
    const facts = await this.list();
    return facts.filter(({ permissions }) => permissions.every(one => able.includes(one))).map(({ role }) => role);
  }

  reachOf(caller: Pick<Identity, "roles">): Promise<Reach> {
    return Reach.of(caller, roles => this.within(roles));
  }

  /**
   * Changes what a role allows; tokens with the old permissions are refused from then on. Throws CONFLICT for the Admin, who
   * may everything, and FORBIDDEN if the caller gives what he has not.
   */
  async change(role: Role, wanted: readonly Permission[], caller: Identity): Promise<RoleFacts> {
    const permissions = PERMISSIONS.filter(permission => wanted.includes(permission));
    if (role === "Admin" && permissions.length < PERMISSIONS.length)
      throw new RookeryError("CONFLICT", "An Admin has every permission.");
    const before = await this.permissionsOf([role]);
    const given = permissions.filter(permission => !before.includes(permission));
    if (given.some(permission => !caller.permissions.includes(permission)))
      throw new RookeryError("FORBIDDEN", "Nobody grants what he does not have himself.");
    const kept = permissions.length === before.length && given.length === 0;
    if (!kept) await this.store(role, permissions);
    return { role, permissions };
  }

  /** Finishes what a crash left between a change and the end of the tokens made before. */
  async sweep(): Promise<void> {
    const where = { pendingSince: { $lte: this.clock.now() - UNDER_WAY } };
    for (const role of await this.stored.find({ where })) await this.follow(role);
  }

  private async store(role: Role, permissions: Permission[]): Promise<void> {
    const changed: StoredRole = {
      id: role,
      permissions,
      changedAt: timestamp(this.clock),
      pendingSince: this.clock.now(),
    };
    const later = (known: StoredRole): StoredRole => ({
      ...changed,
      pendingSince: Math.max(this.clock.now(), (known.pendingSince ?? 0) + 1),
    });
    const stored = await upsert(this.stored, changed, later);
    if (stored) await this.follow(stored);
  }

  private async follow({ id, pendingSince }: StoredRole): Promise<void> {
    await this.revocations.append({ role: id });
    await this.stored.update(id, known => {
      const { pendingSince: pending, ...done } = known;
      return pending === pendingSince ? done : null;
    });
  }
}
