import type { CollectionSpec } from "../../mixins/documents";
import type { ProfileChange, UserRecord } from "../core/contract";
import { digest } from "../core/ids";
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
/** The later the more. */
export const RANKS: readonly Pending[] = ["roles", "deactivation", "removal"];

/** Parameter rule: roles that a user is to have. */
export const roleRules = {
  type: "array",
  items: { type: "enum", values: [...ROLES] },
  min: 1,
  max: ROLES.length,
  unique: true,
} as const;

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

/** No user name has a colon. */
const ERASED = "erased:";
/** Whether the name was taken from him, and is kept as a digest. */
export const isErased = ({ usernameKey }: StoredUser): boolean => usernameKey.startsWith(ERASED);
/** What is kept of a name that nobody may have again. */
export const erasedKey = (key: string): string => ERASED + digest(key);

export const keyOf = (text: string): string => text.toLowerCase();

export const toRecord = ({ id, username, roles, email, unverified, deactivatedAt, bot }: StoredUser): UserRecord => ({
  id,
  username,
  roles,
  ...(email !== undefined && { email }),
  ...(unverified && { unverified }),
  ...(deactivatedAt !== undefined && { deactivated: true as const }),
  ...(bot && { bot }),
});

/** In the order of the table, each once. */
export function rolesOf(roles: readonly Role[]): Pick<StoredUser, "roles" | "admin"> {
  return { roles: ROLES.filter(role => roles.includes(role)), ...(roles.includes("Admin") && { admin: true }) };
}

export const sameRoles = (a: readonly Role[], b: readonly Role[]): boolean => a.join() === b.join();

export const withoutRoles = ({ admin: _, ...user }: StoredUser): StoredUser => user;
export const withoutPending = ({ pending: _, ...user }: StoredUser): StoredUser => user;

export function withProfile(user: StoredUser, { displayName, avatarUrl, bio, pronouns }: ProfileChange): StoredUser {
  return {
    ...user,
    ...(displayName !== undefined && { displayName: displayName ?? undefined }),
    ...(avatarUrl !== undefined && { avatarUrl: avatarUrl ?? undefined }),
    ...(bio !== undefined && { bio: bio ?? undefined }),
    ...(pronouns !== undefined && { pronouns: pronouns ?? undefined }),
  };
}
