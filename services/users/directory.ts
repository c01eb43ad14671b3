import { DuplicateKeyError, type CollectionSpec, type Documents, type Where } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { NewUser, ProfileChange, UserRecord } from "../core/contract";
import { hasCode, RookeryError } from "../core/errors";
import { digest, isId } from "../core/ids";
import type { Identity, Page } from "../core/model";
import { ROLES, type Role } from "../core/permissions";
import { fileOf } from "./profile";
import { Admins, type AdminChange, type AdminStage } from "./admins";

/** A user as stored. Of a removed one only id, name and times are left: the name is never given to somebody else. */
export interface StoredUser {
  id: string;
  username: string;
  /** In lower case; unique. */
  usernameKey: string;
  email?: string;
  /** In lower case; unique. */
  emailKey?: string;
  displayName?: string;
  avatarUrl?: string;
  bio?: string;
  pronouns?: string;
  /** Who finds him by search; everybody without it. */
  audience?: string;
  /** Number of the change of his preferences that made it so. */
  audienceChange?: number;
  roles: Role[];
  /** A program. */
  bot?: true;
  /** Set for holders of the role Admin, so that they can be counted. */
  admin?: true;
  /** Number of the last change among the Admins that this record has seen. */
  adminChange?: number;
  createdAt: string;
  removedAt?: string;
  /** Set while he cannot come in. */
  deactivatedAt?: string;
  /** He has still to show that his e-mail is his. */
  unverified?: true;
  /** What other services have still to be told. */
  pending?: Pending;
  /** Milliseconds since the epoch; tells one pending change from the next of the same kind. */
  pendingSince?: number;
}

/**
 * What a change still needs. Of roles: tokens must be renewed. A deactivation: sessions ended. A removal: that, and rooms must
 * be left. Each does what those before it do, too. Someone made as Admin becomes one in a second step, among the Admins.
 */
export type Pending = "roles" | "deactivation" | "removal" | "admin";
const RANKS: readonly Pending[] = ["roles", "deactivation", "removal"];

export const USERS: CollectionSpec = {
  collection: "users",
  indexes: [
    { name: "username", fields: ["usernameKey"], unique: true },
    { name: "email", fields: ["emailKey"], unique: true },
    { name: "admin", fields: ["admin"] },
    { name: "bot", fields: ["bot", "usernameKey"] },
    { name: "pending", fields: ["pending"] },
  ],
};

/** What must follow a change of roles or a removal in other services. May be repeated; one instance serves one request. */
export interface Consequences {
  rolesChanged(userId: string): Promise<void>;
  deactivated(userId: string): Promise<void>;
  removed(userId: string): Promise<void>;
}

/** Looks at a user as he is when he is changed; throws for whom the caller may not change. */
export type Guard = (user: StoredUser) => void;

/** One text for both, so that it does not tell which. */
const TAKEN = "The user name or e-mail is taken.";
/** Users whose consequences are repeated in one go. */
const BATCH = 100;
/** Milliseconds for which a change counts as being followed up by the node that made it. */
const UNDER_WAY = 3_000;
/** Times a change is made anew because the user became an Admin or ceased to be one meanwhile. */
const ATTEMPTS = 8;

/** Who there is. Rules of names, roles and removal. */
export class Directory {
  private readonly admins: Admins;

  constructor(
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
    const stored = await this.insert(made).catch((error: unknown) => {
      if (!wanted.unverified || !hasCode(error, "CONFLICT")) throw error;
      const { emailKey: _, ...without } = made;
      return this.insert(without);
    });
    return toRecord(stored.pending === "admin" ? await this.promote(stored) : stored);
  }

  /** By user name or e-mail, ignoring case. A user name has no "@", so the two never meet. */
  async byLogin(login: string): Promise<UserRecord | null> {
    const key = keyOf(login.trim());
    const user = await this.users.findOne(key.includes("@") ? { emailKey: key } : { usernameKey: key });
    return user && !user.removedAt ? toRecord(user) : null;
  }

  async record(id: string): Promise<UserRecord | null> {
    const user = await this.find(id);
    return user && toRecord(user);
  }

  /** Whether the picture of a user is this file. */
  async shows(id: string, file: string): Promise<boolean> {
    return fileOf((await this.find(id))?.avatarUrl) === file;
  }

  /** Throws NOT_FOUND. */
  async get(id: string): Promise<StoredUser> {
    const user = await this.find(id);
    if (!user) throw new RookeryError("NOT_FOUND");
    return user;
  }

  /** Those of the ids that are users, in the order given. */
  async names(ids: readonly string[], active = false): Promise<{ id: string; username: string }[]> {
    const users = await this.users.getMany([...new Set(ids.filter(isId))]);
    const there = users.filter(user => !user.removedAt && !(active && user.deactivatedAt !== undefined));
    return there.map(({ id, username }) => ({ id, username }));
  }

  async emails(ids: readonly string[]): Promise<{ id: string; email: string }[]> {
    const users = await this.users.getMany([...new Set(ids.filter(isId))]);
    return users.flatMap(({ id, email, removedAt }) => (email === undefined || removedAt ? [] : { id, email }));
  }

  async byUsernames(usernames: readonly string[]): Promise<{ id: string; username: string }[]> {
    const where = { usernameKey: { $in: [...new Set(usernames.map(keyOf))] }, removedAt: null };
    return (await this.users.find({ where })).map(({ id, username }) => ({ id, username }));
  }

  /** In order of user name. */
  async startingWith(prefix: string, limit: number): Promise<{ id: string; username: string }[]> {
    const where = { usernameKey: { $prefix: keyOf(prefix) }, removedAt: null };
    return (await this.users.find({ where, sort: "usernameKey", limit })).map(({ id, username }) => ({ id, username }));
  }

  /** Those of the ids that are users, in the order given. */
  async many(ids: readonly string[]): Promise<StoredUser[]> {
    return (await this.users.getMany(ids)).filter(user => !user.removedAt);
  }

  /** Who finds a user from now on, unless a later change has said so; null: everybody. */
  async setAudience(id: string, audience: string | null, n: number): Promise<void> {
    await this.users.update(id, known => {
      if (known.removedAt || (known.audienceChange ?? 0) >= n) return null;
      return { ...known, audience: audience ?? undefined, audienceChange: n };
    });
  }

  /**
   * Sorted by user name; `search` is part of a user name or display name, ignoring case.
   * @param sight whom the viewer finds; null: everybody
   */
  async list(
    search: string | undefined,
    { page, pageSize }: { page: number; pageSize: number },
    sight: { audiences: (string | null)[]; without: string[] } | null,
    only: Where<StoredUser> = {},
  ): Promise<Page<StoredUser>> {
    const where: Where<StoredUser> = {
      removedAt: null,
      ...(sight && { audience: { $in: sight.audiences } }),
      ...(sight && sight.without.length > 0 && { id: { $nin: sight.without } }),
      ...only,
    };
    const text = search?.trim();
    const what = { where, ...(text && { search: { text, fields: ["username", "displayName"] as const } }) };
    const offset = Math.min((page - 1) * pageSize, Number.MAX_SAFE_INTEGER);
    const [items, total] = await Promise.all([
      this.users.find({ ...what, sort: "usernameKey", limit: pageSize, offset }),
      this.users.count(what),
    ]);
    return { items, page, pageSize, total };
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
    if (!roles) return this.change(id, user => withProfile(user, profile), guard);
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
    const user = await this.find(id);
    if (user?.roles.every(role => role === "Guest")) await this.takeOut(consequences, id);
  }

  /** Throws NOT_FOUND, FORBIDDEN. */
  async mayRemove(id: string, caller: Identity, guard?: Guard): Promise<void> {
    const user = await this.get(id);
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
    if (await this.find(id)) await this.takeOut(consequences, id);
    await this.users.update(id, user =>
      user.usernameKey.startsWith(ERASED)
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
    return this.change(id, ({ deactivatedAt: _, ...user }) => user, guard);
  }

  /** He has shown that the address is his; he may have another by now. */
  async verified(id: string, email: string): Promise<void> {
    await this.change(id, user => {
      const { unverified, ...rest } = user;
      return unverified && user.emailKey === keyOf(email) ? rest : null;
    });
  }

  /** Throws CONFLICT if somebody has it. */
  async setEmail(id: string, given: string): Promise<void> {
    const email = given.trim();
    await this.unlessTaken(() =>
      this.change(id, ({ unverified: _, ...user }) => ({ ...user, email, emailKey: keyOf(email) })),
    );
  }

  /** Throws CONFLICT if somebody has it. */
  async setUsername(id: string, username: string): Promise<UserRecord> {
    const usernameKey = keyOf(username);
    await this.refuseErased(usernameKey);
    const { username: former } = await this.get(id);
    const rename = (name: string) =>
      this.unlessTaken(() => this.change(id, user => ({ ...user, username: name, usernameKey: keyOf(name) })));
    const user = await rename(username);
    await this.refuseErased(usernameKey, () => rename(former));
    return toRecord(user);
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
    const { roles } = await this.get(id);
    const assigned = ROLES.filter(role => (managed.includes(role) ? held : roles).includes(role));
    const wanted: readonly Role[] = assigned.length > 0 ? assigned : ["User"];
    if (!sameRoles(roles, wanted))
      await this.update(consequences, id, {}, wanted).catch((error: unknown) => {
        if (!hasCode(error, "CONFLICT")) throw error;
      });
    return toRecord(await this.get(id));
  }

  /** Removes a bot. Throws NOT_FOUND for anybody else. */
  async removeBot(consequences: Consequences, id: string, guard?: Guard): Promise<void> {
    if (!(await this.get(id)).bot) throw new RookeryError("NOT_FOUND");
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

  private async insert(user: StoredUser): Promise<StoredUser> {
    await this.refuseErased(user.usernameKey);
    try {
      const made = await this.users.insert(user);
      await this.refuseErased(user.usernameKey, () => this.users.remove(user.id));
      return made;
    } catch (error) {
      if (!(error instanceof DuplicateKeyError)) throw error;
      const known = await this.find(user.id);
      if (known && known.usernameKey === user.usernameKey && known.emailKey === user.emailKey) return known;
      throw new RookeryError("CONFLICT", TAKEN);
    }
  }

  /** @param undo where the name is had already: an erasure gives it free after it was looked for, and before it is taken */
  private async refuseErased(usernameKey: string, undo?: () => Promise<unknown>): Promise<void> {
    if (!(await this.users.findOne({ usernameKey: erasedKey(usernameKey) }))) return;
    await undo?.();
    throw new RookeryError("CONFLICT", TAKEN);
  }

  private async unlessTaken<T>(change: () => Promise<T>): Promise<T> {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof DuplicateKeyError)) throw error;
      throw new RookeryError("CONFLICT", TAKEN);
    }
  }

  private async find(id: string): Promise<StoredUser | null> {
    const user = isId(id) ? await this.users.get(id) : null;
    return user && !user.removedAt ? user : null;
  }

  private async change(id: string, to: (user: StoredUser) => StoredUser | null, guard?: Guard): Promise<StoredUser> {
    if (!isId(id)) throw new RookeryError("NOT_FOUND");
    let gone = false;
    const user = await this.users.update(id, known => {
      gone = known.removedAt !== undefined;
      if (gone) return null;
      guard?.(known);
      return to(known);
    });
    if (!user || gone) throw new RookeryError("NOT_FOUND");
    return user;
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
      if (becomesAdmin || (await this.get(id)).admin) return this.amongAdmins(inside(), guard);
      let wasAdmin = false;
      const user = await this.change(id, known => {
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
      const user = await this.get(change.user);
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

/** No user name has a colon. */
const ERASED = "erased:";
const erasedKey = (key: string): string => ERASED + digest(key);

const keyOf = (text: string): string => text.toLowerCase();

const toRecord = ({ id, username, roles, email, unverified, deactivatedAt, bot }: StoredUser): UserRecord => ({
  id,
  username,
  roles,
  ...(email !== undefined && { email }),
  ...(unverified && { unverified }),
  ...(deactivatedAt !== undefined && { deactivated: true as const }),
  ...(bot && { bot }),
});

/** In the order of the table, each once. */
function rolesOf(roles: readonly Role[]): Pick<StoredUser, "roles" | "admin"> {
  return { roles: ROLES.filter(role => roles.includes(role)), ...(roles.includes("Admin") && { admin: true }) };
}

const sameRoles = (a: readonly Role[], b: readonly Role[]): boolean => a.join() === b.join();

const withoutRoles = ({ admin: _, ...user }: StoredUser): StoredUser => user;
const withoutPending = ({ pending: _, ...user }: StoredUser): StoredUser => user;

function withProfile(user: StoredUser, { displayName, avatarUrl, bio, pronouns }: ProfileChange): StoredUser {
  return {
    ...user,
    ...(displayName !== undefined && { displayName: displayName ?? undefined }),
    ...(avatarUrl !== undefined && { avatarUrl: avatarUrl ?? undefined }),
    ...(bio !== undefined && { bio: bio ?? undefined }),
    ...(pronouns !== undefined && { pronouns: pronouns ?? undefined }),
  };
}
