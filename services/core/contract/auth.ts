import type { AuditType } from "../audit";
import type { PublicUser, Tokens } from "../model";
import type { Role } from "../permissions";
import type { AccessActions } from "./access";

/** `secondFactor`: the tokens are good for nothing but to set one up. */
export type SignedIn = Tokens & { user: PublicUser; secondFactor?: "required" };

/** Who has registered; without tokens where he has to verify his e-mail first. */
export type Registered = SignedIn | { user: PublicUser; verification: "required" };

/** What auth needs of a user to make a token, and to write to him. */
export interface UserRecord {
  id: string;
  username: string;
  roles: Role[];
  email?: string;
  /** His e-mail is still to be verified. */
  unverified?: true;
  deactivated?: true;
  /** A program; it signs in by tokens alone. */
  bot?: true;
}

/** A sign-in as its owner sees it. `lastUsedAt`: when its tokens were made last. */
export interface OwnSession {
  id: string;
  createdAt: string;
  lastUsedAt: string;
  address?: string;
  userAgent?: string;
  current: boolean;
}

export interface ShownInvitation {
  id: string;
  /** Only who registers with this address may use it. */
  email?: string;
  roles: Role[];
  uses: number;
  used: number;
  createdBy: string;
  createdAt: string;
  expiresAt: string;
}

/** `invitation`: what `register` takes; told once. */
export type MadeInvitation = ShownInvitation & { invitation: string };

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
  /** The user is not to come back: no token would be made for him. */
  banned?: true;
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

/** What records are looked for by; times are RFC 3339, `before` is an id. */
export interface AuditQuery extends Partial<Pick<AuditEntry, "type" | "object" | "result">> {
  actor?: string;
  since?: string;
  until?: string;
  before?: string;
  limit?: number;
}

/** Newest first. `hasBefore`: there are older ones. */
export interface AuditPage {
  items: AuditRecord[];
  hasBefore: boolean;
}

export interface AuthActions extends AccessActions {
  "auth.register": {
    params: { username: string; email: string; password: string; invitation?: string };
    returns: Registered;
  };
  /** An account of one's own name, without a password, for a while. */
  "auth.guest": { params: { displayName?: string }; returns: SignedIn };
  "auth.login": { params: { username: string; password: string; code?: string }; returns: SignedIn };
  "auth.refresh": { params: { refreshToken: string }; returns: SignedIn };
  "auth.logout": { params: { refreshToken?: string }; returns: null };
  "auth.verify": { params: { token: string }; returns: null };
  /** These three answer the same whether there is such an account or not. */
  "auth.resendVerification": { params: { email: string }; returns: null };
  "auth.forgotPassword": { params: { email: string }; returns: null };
  "auth.forgotUsername": { params: { email: string }; returns: null };
  "auth.resetPassword": { params: { token: string; password: string; code?: string }; returns: null };
  "auth.changePassword": { params: { currentPassword: string; newPassword: string; code?: string }; returns: null };
  "auth.changeUsername": { params: { password: string; username: string; code?: string }; returns: PublicUser };
  "auth.changeEmail": { params: { password: string; email: string; code?: string }; returns: null };
  "auth.confirmEmail": { params: { token: string }; returns: null };
  "auth.cancelEmail": { params: { token: string }; returns: null };
  "auth.deactivate": { params: { password: string; code?: string }; returns: null };
  "auth.ownSessions": { params: Record<string, never>; returns: { items: OwnSession[] } };
  "auth.endOwn": { params: { id: string }; returns: null };
  /** All of the caller's sessions but the one he calls with. */
  "auth.endOthers": { params: Record<string, never>; returns: null };
  "auth.invite": {
    params: { email?: string; roles?: Role[]; expiresInDays?: number; uses?: number };
    returns: MadeInvitation;
  };
  "auth.invitations": { params: Record<string, never>; returns: { items: ShownInvitation[] } };
  "auth.withdrawInvitation": { params: { id: string }; returns: null };
  /**
   * Ends every session of a user; `forget` also drops the credentials and what else is kept of him, `banned` tells his clients
   * not to come back.
   */
  "auth.revoke": {
    params: { userId: string; forget?: boolean; keepSessions?: boolean; banned?: boolean };
    returns: null;
  };
  /** For operators: the sessions of a user, newest first. */
  "auth.sessions": { params: { user: string }; returns: SessionFacts[] };
  /** For operators: ends a session and refuses its tokens. Null: there is no such session. */
  "auth.endSession": { params: { session: string }; returns: SessionFacts | null };
  "auth.revocations": { params: { after: number }; returns: { head: number; items: Revocation[] } };
  /** Appends to the audit log; durable when it answers. At most 100. */
  "auth.record": { params: { records: AuditRecord[] }; returns: null };
  "auth.audit": { params: AuditQuery; returns: AuditPage };
  /** For operators: the same. */
  "auth.auditTrail": { params: AuditQuery; returns: AuditPage };
}
