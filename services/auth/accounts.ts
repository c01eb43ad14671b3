import { StorageError, upsert, type Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { AuditNote } from "../core/audit";
import type { NewUser, Registered, SignedIn, UserRecord } from "../core/contract";
import { hasCode, RookeryError, type ErrorCode } from "../core/errors";
import { newId } from "../core/ids";
import type { Identity, PublicUser } from "../core/model";
import { ENROLMENT, isEnrolling } from "../core/scopes";
import type { AccessTokens } from "../core/tokens";
import type { Admission } from "./admission";
import type { Credentials, Session } from "./auth.store";
import type { Passwords } from "./passwords";
import type { Applicant, Registration } from "./registration";
import type { RevocationLog } from "./revocation-log";
import type { RoleTable } from "./role-table";
import { wrongCode, type SecondFactors } from "./second-factor";
import type { SecondFactorDuty } from "./second-factor-duty";
import type { SessionClient, Sessions } from "./sessions";
import type { SignInDelay } from "./sign-in-delay";

/** What auth asks of the owner of users. One instance serves one request. */
export interface Users {
  /** Throws CONFLICT if name or e-mail is taken. */
  create(user: NewUser): Promise<UserRecord>;
  byLogin(login: string): Promise<UserRecord | null>;
  record(id: string): Promise<UserRecord | null>;
  /** The user as he sees himself. */
  profile(identity: Identity): Promise<PublicUser>;
  /** Records what is done in this request. Never rejects. */
  audit(entry: AuditNote): Promise<void>;
}

export interface AccountParts {
  credentials: Documents<Credentials>;
  sessions: Sessions;
  revocations: RevocationLog;
  passwords: Passwords;
  tokens: AccessTokens;
  admission: Admission;
  registration: Registration;
  roles: Pick<RoleTable, "permissionsOf">;
  secondFactors: Pick<SecondFactors, "require">;
  duty: Pick<SecondFactorDuty, "isDue">;
  /** Drops what else is kept of a user who is gone. May be repeated. */
  forget(userId: string): Promise<void>;
  clock: Clock;
  delay: Pick<SignInDelay, "begin">;
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
  async register(users: Users, wanted: Applicant, client?: SessionClient): Promise<Registered> {
    const { credentials, passwords, clock, revocations, registration } = this.parts;
    registration.check(wanted);
    const revision = await revocations.current();
    const id = newId();
    const hash = await passwords.hash(wanted.password);
    const { username, email } = wanted;
    // Known before a place is taken, so that the sweep can give it back.
    const invitation = wanted.invitation?.split(".", 1)[0];
    const pending = { pendingSince: clock.now(), ...(invitation !== undefined && { invitation }) };
    await credentials.insert({ id, hash, createdAt: timestamp(clock), ...pending });
    let user: UserRecord;
    try {
      const { roles } = await registration.admit(users, id, wanted);
      const unverified = registration.verifies || undefined;
      user = await users.create({ id, username, email, roles, unverified });
    } catch (error) {
      if (["CONFLICT", "INVALID", "FORBIDDEN"].some(code => hasCode(error, code as ErrorCode))) {
        await registration.takeBack(id, invitation);
        await credentials.remove(id);
      }
      throw error;
    }
    if (registration.verifies) await registration.askForVerification(id, email);
    await this.confirm(id);
    await users.audit({ type: "account.register", actor: id, object: id, result: "ok" });
    if (!user.unverified) return this.signIn(users, user, revision, client);
    return { user: await users.profile(await this.identityOf(user, "")), verification: "required" };
  }

  /** By user name or e-mail. Wrong in any way: the same answer after the same work. */
  async login(users: Users, login: string, password: string, code?: string, client?: SessionClient): Promise<SignedIn> {
    // Before anything else is read: what is revoked from here on also revokes the token made at the end.
    const revision = await this.parts.revocations.current();
    const found = await users.byLogin(login);
    // An address that nobody has shown to be his is no name: of those who register with one, some cannot have it.
    const unproven = this.parts.registration.verifies && found?.unverified && login.includes("@");
    const user = unproven ? null : found;
    const succeeded = await this.parts.delay.begin(login, user?.id, client?.address ?? "");
    const stored = await this.parts.credentials.get(user?.id ?? "");
    const fits = await this.parts.passwords.verify(password, stored?.hash ?? null);
    if (!fits || !stored || !user) {
      // Never what was typed as a name: people type passwords there.
      await users.audit({ type: "login", actor: null, ...(user && { object: user.id }), result: "refused" });
      throw refused();
    }
    await this.parts.secondFactors.require(user.id, code, () => users.audit(wrongCode("login", user.id)));
    await succeeded();
    const signedIn = await this.signIn(users, user, revision, client);
    // A password that was changed meanwhile has ended the sessions there were, and not this one.
    const now = (await this.parts.credentials.get(user.id))?.hash ?? null;
    if (now !== stored.hash && !(await this.parts.passwords.verify(password, now))) {
      await this.end(this.parts.tokens.verify(signedIn.accessToken).identity.sid);
      throw refused();
    }
    if (this.parts.passwords.isOutdated(stored.hash)) await this.rehash(user.id, password, stored.hash);
    await users.audit({ type: "login", actor: user.id, object: user.id, result: "ok" });
    return signedIn;
  }

  /** The next pair of tokens, with the user's roles as they are now. */
  async refresh(users: Users, refreshToken: string, client?: SessionClient): Promise<SignedIn> {
    const { sessions, revocations, admission } = this.parts;
    const revision = await revocations.current();
    const session = await sessions.find(refreshToken);
    if (!session) throw ended();
    const user = await users.record(session.userId);
    if (!user) {
      await this.end(session.id);
      throw ended();
    }
    admission.check(user);
    // All that can fail comes before the rotation: after it the client's token is spent.
    const identity = await this.identityOf(user, session.id);
    // The log has the session's end, its record is still there: whoever ended it did not come to remove it. What the log
    // says of the user does not matter here, only that the new token tells what was known.
    if (revocations.refuses({ identity, revision: Infinity })) {
      await sessions.end(session.id);
      throw ended();
    }
    const profile = await users.profile(identity);
    const rotation = await sessions.rotate(refreshToken, client);
    if (rotation.outcome === "reused") {
      await this.end(session.id);
      await users.audit({ type: "token.reuse", actor: user.id, object: session.id, result: "refused" });
    }
    if (rotation.outcome !== "rotated") throw ended();
    return this.answer(profile, identity, rotation.refreshToken, revision);
  }

  /** Ends the caller's session and the one of the refresh token. Silent on whether there was one. */
  async logout(
    users: Pick<Users, "audit">,
    caller: Identity | undefined,
    refreshToken: string | undefined,
  ): Promise<void> {
    if (!caller && refreshToken === undefined) throw new RookeryError("UNAUTHENTICATED");
    const session = refreshToken === undefined ? null : await this.parts.sessions.find(refreshToken);
    for (const id of new Set([caller?.sid, session?.id])) {
      if (!id) continue;
      await this.end(id);
      const actor = id === session?.id ? session.userId : (caller?.id ?? null);
      await users.audit({ type: "logout", actor, object: id, result: "ok" });
    }
  }

  /** Refuses every access token the user has; unless `keepSessions`, none of his sessions gets another. */
  async revoke(userId: string, { forget = false, keepSessions = false, banned = false }): Promise<void> {
    // The log comes first: a sign-in under way sees it there or is among the sessions removed after it.
    await this.parts.revocations.append({ user: userId, ...(banned && { banned }) });
    if (!keepSessions || forget) await this.parts.sessions.endAll(userId);
    if (!forget) return;
    await this.parts.registration.forget((await this.parts.credentials.get(userId))?.invitation);
    await this.parts.credentials.remove(userId);
    await this.parts.forget(userId);
  }

  /** Sets the password of the first admin, unless a later attempt to make him did. Resolves to whether it is this one's. */
  async seedPassword(userId: string, password: string, attempt: number): Promise<boolean> {
    const { credentials, passwords, clock } = this.parts;
    const hash = await passwords.hash(password);
    const made = { id: userId, hash, createdAt: timestamp(clock), seeded: attempt };
    const stored = await upsert(credentials, made, known =>
      (known.seeded ?? 0) < attempt ? { ...known, hash, seeded: attempt } : null,
    );
    return stored?.seeded === attempt;
  }

  /** Finishes or takes back registrations that a crash or a lost answer left half done. */
  async sweep(users: Pick<Users, "record">): Promise<void> {
    const { credentials, clock, registration } = this.parts;
    const where = { pendingSince: { $lte: clock.now() - PENDING } };
    for (const { id, invitation } of await credentials.find({ where, limit: BATCH })) {
      const user = await users.record(id);
      if (user?.unverified && user.email) await registration.askForVerification(id, user.email);
      if (user) await this.confirm(id);
      else {
        await registration.takeBack(id, invitation);
        await credentials.remove(id);
      }
    }
  }

  /** The cost was changed: what unknown users are compared with has the new one, and would tell them from this one. */
  private async rehash(id: string, password: string, known: string): Promise<void> {
    const { credentials, passwords } = this.parts;
    try {
      const hash = await passwords.hash(password);
      await credentials.update(id, stored => (stored.hash === known ? { ...stored, hash } : null));
    } catch (error) {
      // He is in; the next time will do.
      if (!(error instanceof StorageError) && !hasCode(error, "UNAVAILABLE")) throw error;
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

  /**
   * Signs in somebody who has proved who he is, by whatever door.
   * @param revision of the revocation log, from before anything was read of him
   */
  async signIn(users: Users, user: UserRecord, revision: number, client?: SessionClient): Promise<SignedIn> {
    const { sessions, revocations, admission } = this.parts;
    if (!admission.admits(user)) {
      await users.audit({
        type: "login",
        actor: null,
        object: user.id,
        result: "refused",
        detail: { admitted: false },
      });
      admission.check(user);
    }
    const session = await sessions.start(user.id, client);
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
    const secondFactor = isEnrolling(identity) && { secondFactor: "required" as const };
    const accessToken = tokens.sign(identity, revision);
    return { user, accessToken, refreshToken, expiresIn: tokens.ttl, ...secondFactor };
  }

  /** Ends a session at an operator's wish, and gives what it was; null if there is none. */
  async endSession(id: string): Promise<Session | null> {
    const session = await this.parts.sessions.get(id);
    if (session) await this.end(session.id);
    return session;
  }

  async end(session: string): Promise<void> {
    await this.parts.revocations.append({ session });
    await this.parts.sessions.end(session);
  }

  private async identityOf(user: UserRecord, sid: string): Promise<Identity> {
    const { id, username, roles } = user;
    if (await this.parts.duty.isDue(user)) return { id, username, roles, permissions: [], sid, scopes: [ENROLMENT] };
    return { id, username, roles, permissions: await this.parts.roles.permissionsOf(roles), sid };
  }
}
