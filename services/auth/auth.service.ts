import type { ServiceSchema, ServiceSettingSchema } from "moleculer";
import { metricsOf } from "../../config/metrics";
import { platformOf } from "../../config/platform";
import { Failures, Rounds } from "../../mixins/rounds";
import { untilDone } from "../../mixins/until-done";
import { broadcast, call, type ActionsOf, type AuditRecord } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newSecret } from "../core/ids";
import { Accounts } from "./accounts";
import { accounts } from "./actions/accounts";
import { audits } from "./actions/audit";
import { invitations } from "./actions/invitations";
import { oidc } from "./actions/oidc";
import { own } from "./actions/own";
import { roles } from "./actions/roles";
import { secondFactor } from "./actions/second-factor";
import { sessions } from "./actions/sessions";
import { tokens } from "./actions/tokens";
import { Admission } from "./admission";
import {
  CREDENTIALS,
  REVOCATIONS,
  SEEDS,
  SESSIONS,
  type Credentials,
  type RevocationEntry,
  type Seed,
  type Session,
} from "./auth.store";
import { AUDIT, AuditLog } from "./audit-log";
import { EMAIL_CHANGES, EmailChanges, type EmailChange } from "./email-changes";
import { FirstAdmin } from "./first-admin";
import { Guests, GUESTS, type Guest } from "./guests";
import { Invitations, INVITATIONS, type Invitation } from "./invitations";
import { Links, LINKS, LinkSecrets, type Link } from "./links";
import { MAILS, Outbox, type MailRequest } from "./mail/outbox";
import { Postman } from "./mail/postman";
import { publicOrigin, transportOf } from "./mail/transports";
import { IDENTITIES, Identities, type StoredIdentity } from "./oidc/identities";
import { ARRIVALS, JOURNEYS, Oidc, type Arrival, type Journey } from "./oidc/oidc";
import { OidcClient } from "./oidc/oidc-client";
import { OwnAccount } from "./own-account";
import { peopleOf, usersOf, type AuthService } from "./parts";
import { Passwords } from "./passwords";
import { PERSONAL_TOKENS, PersonalTokens, type PersonalToken } from "./personal-tokens";
import { Reauthentication } from "./reauthentication";
import { Registration } from "./registration";
import { RevocationLog } from "./revocation-log";
import { ROLE_TABLE, RoleTable, type StoredRole } from "./role-table";
import { Sealing } from "./sealing";
import { SECOND_FACTORS, SecondFactors, type SecondFactor } from "./second-factor";
import { SecondFactorDuty } from "./second-factor-duty";
import { Sessions } from "./sessions";
import { ATTEMPTS, SignInDelay, type Attempts } from "./sign-in-delay";

/** Milliseconds between looks for what has expired or was left half done. */
const SWEEP = 60_000;
/** Milliseconds beyond its lifetime for which a token may still be taken: clocks of nodes differ. */
const SKEW = 60_000;
/** Milliseconds between two tries to make the first admin, and after which another node's attempt is given up on. */
const SEED_PAUSE = 1_000;
const SEED_PATIENCE = 30_000;

/** Milliseconds between looks for mail that is due, and in a day. */
const MAIL = 2_000;
const DAY = 86_400_000;

const actions = {
  ...accounts,
  ...own,
  ...sessions,
  ...invitations,
  ...audits,
  ...secondFactor,
  ...tokens,
  ...roles,
  ...oidc,
} satisfies ActionsOf<"auth">;

const AuthSchema: ServiceSchema<ServiceSettingSchema, never, never, AuthService> = {
  name: "auth",
  actions,

  created(this: AuthService) {
    this.ending = new AbortController();
    const { afterStart, config, health } = platformOf(this.broker);
    // Noted before any service starts: the first rooms, which are the admin's, come after him.
    afterStart.push(async () => {
      if (!config.cluster) return void (await this.admin.make());
      // Users may be another node's, and start later.
      const failures = new Failures(this.logger, "the first admin has to wait");
      // Who is told that all is well signs in as the admin next.
      const made = health.need("first admin", () => Promise.reject(new RookeryError("UNAVAILABLE")));
      void untilDone(() => this.admin.make(), { every: SEED_PAUSE, failures, signal: this.ending.signal }).then(made);
    });
  },

  async started(this: AuthService) {
    const platform = platformOf(this.broker);
    const { clock, tokens, config } = platform;
    const credentials = await platform.documents<Credentials>(CREDENTIALS);
    this.sessions = new Sessions(await platform.documents<Session>(SESSIONS), clock, config.jwt.refreshTtl);
    this.revocations = new RevocationLog(
      await platform.documents<RevocationEntry>(REVOCATIONS),
      clock,
      tokens.ttl * 1000 + SKEW,
      items => broadcast(this.broker, "auth.revoked", { items }),
    );
    this.audit = new AuditLog(await platform.documents<AuditRecord>(AUDIT), clock, platform.limits, config.auditDays);
    this.passwords = new Passwords(config.accounts.passwordCost);
    this.delay = new SignInDelay({
      attempts: await platform.documents<Attempts>(ATTEMPTS),
      clock,
      mode: config.rateLimit,
      secret: config.jwt.secret,
      exceeded: () => metricsOf(this.broker).rateLimited("signIn", config.rateLimit === "on"),
    });
    this.roles = new RoleTable(await platform.documents<StoredRole>(ROLE_TABLE), this.revocations, clock);
    const secrets = new LinkSecrets(config.jwt.secret);
    this.links = new Links(await platform.documents<Link>(LINKS), secrets, clock);
    const emailChanges = new EmailChanges(await platform.documents<EmailChange>(EMAIL_CHANGES), secrets, clock);
    this.invitations = new Invitations(await platform.documents<Invitation>(INVITATIONS), secrets, this.roles, clock);
    const people = peopleOf(this.broker);
    const origin = (): string => publicOrigin(config, platform.origin.port);
    this.transport = transportOf(config, origin(), this.broker.getLogger("mail"));
    if (this.transport) {
      const postman = new Postman({
        links: this.links,
        emailChanges,
        invitations: this.invitations,
        users: people,
        origin,
      });
      const outbox = new Outbox({
        mails: await platform.documents<MailRequest>(MAILS),
        transport: this.transport,
        clock,
        write: request => postman.write(request),
        lost: (why, about) => this.logger.warn(`a mail is not sent: ${why}`, about),
        failed: error => this.mailer?.failed(error),
      });
      const mailer = new Rounds(() => outbox.sweep(), { every: MAIL, log: this.logger, what: "mail has to wait" });
      this.mailer = mailer;
      this.mail = async request => {
        await outbox.put(request);
        mailer.hurry();
      };
    } else {
      this.mail = () => Promise.resolve();
      this.logger.warn(
        "SMTP_URL is not set: no mail is sent, so nobody can ask for a new password or for his user name",
      );
    }
    const admission = new Admission(config.accounts.verification);
    const registration = new Registration(config.accounts, this.invitations, { put: this.mail });
    const sealing = new Sealing(config.secretsKey ?? config.jwt.secret);
    this.secondFactors = new SecondFactors(await platform.documents<SecondFactor>(SECOND_FACTORS), sealing, clock);
    this.reauthentication = new Reauthentication(credentials, this.passwords, this.secondFactors, this.delay);
    this.duty = new SecondFactorDuty(config.accounts.secondFactorFor, this.secondFactors);
    this.tokens = new PersonalTokens({
      admission,
      duty: this.duty,
      stored: await platform.documents<PersonalToken>(PERSONAL_TOKENS),
      roles: this.roles,
      revocations: this.revocations,
      tokens,
      clock,
    });
    this.accounts = new Accounts({
      admission,
      registration,
      credentials,
      sessions: this.sessions,
      revocations: this.revocations,
      passwords: this.passwords,
      tokens,
      roles: this.roles,
      secondFactors: this.secondFactors,
      duty: this.duty,
      forget: async userId => {
        await this.secondFactors.remove(userId);
        await this.tokens.endAll(userId);
        await this.identities.forget(userId);
        await this.own.forget(userId);
        await this.delay.forget(userId);
      },
      clock,
      delay: this.delay,
    });
    this.identities = new Identities(await platform.documents<StoredIdentity>(IDENTITIES), registration, clock);
    this.oidc = new Oidc({
      clients: config.oidc.map(
        provider =>
          new OidcClient(provider, `${config.publicUrl}/api/auth/oidc/${provider.id}/callback`, error =>
            this.logger.warn(`sign-in with ${provider.id} failed`, { error: String(error) }),
          ),
      ),
      journeys: await platform.documents<Journey>(JOURNEYS),
      arrivals: await platform.documents<Arrival>(ARRIVALS),
      identities: this.identities,
      secondFactors: this.secondFactors,
      sessions: this.sessions,
      revocations: this.revocations,
      signIn: (via, user, revision, client) => this.accounts.signIn(via, user, revision, client),
      sealing,
      clock,
    });
    this.own = new OwnAccount({
      credentials,
      accounts: this.accounts,
      admission,
      reauthentication: this.reauthentication,
      secondFactors: this.secondFactors,
      passwords: this.passwords,
      sessions: this.sessions,
      links: this.links,
      emailChanges,
      outbox: this.transport && { put: this.mail },
      verification: config.accounts.verification,
      clock,
    });
    this.guests = new Guests({
      guests: await platform.documents<Guest>(GUESTS),
      accounts: this.accounts,
      revocations: this.revocations,
      clock,
      allowed: config.accounts.guests,
      keepFor: config.accounts.guestDays * DAY,
    });
    const users = usersOf(this.broker);
    this.admin = new FirstAdmin({
      seeds: await platform.documents<Seed>(SEEDS),
      accounts: this.accounts,
      users,
      password: config.adminPassword,
      randomPassword: () => newSecret().slice(0, 20),
      show: password => (platform.madeAdminPassword = password),
      patience: config.cluster ? SEED_PATIENCE : 0,
      monotonic: () => clock.monotonic(),
    });

    const sweep = async (): Promise<void> => {
      await this.sessions.sweep();
      await this.revocations.sweep(async ids => {
        await this.sessions.endMany(ids);
        await this.tokens.endMany(ids);
      });
      await this.tokens.sweep();
      await this.roles.sweep();
      await this.identities.sweep(users);
      await this.oidc.sweep();
      await this.accounts.sweep(users);
      await this.audit.sweep();
      await this.delay.sweep();
      await this.own.sweep(people);
      await this.guests.sweep(id => call(this.broker, "users.expire", { id }));
      await this.invitations.sweep();
    };
    this.sweeper = new Rounds(sweep, { every: SWEEP, log: this.logger, what: "what has expired stays for now" });
  },

  async stopped(this: AuthService) {
    this.sweeper?.stop();
    this.mailer?.stop();
    this.transport?.close();
    this.ending.abort();
    await this.passwords?.close();
  },
};

export default AuthSchema;
