import type { Context, Service, ServiceBroker } from "moleculer";
import type { Rounds } from "../../mixins/rounds";
import { platformOf } from "../../config/platform";
import { audit, type AuditNote } from "../core/audit";
import { call, type Caller, type Meta } from "../core/contract";
import type { Identity } from "../core/model";
import type { Accounts, Users } from "./accounts";
import type { Guests } from "./guests";
import type { Invitations } from "./invitations";
import type { Links } from "./links";
import type { MailTransport } from "./mail/mail";
import type { Outbox } from "./mail/outbox";
import type { OwnAccount, People } from "./own-account";
import type { AuditLog } from "./audit-log";
import type { FirstAdmin } from "./first-admin";
import type { Identities, Members } from "./oidc/identities";
import type { Oidc } from "./oidc/oidc";
import type { Passwords } from "./passwords";
import type { PersonalTokens } from "./personal-tokens";
import type { Asking, Reauthentication } from "./reauthentication";
import type { RevocationLog } from "./revocation-log";
import type { RoleTable } from "./role-table";
import type { SecondFactors } from "./second-factor";
import type { SecondFactorDuty } from "./second-factor-duty";
import type { SessionClient, Sessions } from "./sessions";
import type { SignInDelay } from "./sign-in-delay";

/** What the service of this process holds; its actions find it in `this`. */
export interface AuthService extends Service {
  accounts: Accounts;
  secondFactors: SecondFactors;
  duty: SecondFactorDuty;
  reauthentication: Reauthentication;
  roles: RoleTable;
  tokens: PersonalTokens;
  identities: Identities;
  oidc: Oidc;
  sessions: Sessions;
  revocations: RevocationLog;
  passwords: Passwords;
  admin: FirstAdmin;
  audit: AuditLog;
  delay: SignInDelay;
  own: OwnAccount;
  invitations: Invitations;
  links: Links;
  guests: Guests;
  transport: MailTransport | null;
  mailer: Rounds | undefined;
  /** Takes a mail to be sent; silent where this installation sends none. */
  mail: Outbox["put"];
  ending: AbortController;
  sweeper: Rounds;
}

/** Records what is done in the given request. Never rejects. */
export function note(via: (Context<unknown, Meta> | ServiceBroker) & { meta?: Meta }, entry: AuditNote): Promise<void> {
  return audit(via, platformOf("broker" in via ? via.broker : via).clock, entry);
}

/** The owner of users, asked within the given request. */
export function usersOf(via: (Context<unknown, Meta> | ServiceBroker) & { meta?: Meta }): Users {
  return {
    create: user => call(via, "users.create", user),
    byLogin: login => call(via, "users.byLogin", { login }),
    record: id => call(via, "users.record", { id }),
    profile: identity => asUser(via, identity),
    audit: entry => note(via, entry),
  };
}

/** The same, asked to change users. */
export function peopleOf(via: (Context<unknown, Meta> | ServiceBroker) & { meta?: Meta }): People {
  const { byLogin, record, profile } = usersOf(via);
  return {
    ...askingVia(via),
    byLogin,
    record,
    profile,
    verified: (id, email) => call(via, "users.verified", { id, email }),
    setEmail: (id, email) => call(via, "users.setEmail", { id, email }),
    setUsername: (id, username) => call(via, "users.setUsername", { id, username }),
    leave: id => call(via, "users.leave", { id }),
  };
}

/** The request of somebody who is to prove once more who he is. */
export function askingVia(via: (Context<unknown, Meta> | ServiceBroker) & { meta?: Meta }): Asking {
  const { audit: record } = usersOf(via);
  const what = "action" in via ? (via.action?.name ?? "") : "";
  return { address: via.meta?.address ?? "", username: via.meta?.user?.username ?? "", what, audit: record };
}

/** What the door knows of who calls. */
export function clientOf({ address, userAgent }: Meta): SessionClient {
  return { ...(address !== undefined && { address }), ...(userAgent !== undefined && { userAgent }) };
}

/** The same, with what sign-in with others needs besides. */
export const membersOf = (via: (Context<unknown, Meta> | ServiceBroker) & { meta?: Meta }): Members => ({
  ...usersOf(via),
  assignRoles: (id, managed, held) => call(via, "users.assignRoles", { id, managed, held }),
});

/** Calls as the user who is just signing in. The metadata of a call flows back, so the caller's own user is put back. */
async function asUser(via: Caller & { meta?: Meta }, user: Identity): ReturnType<Users["profile"]> {
  const caller = via.meta?.user;
  try {
    return await call(via, "users.me", {}, { meta: { user } });
  } finally {
    if (via.meta && caller) via.meta.user = caller;
    else if (via.meta) delete via.meta.user;
  }
}
