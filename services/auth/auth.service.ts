import type { ServiceSchema, ServiceSettingSchema } from "moleculer";
import { platformOf } from "../../config/platform";
import { Failures, Rounds } from "../../mixins/rounds";
import { untilDone } from "../../mixins/until-done";
import { broadcast, type ActionsOf, type AuditRecord } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newSecret } from "../core/ids";
import { Accounts } from "./accounts";
import { accounts } from "./actions/accounts";
import { audits } from "./actions/audit";
import { oidc } from "./actions/oidc";
import { roles } from "./actions/roles";
import { secondFactor } from "./actions/second-factor";
import { sessions } from "./actions/sessions";
import { tokens } from "./actions/tokens";
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
import { FirstAdmin } from "./first-admin";
import { usersOf, type AuthService } from "./parts";
import { IDENTITIES, Identities, type StoredIdentity } from "./oidc/identities";
import { OidcClient } from "./oidc/oidc-client";
import { ARRIVALS, JOURNEYS, Oidc, type Arrival, type Journey } from "./oidc/oidc";
import { Passwords } from "./passwords";
import { PERSONAL_TOKENS, PersonalTokens, type PersonalToken } from "./personal-tokens";
import { Reauthentication } from "./reauthentication";
import { RevocationLog } from "./revocation-log";
import { ROLE_TABLE, RoleTable, type StoredRole } from "./role-table";
import { Sealing } from "./sealing";
import { SECOND_FACTORS, SecondFactors, type SecondFactor } from "./second-factor";
import { Sessions } from "./sessions";

/** Milliseconds between looks for what has expired or was left half done. */
const SWEEP = 60_000;
/** Milliseconds beyond its lifetime for which a token may still be taken: clocks of nodes differ. */
const SKEW = 60_000;
/** Milliseconds between two tries to make the first admin, and after which another node's attempt is given up on. */
const SEED_PAUSE = 1_000;
const SEED_PATIENCE = 30_000;

const actions = {
  ...accounts,
  ...sessions,
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
    this.audit = new AuditLog(await platform.documents<AuditRecord>(AUDIT));
    this.passwords = new Passwords();
    const sealing = new Sealing(config.secretsKey ?? config.jwt.secret);
    this.secondFactors = new SecondFactors(await platform.documents<SecondFactor>(SECOND_FACTORS), sealing, clock);
    this.reauthentication = new Reauthentication(credentials, this.passwords, this.secondFactors);
    this.roles = new RoleTable(await platform.documents<StoredRole>(ROLE_TABLE), this.revocations, clock);
    this.tokens = new PersonalTokens({
      stored: await platform.documents<PersonalToken>(PERSONAL_TOKENS),
      roles: this.roles,
      revocations: this.revocations,
      tokens,
      clock,
    });
    this.accounts = new Accounts({
      credentials,
      sessions: this.sessions,
      revocations: this.revocations,
      passwords: this.passwords,
      tokens,
      roles: this.roles,
      secondFactors: this.secondFactors,
      forget: async userId => {
        await this.secondFactors.remove(userId);
        await this.tokens.endAll(userId);
        await this.identities.forget(userId);
      },
      clock,
    });
    this.identities = new Identities(await platform.documents<StoredIdentity>(IDENTITIES), clock);
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
      revocations: this.revocations,
      signIn: (via, user, revision) => this.accounts.signIn(via, user, revision),
      sealing,
      clock,
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
    };
    this.sweeper = new Rounds(sweep, { every: SWEEP, log: this.logger, what: "what has expired stays for now" });
  },

  async stopped(this: AuthService) {
    this.sweeper?.stop();
    this.ending.abort();
    await this.passwords?.close();
  },
};

export default AuthSchema;
