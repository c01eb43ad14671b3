import { upsert, type Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { UserRecord } from "../core/contract";
import { invalidField, RookeryError } from "../core/errors";
import type { Identity, PublicUser } from "../core/model";
import type { Accounts } from "./accounts";
import type { Admission } from "./admission";
import type { Credentials } from "./auth.store";
import type { EmailChanges } from "./email-changes";
import type { Links } from "./links";
import type { Outbox } from "./mail/outbox";
import { refuseGuessable } from "./password-policy";
import type { Asking, Reauthentication } from "./reauthentication";
import { wrongCode, type SecondFactors } from "./second-factor";
import type { Passwords } from "./passwords";
import type { Sessions } from "./sessions";

/** What changes of an account ask of the owner of users. One instance serves one request. */
export interface People extends Asking {
  byLogin(login: string): Promise<UserRecord | null>;
  record(id: string): Promise<UserRecord | null>;
  profile(identity: Identity): Promise<PublicUser>;
  verified(id: string, email: string): Promise<unknown>;
  setEmail(id: string, email: string): Promise<unknown>;
  setUsername(id: string, username: string): Promise<UserRecord>;
  leave(id: string): Promise<unknown>;
}

export interface OwnAccountParts {
  credentials: Documents<Credentials>;
  accounts: Pick<Accounts, "revoke" | "end">;
  admission: Admission;
  reauthentication: Pick<Reauthentication, "demand">;
  secondFactors: Pick<SecondFactors, "require">;
  passwords: Passwords;
  sessions: Sessions;
  links: Links;
  emailChanges: EmailChanges;
  /** Null: this installation sends no mail. */
  outbox: Pick<Outbox, "put"> | null;
  /** Both addresses confirm a change of e-mail, not the new one alone. */
  verification: boolean;
  clock: Clock;
}

/** Milliseconds for which the node that changed a password is left to end the sessions itself. */
const UNDER_WAY = 3_000;
/** Accounts whose sessions are ended in one sweep. */
const BATCH = 100;

const spent = (): RookeryError => invalidField("token", "The link does not hold any more. Ask for another.");

/** What people prove themselves by; `code`: of the second factor, if they have one. */
export interface Proof {
  password: string;
  code?: string;
}

/** What people do to their own accounts, with their password or by links in mails. */
export class OwnAccount {
  constructor(private readonly parts: OwnAccountParts) {}

  async forgotPassword(email: string): Promise<void> {
    await this.parts.outbox?.put({ kind: "reset", to: email });
  }

  async forgotUsername(email: string): Promise<void> {
    await this.parts.outbox?.put({ kind: "usernames", to: email });
  }

  async resendVerification(email: string): Promise<void> {
    await this.parts.outbox?.put({ kind: "verify", to: email });
  }

  /** Resolves to whose e-mail it is. Throws INVALID for a link that does not hold. */
  async verify(people: People, token: string): Promise<string> {
    const { links } = this.parts;
    const link = await links.find("verify", token);
    if (!link) throw spent();
    // Repeating it does no harm, so that a link is never spent on nothing.
    await people.verified(link.userId, link.email);
    if (!(await links.spend("verify", token))) throw spent();
    return link.userId;
  }

  /** Sets the password and ends all sessions; a mailbox is one factor, and no way around the second. Resolves to whose it is. */
  async resetPassword(people: People, token: string, { password, code }: Proof): Promise<string> {
    const { links, passwords, admission, secondFactors } = this.parts;
    const link = await links.find("reset", token);
    const user = link && (await people.record(link.userId));
    // Who reads an address that is not the account's any more has no say in it.
    if (!link || !user || user.email?.toLowerCase() !== link.email.toLowerCase()) throw spent();
    admission.check(user, { mailbox: true });
    refuseGuessable(password, user);
    await secondFactors.require(user.id, code, () => people.audit(wrongCode("password.reset", user.id)));
    const hash = await passwords.hash(password);
    if (!(await links.spend("reset", token))) throw spent();
    await this.setHash(user.id, hash, null, undefined);
    // Removed meanwhile, he must not have a password again.
    if (!(await people.record(user.id))) {
      await this.parts.credentials.remove(user.id);
      throw spent();
    }
    // Who gets mail there owns the address.
    if (user.unverified) await people.verified(user.id, link.email);
    await this.tellOfPassword(user);
    return user.id;
  }

  /** Ends all other sessions. */
  async changePassword(people: People, caller: Identity, current: Proof, next: string): Promise<void> {
    const user = await this.user(people, caller.id);
    // Before a code of the second factor is used up.
    refuseGuessable(next, user);
    const known = await this.prove(people, caller, current);
    if (!(await this.setHash(caller.id, await this.parts.passwords.hash(next), known.hash, caller.sid)))
      throw new RookeryError("CONFLICT", "The password was just changed.");
    await this.tellOfPassword(user);
  }

  async changeUsername(people: People, caller: Identity, proof: Proof, username: string): Promise<PublicUser> {
    await this.prove(people, caller, proof);
    const { roles } = await people.setUsername(caller.id, username);
    return people.profile({ ...caller, username, roles });
  }

  /**
   * The address changes once the links in the mails are followed: to the new one always; to the old one too, where e-mail is
   * verified, else that is told and can stop it. Whether somebody has the address is not told here. Where no mail is sent
   * nothing can be confirmed, and it changes at once: then it resolves to true.
   */
  async changeEmail(people: People, caller: Identity, proof: Proof, email: string): Promise<boolean> {
    await this.prove(people, caller, proof);
    const { outbox, emailChanges, links, verification } = this.parts;
    const { email: old } = await this.user(people, caller.id);
    if (!outbox) {
      await people.setEmail(caller.id, email);
      return true;
    }
    await links.spare("email", caller.id);
    await links.spare("email", email);
    const about = await emailChanges.begin(caller.id, email, verification && old !== undefined);
    await outbox.put({ kind: "email-new", to: email, user: caller.id, about });
    if (old !== undefined) await outbox.put({ kind: "email-old", to: old, user: caller.id, about });
    return false;
  }

  /** Resolves to whose it is, and whether that was the last link needed. Throws CONFLICT if the address is taken by now. */
  async confirmEmail(people: People, token: string): Promise<{ userId: string; changed: boolean }> {
    const confirmed = await this.parts.emailChanges.confirm(token, (id, email) => people.setEmail(id, email));
    if (!confirmed) throw spent();
    return confirmed;
  }

  async cancelEmail(token: string): Promise<void> {
    if (!(await this.parts.emailChanges.cancel(token))) throw spent();
  }

  async deactivate(people: People, caller: Identity, proof: Proof): Promise<void> {
    await this.prove(people, caller, proof);
    await people.leave(caller.id);
  }

  /** Throws NOT_FOUND for what is not the caller's. */
  async endSession(caller: Identity, id: string): Promise<void> {
    const session = await this.parts.sessions.get(id);
    if (session?.userId !== caller.id) throw new RookeryError("NOT_FOUND");
    await this.parts.accounts.end(id);
  }

  async endOthers({ id, sid }: Pick<Identity, "id" | "sid">): Promise<void> {
    const { sessions, accounts } = this.parts;
    for (;;) {
      const others = (await sessions.of(id)).filter(session => session.id !== sid);
      if (others.length === 0) return;
      for (const other of others) await accounts.end(other.id);
    }
  }

  /** Nothing of the user is kept here. */
  async forget(userId: string): Promise<void> {
    await this.parts.links.forget(userId);
    await this.parts.emailChanges.forget(userId);
  }

  /** Finishes what a crash left half done, and removes what is over. */
  async sweep(people: Pick<People, "setEmail">): Promise<void> {
    const { credentials, clock, links, emailChanges } = this.parts;
    const where = { endingSince: { $lte: clock.now() - UNDER_WAY } };
    for (const { id } of await credentials.find({ where, limit: BATCH })) await this.endSessions(id);
    await emailChanges.sweep((id, email) => people.setEmail(id, email));
    await links.sweep();
  }

  /** The caller is signed in, and may be somebody at his desk. */
  private prove(asking: Asking, { id }: Identity, { password, code }: Proof): Promise<Credentials> {
    return this.parts.reauthentication.demand(asking, id, password, code);
  }

  private async user(people: People, id: string): Promise<UserRecord> {
    const user = await people.record(id);
    if (!user) throw new RookeryError("NOT_FOUND");
    return user;
  }

  private async tellOfPassword({ id, email }: UserRecord): Promise<void> {
    if (email !== undefined) await this.parts.outbox?.put({ kind: "password-changed", to: email, user: id });
  }

  /**
   * The password, and that sessions must end, in one write; what a crash keeps from them is made good by `sweep`.
   * @param from only if this is still the hash; null: whatever it is
   * @param keep the session that goes on
   */
  private async setHash(id: string, hash: string, from: string | null, keep: string | undefined): Promise<boolean> {
    const { credentials, clock } = this.parts;
    const ending = { endingSince: clock.now(), endingKeeps: keep };
    let set = true;
    const stored = await upsert(credentials, { id, hash, createdAt: timestamp(clock), ...ending }, known => {
      set = from === null || known.hash === from;
      return set ? { ...known, hash, ...ending } : null;
    });
    if (!stored || !set) return false;
    await this.endSessions(id);
    return true;
  }

  /** What was begun with the former password ends with it: sessions, a change of e-mail, a link for another password. */
  private async endSessions(id: string): Promise<void> {
    const { credentials, accounts, emailChanges, links } = this.parts;
    const known = await credentials.get(id);
    if (known?.endingSince === undefined) return;
    const { endingSince, endingKeeps } = known;
    await emailChanges.withdraw(id, endingSince);
    await links.withdraw("reset", id, endingSince);
    if (endingKeeps === undefined) await accounts.revoke(id, {});
    else await this.endOthers({ id, sid: endingKeeps });
    await credentials.update(id, now => {
      if (now.endingSince !== endingSince) return null;
      const { endingSince: _, endingKeeps: _keeps, ...rest } = now;
      return rest;
    });
  }
}
