import { DuplicateKeyError, type CollectionSpec, type Documents, type Where } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { UserRecord } from "../core/contract";
import { RookeryError } from "../core/errors";
import { isId } from "../core/ids";
import type { Identity, Page } from "../core/model";
import { ROLES, type Role } from "../core/permissions";

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
  roles: Role[];
  /** Set for holders of the role Admin, so that they can be counted. */
  admin?: true;
  createdAt: string;
  removedAt?: string;
  /** What other services have still to be told. */
  pending?: Pending;
}

/** A change of roles: tokens must be renewed. A removal: rooms must be left, sessions ended. */
export type Pending = "roles" | "removal";

export const USERS: CollectionSpec = {
  collection: "users",
  indexes: [
    { name: "username", fields: ["usernameKey"], unique: true },
    { name: "email", fields: ["emailKey"], unique: true },
    { name: "admin", fields: ["admin"] },
    { name: "pending", fields: ["pending"] },
  ],
};

/** What must follow a change of roles or a removal in other services. May be repeated; one instance serves one request. */
export interface Consequences {
  rolesChanged(userId: string): Promise<void>;
  removed(userId: string): Promise<void>;
}

export interface ProfileChange {
  displayName?: string | null;
  avatarUrl?: string | null;
}

/** One text for both, so that it does not tell which. */
const TAKEN = "The user name or e-mail is taken.";
/** Users whose consequences are repeated in one go. */
const BATCH = 100;

/** Who there is. Rules of names, roles and removal. */
export class Directory {
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly users: Documents<StoredUser>,
    private readonly clock: Clock,
    /** Told why consequences have to wait. */
    private readonly delayed: (error: unknown) => void,
  ) {}

  /** Makes a user; the same again under the same id is harmless. Throws CONFLICT if name or e-mail is taken. */
  async create(wanted: { id: string; username: string; email: string; roles?: Role[] }): Promise<UserRecord> {
    const email = wanted.email.trim();
    const user: StoredUser = {
      id: wanted.id,
      username: wanted.username,
      usernameKey: keyOf(wanted.username),
      email,
      emailKey: keyOf(email),
      ...rolesOf(wanted.roles ?? ["User"]),
      createdAt: timestamp(this.clock),
    };
    try {
      return toRecord(await this.users.insert(user));
    } catch (error) {
      if (!(error instanceof DuplicateKeyError)) throw error;
      const known = await this.find(wanted.id);
      if (known && known.usernameKey === user.usernameKey && known.emailKey === user.emailKey) return toRecord(known);
      throw new RookeryError("CONFLICT", TAKEN);
    }
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

  /** Throws NOT_FOUND. */
  async get(id: string): Promise<StoredUser> {
    const user = await this.find(id);
    if (!user) throw new RookeryError("NOT_FOUND");
    return user;
  }

  /** Those of the ids that are users, in the order given. */
  async names(ids: readonly string[]): Promise<{ id: string; username: string }[]> {
    const users = await this.users.getMany([...new Set(ids.filter(isId))]);
    return users.filter(user => !user.removedAt).map(({ id, username }) => ({ id, username }));
  }

  async byUsernames(usernames: readonly string[]): Promise<{ id: string; username: string }[]> {
    const where = { usernameKey: { $in: [...new Set(usernames.map(keyOf))] }, removedAt: null };
    return (await this.users.find({ where })).map(({ id, username }) => ({ id, username }));
  }

  /** Sorted by user name; `search` is part of a user name or display name, ignoring case. */
  async list(
    search: string | undefined,
    { page, pageSize }: { page: number; pageSize: number },
  ): Promise<Page<StoredUser>> {
    const where: Where<StoredUser> = { removedAt: null };
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
  ): Promise<StoredUser> {
    if (!roles) return this.change(id, user => withProfile(user, profile));
    const user = await this.inTurn(async () => {
      if (!roles.includes("Admin")) await this.keepAnAdmin(id);
      return this.change(id, known => {
        const next = { ...withoutRoles(withProfile(known, profile)), ...rolesOf(roles) };
        return sameRoles(known.roles, next.roles) ? next : { ...next, pending: "roles" };
      });
    });
    await this.follow(consequences, user);
    return user;
  }

  /**
   * Removes a user at the caller's wish: himself, or anybody with `users.manage`. What he told of himself is gone at once,
   * his sessions and memberships follow. Throws NOT_FOUND, FORBIDDEN, CONFLICT for the last Admin.
   */
  async remove(consequences: Consequences, id: string, caller: Identity): Promise<void> {
    await this.get(id);
    if (caller.id !== id && !caller.permissions.includes("users.manage")) throw new RookeryError("FORBIDDEN");
    const user = await this.inTurn(async () => {
      await this.keepAnAdmin(id);
      return this.change(id, ({ username, usernameKey, createdAt }) => ({
        id,
        username,
        usernameKey,
        roles: [],
        createdAt,
        removedAt: timestamp(this.clock),
        pending: "removal",
      }));
    });
    await this.follow(consequences, user);
  }

  /** Repeats, for a bounded number of users, what a crash or an absent service left undone. Returns how many it tried. */
  async resume(consequences: Consequences): Promise<number> {
    const unfinished = await this.users.find({ where: { pending: { $in: ["roles", "removal"] } }, limit: BATCH });
    for (const user of unfinished) await this.follow(consequences, user);
    return unfinished.length;
  }

  private async find(id: string): Promise<StoredUser | null> {
    const user = isId(id) ? await this.users.get(id) : null;
    return user && !user.removedAt ? user : null;
  }

  private async change(id: string, to: (user: StoredUser) => StoredUser): Promise<StoredUser> {
    if (!isId(id)) throw new RookeryError("NOT_FOUND");
    let gone = false;
    const user = await this.users.update(id, known => {
      gone = known.removedAt !== undefined;
      return gone ? null : to(known);
    });
    if (!user || gone) throw new RookeryError("NOT_FOUND");
    return user;
  }

  /** The change is stored and stands; what follows from it is tried now and, if that fails, again by `resume`. */
  private async follow(consequences: Consequences, { id, pending }: StoredUser): Promise<void> {
    if (!pending) return;
    try {
      if (pending === "roles") await consequences.rolesChanged(id);
      else await consequences.removed(id);
      await this.users.update(id, user => (user.pending === pending ? withoutPending(user) : null));
    } catch (error) {
      this.delayed(error);
    }
  }

  private async keepAnAdmin(id: string): Promise<void> {
    const user = await this.find(id);
    if (!user?.admin) return;
    if ((await this.users.count({ where: { admin: true } })) < 2)
      throw new RookeryError("CONFLICT", "This is the last Admin.");
  }

  /** Changes that may take the last Admin away wait for each other: two admins could otherwise demote one another. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.turn.then(work);
    this.turn = turn.catch(() => undefined);
    return turn;
  }
}

const keyOf = (text: string): string => text.toLowerCase();

const toRecord = ({ id, username, roles }: StoredUser): UserRecord => ({ id, username, roles });

/** In the order of the table, each once. */
function rolesOf(roles: readonly Role[]): Pick<StoredUser, "roles" | "admin"> {
  return { roles: ROLES.filter(role => roles.includes(role)), ...(roles.includes("Admin") && { admin: true }) };
}

const sameRoles = (a: readonly Role[], b: readonly Role[]): boolean => a.join() === b.join();

const withoutRoles = ({ admin: _, ...user }: StoredUser): StoredUser => user;
const withoutPending = ({ pending: _, ...user }: StoredUser): StoredUser => user;

function withProfile(user: StoredUser, { displayName, avatarUrl }: ProfileChange): StoredUser {
  return {
    ...user,
    ...(displayName !== undefined && { displayName: displayName ?? undefined }),
    ...(avatarUrl !== undefined && { avatarUrl: avatarUrl ?? undefined }),
  };
}
