import type { Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { NewUser, ProfileChange, UserRecord } from "../core/contract";
import { hasCode, RookeryError } from "../core/errors";
import { isId } from "../core/ids";
import type { Identity } from "../core/model";
import { ROLES, type Role } from "../core/permissions";
import { Admins, type AdminChange, type AdminStage } from "./admins";
import type { Directory, Guard } from "./directory";
import {
  erasedKey,
  isErased,
  keyOf,
  RANKS,
  rolesOf,
  sameRoles,
  toRecord,
  withoutPending,
  withoutRoles,
  withProfile,
  type Pending,
  type StoredUser,
} from "./user";

/** What must follow a change of roles or a removal in other services. May be repeated; one instance serves one request. */
export interface Consequences {
  rolesChanged(userId: string): Promise<void>;
  deactivated(userId: string): Promise<void>;
  removed(userId: string): Promise<void>;
}

/** Users whose consequences are repeated in one go. */
const BATCH = 100;
/** Milliseconds for which a change counts as being followed up by the node that made it. */
const UNDER_WAY = 3_000;
/** Times a change is made anew because the user became an Admin or ceased to be one meanwhile. */
const ATTEMPTS = 8;

/** What becomes of users, and what follows from it: they are made, have roles, are kept out, and go. */
export class Lifecycle {
  private readonly admins: Admins;

  constructor(
    private readonly directory: Directory,
    private readonly users: Documents<StoredUser>,
    stages: Documents<AdminStage>,
    private readonly clock: Clock,
    /** Told why consequences have to wait. */
    private readonly delayed: (error: unknown) => void,
  ) {
    this.admins = new Admins(stages, (change, n) => this.carryOut(change, n), clock);
  }

  /**
   * Makes a user; the same again under the same id is harmless. Throws CONFLICT if name or e-mail is taken. Who has still to
   * show that his e-mail is his is not told that somebody has it: his account stays without it, and cannot be verified.
   */
  async create(wanted: NewUser & { bot?: true }): Promise<UserRecord> {
    const email = wanted.email?.trim();
    const roles = wanted.roles ?? ["User"];
    const user: StoredUser = {
      id: wanted.id,
      username: wanted.username,
      usernameKey: keyOf(wanted.username),
      ...(email !== undefined && { email, emailKey: keyOf(email) }),
      ...(wanted.unverified && { unverified: true as const }),
      ...(wanted.bot && { bot: true as const }),
      ...(wanted.displayName !== undefined && { displayName: wanted.displayName }),
      ...rolesOf(roles.filter(role => role !== "Admin")),
      createdAt: timestamp(this.clock),
    };
    const made = roles.includes("Admin") ? this.waiting(user, "admin") : user;
    const stored = await this.directory.insert(made).catch((error: unknown) => {
      if (!wanted.unverified || !hasCode(error, "CONFLICT")) throw error;
      const { emailKey: _, ...without } = made;
      return this.directory.insert(without);
    });
    return toRecord(stored.pending === "admin" ? await this.promote(stored) : stored);
  }

  /**
   * Changes a profile and, if given, roles; null clears a field. Throws NOT_FOUND, CONFLICT for the last Admin's role.
   * Other roles end the validity of the tokens that name the old ones.
   */
  async update(
    consequences: Consequences,
    id: string,
    profile: ProfileChange,
    roles?: readonly Role[],
    guard?: Guard,
  ): Promise<StoredUser> {
    if (!roles) return this.directory.change(id, user => withProfile(user, profile), guard);
    const isAdmin = roles.includes("Admin");
    const user = await this.changeRoles(
      id,
      isAdmin,
      known => this.withRoles(known, profile, roles),
      () => ({ user: id, kind: "roles", roles: [...roles], ...profile }),
      guard,
    );
    await this.follow(consequences, user);
    return user;
  }

  /**
   * Removes a user at the caller's wish: himself, or anybody with `users.manage`. What he told of himself is gone at once,
   * his sessions and memberships follow. Throws NOT_FOUND, FORBIDDEN, CONFLICT for the last Admin.
   */
  async remove(consequences: Consequences, id: string, caller: Identity, guard?: Guard): Promise<void> {
    await this.mayRemove(id, caller, guard);
    await this.takeOut(consequences, id, guard);
  }

  /** Removes a guest whose time is up, if he is still there and a guest. */
  async expire(consequences: Consequences, id: string): Promise<void> {
    const user = await this.directory.find(id);
    if (user?.roles.every(role => role === "Guest")) await this.takeOut(consequences, id);
  }

  /** Throws NOT_FOUND, FORBIDDEN. */
  async mayRemove(id: string, caller: Identity, guard?: Guard): Promise<void> {
    const user = await this.directory.get(id);
    if (caller.id !== id && !caller.permissions.includes("users.manage")) throw new RookeryError("FORBIDDEN");
    guard?.(user);
  }

  async isRemoved(id: string): Promise<boolean> {
    return isId(id) && (await this.users.get(id))?.removedAt !== undefined;
  }

  /**
   * Removes a user, if that is still to be done, and his name: what it was is kept as a digest, so that nobody gets it. Throws
   * CONFLICT for the last Admin.
   */
  async erase(consequences: Consequences, id: string): Promise<void> {
    if (await this.directory.find(id)) await this.takeOut(consequences, id);
    await this.users.update(id, user =>
      isErased(user)
        ? null
        : { ...user, username: `erased-${id.slice(-12)}`, usernameKey: erasedKey(user.usernameKey) },
    );
  }

  private async takeOut(consequences: Consequences, id: string, guard?: Guard): Promise<void> {
    const change = { user: id, kind: "removal", removedAt: timestamp(this.clock) } as const;
    await this.shutOut(consequences, change, known => this.removed(known, change.removedAt), guard);
  }

  /** He cannot come in any more, until he is activated. Throws NOT_FOUND, CONFLICT for the last Admin. */
  deactivate(consequences: Consequences, id: string, guard?: Guard): Promise<StoredUser> {
    const change = { user: id, kind: "deactivation", deactivatedAt: timestamp(this.clock) } as const;
    return this.shutOut(consequences, change, known => this.deactivated(known, change.deactivatedAt), guard);
  }

  private async shutOut(
    consequences: Consequences,
    change: AdminChange,
    to: (user: StoredUser) => StoredUser,
    guard?: Guard,
  ): Promise<StoredUser> {
    const user = await this.changeRoles(change.user, false, to, () => change, guard);
    await this.follow(consequences, user);
    return user;
  }

  activate(id: string, guard?: Guard): Promise<StoredUser> {
    return this.directory.change(id, ({ deactivatedAt: _, ...user }) => user, guard);
  }

  /**
   * Has a user hold, of the roles `managed`, those `held` and no others; who is left without any is a user. The last Admin
   * stays one. Throws NOT_FOUND.
   */
  async assignRoles(
    consequences: Consequences,
    id: string,
    managed: readonly Role[],
    held: readonly Role[],
  ): Promise<UserRecord> {
    const { roles } = await this.directory.get(id);
    const assigned = ROLES.filter(role => (managed.includes(role) ? held : roles).includes(role));
    const wanted: readonly Role[] = assigned.length > 0 ? assigned : ["User"];
    if (!sameRoles(roles, wanted))
      await this.update(consequences, id, {}, wanted).catch((error: unknown) => {
        if (!hasCode(error, "CONFLICT")) throw error;
      });
    return toRecord(await this.directory.get(id));
  }

  /** Removes a bot. Throws NOT_FOUND for anybody else. */
  async removeBot(consequences: Consequences, id: string, guard?: Guard): Promise<void> {
    if (!(await this.directory.get(id)).bot) throw new RookeryError("NOT_FOUND");
    await this.takeOut(consequences, id, guard);
  }

  /** Repeats, for a bounded number of users, what a crash or an absent service left undone. Returns how many it tried. */
  async resume(consequences: Consequences): Promise<number> {
    await this.admins.sweep(this.delayed);
    const where = { pending: { $in: [...RANKS, "admin"] } };
    const unfinished = await this.users.find({ where, limit: BATCH });
    const left = unfinished.filter(({ pendingSince = 0 }) => pendingSince <= this.clock.now() - UNDER_WAY);
    for (const user of left) await this.follow(consequences, user);
    return left.length;
  }

  /**
   * Changes a user by `to` if he is no Admin before and after, else by a change among the Admins. Which of the two is
   * decided anew on the record as it is stored.
   */
  private async changeRoles(
    id: string,
    becomesAdmin: boolean,
    to: (user: StoredUser) => StoredUser,
    inside: () => AdminChange,
    guard?: Guard,
  ): Promise<StoredUser> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (becomesAdmin || (await this.directory.get(id)).admin) return this.amongAdmins(inside(), guard);
      let wasAdmin = false;
      const user = await this.directory.change(id, known => {
        wasAdmin = known.admin === true;
        if (wasAdmin) return null;
        guard?.(known);
        return to(known);
      });
      if (!wasAdmin) return user;
    }
    throw new RookeryError("UNAVAILABLE");
  }

  private async amongAdmins(change: AdminChange, guard?: Guard): Promise<StoredUser> {
    await this.admins.decide(async () => {
      const user = await this.directory.get(change.user);
      guard?.(user);
      const stays = change.kind === "roles" && change.roles.includes("Admin");
      const counts = user.admin && user.deactivatedAt === undefined;
      if (counts && !stays && (await this.users.count({ where: { admin: true, deactivatedAt: null } })) < 2)
        throw new RookeryError("CONFLICT", "This is the last Admin.");
      return { changes: [change] };
    });
    return (await this.users.get(change.user)) as StoredUser;
  }

  private async carryOut(change: AdminChange, n: number): Promise<void> {
    await this.users.update(change.user, known => {
      if (known.removedAt !== undefined || (known.adminChange ?? 0) >= n) return null;
      if (change.kind === "removal") return this.removed(known, change.removedAt);
      if (change.kind === "deactivation") return { ...this.deactivated(known, change.deactivatedAt), adminChange: n };
      return { ...this.withRoles(known, change, change.roles), adminChange: n };
    });
  }

  private promote({ id, roles }: StoredUser): Promise<StoredUser> {
    return this.amongAdmins({ user: id, kind: "roles", roles: [...roles, "Admin"] });
  }

  private withRoles(known: StoredUser, profile: ProfileChange, roles: readonly Role[]): StoredUser {
    const next = { ...withoutRoles(withProfile(known, profile)), ...rolesOf(roles) };
    // Nobody has a token of an Admin who is just being made.
    if (known.pending === "admin") return withoutPending(next);
    return sameRoles(known.roles, next.roles) ? next : this.waiting(next, "roles");
  }

  private deactivated(user: StoredUser, deactivatedAt: string): StoredUser {
    return this.waiting({ ...user, deactivatedAt: user.deactivatedAt ?? deactivatedAt }, "deactivation");
  }

  /** Of a removed user only this is left. */
  private removed({ id, username, usernameKey, createdAt, pendingSince }: StoredUser, removedAt: string): StoredUser {
    const user = { id, username, usernameKey, roles: [], createdAt, removedAt };
    return this.waiting({ ...user, pendingSince }, "removal");
  }

  /** What was pending before follows with it, or is more than that. */
  private waiting(user: StoredUser, wanted: Pending): StoredUser {
    const known = user.pending ?? wanted;
    const pending = RANKS.indexOf(known) > RANKS.indexOf(wanted) ? known : wanted;
    return { ...user, pending, pendingSince: Math.max(this.clock.now(), (user.pendingSince ?? 0) + 1) };
  }

  /** The change is stored and stands; what follows from it is tried now and, if that fails, again by `resume`. */
  private async follow(consequences: Consequences, user: StoredUser): Promise<void> {
    const { id, pending, pendingSince } = user;
    if (!pending) return;
    try {
      if (pending === "admin") return void (await this.promote(user));
      if (pending === "roles") await consequences.rolesChanged(id);
      else if (pending === "deactivation") await consequences.deactivated(id);
      else await consequences.removed(id);
      await this.users.update(id, known =>
        known.pending === pending && known.pendingSince === pendingSince ? withoutPending(known) : null,
      );
    } catch (error) {
      this.delayed(error);
    }
  }
}
