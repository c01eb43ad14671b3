import { DuplicateKeyError, type Documents, type Where } from "../../mixins/documents";
import type { UserRecord } from "../core/contract";
import { RookeryError } from "../core/errors";
import { isId } from "../core/ids";
import type { Page } from "../core/model";
import { fileOf } from "./profile";
import { erasedKey, keyOf, toRecord, type StoredUser } from "./user";

/** Looks at a user as he is when he is changed; throws for whom the caller may not change. */
export type Guard = (user: StoredUser) => void;

/** One text for both, so that it does not tell which. */
const TAKEN = "The user name or e-mail is taken.";

/** Who there is, and by what names and addresses one knows them. */
export class Directory {
  constructor(private readonly users: Documents<StoredUser>) {}

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

  /** Another of the same name under the same id is he himself. Throws CONFLICT if name or e-mail is taken. */
  async insert(user: StoredUser): Promise<StoredUser> {
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

  /** Null for who is not there, or not any more. */
  async find(id: string): Promise<StoredUser | null> {
    const user = isId(id) ? await this.users.get(id) : null;
    return user && !user.removedAt ? user : null;
  }

  /** Null leaves him as he is. Throws NOT_FOUND. */
  async change(id: string, to: (user: StoredUser) => StoredUser | null, guard?: Guard): Promise<StoredUser> {
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
}
