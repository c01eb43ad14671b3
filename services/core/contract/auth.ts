import type { AuditType } from "../audit";
import type { PublicUser, Tokens } from "../model";
import type { Role } from "../permissions";
import type { AccessActions } from "./access";

export type SignedIn = Tokens & { user: PublicUser };

/** What auth needs of a user to make a token. */
export interface UserRecord {
  id: string;
  username: string;
  roles: Role[];
  /** His e-mail is still to be verified. */
  unverified?: true;
  /** A program; it signs in by tokens alone. */
  bot?: true;
}

/**
 * One line of auth's numbered log. A token is refused if its session is named, or its user, a role of his, or everybody, at a
 * number above the token's.
 */
export interface Revocation {
  n: number;
  session?: string;
  user?: string;
  role?: Role;
  everybody?: true;
}

/** A sign-in that has not ended; nothing of it can be used to sign in. */
export interface SessionFacts {
  id: string;
  user: string;
  createdAt: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

/** Who did what to whom, and whether he was let. Never a secret, never what a message says. */
export interface AuditEntry {
  type: AuditType;
  /** User; null where nobody is signed in. */
  actor: string | null;
  /** Id of what it was done to: user, room, session, token. */
  object?: string;
  /** Of the client. */
  address?: string;
  result: "ok" | "refused";
  detail?: Record<string, string | number | boolean>;
}

/** `at` is RFC 3339; an id is recorded once. */
export type AuditRecord = AuditEntry & { id: string; at: string };

export interface AuthActions extends AccessActions {
  "auth.register": { params: { username: string; email: string; password: string }; returns: SignedIn };
  "auth.login": { params: { username: string; password: string; code?: string }; returns: SignedIn };
  "auth.refresh": { params: { refreshToken: string }; returns: SignedIn };
  "auth.logout": { params: { refreshToken?: string }; returns: null };
  /** Ends every session of a user; `forget` also drops the credentials. */
  "auth.revoke": { params: { userId: string; forget?: boolean; keepSessions?: boolean }; returns: null };
  /** For operators: the sessions of a user, newest first. */
  "auth.sessions": { params: { user: string }; returns: SessionFacts[] };
  /** For operators: ends a session and refuses its tokens. Null: there is no such session. */
  "auth.endSession": { params: { session: string }; returns: SessionFacts | null };
  "auth.revocations": { params: { after: number }; returns: { head: number; items: Revocation[] } };
  /** Appends to the audit log; durable when it answers. At most 100. */
  "auth.record": { params: { records: AuditRecord[] }; returns: null };
}
