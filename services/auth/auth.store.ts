import type { CollectionSpec } from "../../mixins/documents";
import type { Role } from "../core/permissions";

/** What auth keeps. Secrets only as digests and hashes. */

/** `id` is the user's. */
export interface Credentials {
  id: string;
  /** bcrypt. */
  hash: string;
  createdAt: string;
  /** Milliseconds since the epoch; set until the user is known to exist. */
  pendingSince?: number;
  /** Of the first admin: number of the attempt that set the password. */
  seeded?: number;
  /** Milliseconds since the epoch; set while sessions that began with the former password are still to be ended. */
  endingSince?: number;
  /** The one session that goes on then. */
  endingKeeps?: string;
  /** The invitation that a place was taken of: given back if the registration does not finish. */
  invitation?: string;
}

/** One sign-in on one device; `id` is the `sid` of its tokens. An ended session is not kept. */
export interface Session {
  id: string;
  userId: string;
  /** Digest of what all refresh tokens of this session share: tells an old one from an invented one. */
  familyDigest: string;
  refreshDigest: string;
  /** Tokens rotated a moment ago, oldest first; `at` in milliseconds since the epoch, like `expiresAt`. */
  retired?: { digest: string; at: number }[];
  expiresAt: number;
  createdAt: string;
  /** RFC 3339; absent until its tokens were exchanged for the first time. */
  lastUsedAt?: string;
  /** Of the client, as of then. */
  address?: string;
  userAgent?: string;
}

/** One line of the revocation log. */
export interface RevocationEntry {
  id: string;
  n: number;
  session?: string;
  user?: string;
  role?: Role;
  everybody?: true;
  banned?: true;
  /** Milliseconds since the epoch. */
  at: number;
}

/** The first admin: who he is, and whether his password has reached somebody. */
export interface Seed {
  id: string;
  userId: string;
  done: boolean;
  /** Which node is making him, and how many have begun to. */
  maker?: string;
  attempt?: number;
}

export const CREDENTIALS: CollectionSpec = {
  collection: "credentials",
  indexes: [
    { name: "pendingSince", fields: ["pendingSince"] },
    { name: "endingSince", fields: ["endingSince"] },
  ],
};

export const SESSIONS: CollectionSpec = {
  collection: "sessions",
  indexes: [
    { name: "user", fields: ["userId"] },
    { name: "expiresAt", fields: ["expiresAt"] },
  ],
};

export const REVOCATIONS: CollectionSpec = {
  collection: "revocations",
  indexes: [
    { name: "number", fields: ["n"], unique: true },
    { name: "at", fields: ["at"] },
  ],
};

export const SEEDS: CollectionSpec = { collection: "seeds" };
