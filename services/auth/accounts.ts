import { DuplicateKeyError, StorageError, type Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { SignedIn, UserRecord } from "../core/contract";
import { hasCode, RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import type { Identity, PublicUser } from "../core/model";
import type { Role } from "../core/permissions";
import type { AccessTokens } from "../core/tokens";
import type { Credentials, Session } from "./auth.store";
import type { Passwords } from "./passwords";
import type { RevocationLog } from "./revocation-log";
import type { RoleTable } from "./role-table";
import type { SecondFactors } from "./second-factor";
import type { Sessions } from "./sessions";

/** What auth asks of the owner of users. One instance serves one request. */
export interface Users {
  /** Throws CONFLICT if name or e-mail is taken. */
  create(user: {
    id: string;
    username: string;
    email?: string;
    roles?: Role[];
    displayName?: string;
  }): Promise<UserRecord>;
  byLogin(login: string): Promise<UserRecord | null>;
  record(id: string): Promise<UserRecord | null>;
  /** The user as he sees himself. */
  profile(identity: Identity): Promise<PublicUser>;
}

export interface AccountParts {
  credentials: Documents<Credentials>;
  sessions: Sessions;
  revocations: RevocationLog;
  passwords: Passwords;
  tokens: AccessTokens;
  roles: Pick<RoleTable, "permissionsOf">;
  secondFactors: Pick<SecondFactors, "require">;
  /** Drops what else is kept of a user who is gone. May be repeated. */
  forget(userId: string): Promise<void>;
  clock: Clock;
}

/** Milliseconds after which a registration that did not finish is judged by whether its user exists. */
const PENDING = 60_000;
/** Registrations judged in one sweep. */
const BATCH = 100;

/** One text for an unknown user and a wrong password. */
const refused = (): RookeryError => new RookeryError("UNAUTHENTICATED", "User name or password is wrong.");
const ended = (): RookeryError => new RookeryError("UNAUTHENTICATED", "The refresh token is not valid.");

/** Who may sign in, and with which tokens they leave. */
export class Accounts {
  constructor(private readonly parts: AccountParts) {}

  /**
   * Credentials are stored first, under the new id; the user is the commit point. A name that is taken leaves nothing
   * behind; what a crash leaves between the two is found by `sweep`.
   */
  async register(users: Users, wanted: { username: string; email: string; password: string }): Promise<SignedIn> {
    const { credentials, passwords, clock, revocations } = this.parts;
    const revision = await revocations.current();
    const id = newId();
    const hash = await passwords.hash(wanted.password);
    await credentials.insert({ id, hash, createdAt: timestamp(clock), pendingSince: clock.now() });
    let user: UserRecord;
    try {
      user = await users.create({ id, username: wanted.username, email: wanted.email });
    } catch (error) {
      if (hasCode(error, "CONFLICT") || hasCode(error, "INVALID")) await credentials.remove(id);
      throw error;
    }
    await this.confirm(id);
    return this.signIn(users, user, revision);
  }

  /** By user name or e-mail. Wrong in any way: the same answer after the same work. */
  async login(users: Users, login: string, password: string, code?: string): Promise<SignedIn> {
    // Before anything else is read: what is revoked from here on also revokes the token made at the end.
    const revision = await this.parts.revocations.current();
    const user = await users.byLogin(login);
    const stored = await this.parts.credentials.get(user?.id ?? "");
    const fits = await this.parts.passwords.verify(password, stored?.hash ?? null);
    if (!fits || !user) throw refused();
    await this.parts.secondFactors.require(user.id, code);
    return this.signIn(users, user, revision);
  }

  /** The next pair of tokens, with the user's roles as they are now. */
  async refresh(users: Users, refreshToken: string): Promise<SignedIn> {
    const { sessions, revocations } = this.parts;
    const revision = await revocations.current();
    const session = await sessions.find(refreshToken);
    if (!session) throw ended();
    const user = await users.record(session.userId);
    if (!user) {
      await this.end(session.id);
      throw ended();
    }
    // All that can fail comes before the rotation: after it the client's token is spent.
    const identity = await this.identityOf(user, session.id);
    // The log has the session's end, its record is still there: whoever ended it did not come to remove it. What the log
    // says of the user does not matter here, only that the new token tells what was known.
    if (revocations.refuses({ identity, revision: Infinity })) {
      await sessions.end(session.id);
      throw ended();
    }
    const profile = await users.profile(identity);
    const rotation = await sessions.rotate(refreshToken);
    if (rotation.outcome === "reused") await this.end(session.id);
    if (rotation.outcome !== "rotated") throw ended();
    return this.answer(profile, identity, rotation.refreshToken, revision);
  }

  /** Ends the caller's session and the one of the refresh token. Silent on whether there was one. */
  async logout(caller: Identity | undefined, refreshToken: string | undefined): Promise<void> {
    if (!caller && refreshToken === undefined) throw new RookeryError("UNAUTHENTICATED");
    const session = refreshToken === undefined ? null : await this.parts.sessions.find(refreshToken);
    for (const id of new Set([caller?.sid, session?.id])) if (id) await this.end(id);
  }

  /** Refuses every access token the user has; unless `keepSessions`, none of his sessions gets another. */
  async revoke(userId: string, { forget = false, keepSessions = false }): Promise<void> {
    // The log comes first: a sign-in under way sees it there or is among the sessions removed after it.
    await this.parts.revocations.append({ user: userId });
    if (!keepSessions || forget) await this.parts.sessions.endAll(userId);
    if (!forget) return;
    await this.parts.credentials.remove(userId);
    await this.parts.forget(userId);
  }

  /** Sets the password of the first admin, unless a later attempt to make him did. Resolves to whether it is this one's. */
  async seedPassword(userId: string, password: string, attempt: number): Promise<boolean> {
    const { credentials, passwords, clock } = this.parts;
    const hash = await passwords.hash(password);
    const replace = () =>
      credentials.update(userId, known => ((known.seeded ?? 0) < attempt ? { ...known, hash, seeded: attempt } : null));
    let stored = await replace();
    if (!stored) {
      try {
        stored = await credentials.insert({ id: userId, hash, createdAt: timestamp(clock), seeded: attempt });
      } catch (error) {
        if (!(error instanceof DuplicateKeyError)) throw error;
        stored = await replace();
      }
    }
    return stored?.seeded === attempt;
  }

  /** Finishes or takes back registrations that a crash or a lost answer left half done. */
  async sweep(users: Pick<Users, "record">): Promise<void> {
    const { credentials, clock } = this.parts;
    const where = { pendingSince: { $lte: clock.now() - PENDING } };
    for (const { id } of await credentials.find({ where, limit: BATCH })) {
      if (await users.record(id)) await this.confirm(id);
      else await credentials.remove(id);
    }
  }

  private async confirm(id: string): Promise<void> {
    try {
      await this.parts.credentials.update(id, ({ pendingSince: _, ...rest }) => rest);
    } catch (error) {
      // The user exists; the mark only makes the sweep look once more.
      if (!(error instanceof StorageError)) throw error;
    }
  }

  /** The end of every way in. @param revision of the revocation log, read before anything else was */
  async signIn(users: Users, user: UserRecord, revision: number): Promise<SignedIn> {
    const { sessions, revocations } = this.parts;
    const session = await sessions.start(user.id);
    const identity = await this.identityOf(user, session.id);
    await revocations.current();
    if (revocations.refuses({ identity, revision })) {
      await sessions.end(session.id);
      throw new RookeryError("UNAVAILABLE", "The account was just changed.");
    }
    return this.answer(await users.profile(identity), identity, session.refreshToken, revision);
  }

  private answer(user: PublicUser, identity: Identity, refreshToken: string, revision: number): SignedIn {
    const { tokens } = this.parts;
    return { user, accessToken: tokens.sign(identity, revision), refreshToken, expiresIn: tokens.ttl };
  }

  /** Ends a session at an operator's wish, and gives what it was; null if there is none. */
  async endSession(id: string): Promise<Session | null> {
    const session = await this.parts.sessions.get(id);
    if (session) await this.end(session.id);
    return session;
  }

  private async end(session: string): Promise<void> {
    await this.parts.revocations.append({ session });
    await this.parts.sessions.end(session);
  }

  private async identityOf({ id, username, roles }: UserRecord, sid: string): Promise<Identity> {
    return { id, username, roles, permissions: await this.parts.roles.permissionsOf(roles), sid };
  }
}
