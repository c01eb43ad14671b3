import type { Context, Service, ServiceSchema, ServiceSettingSchema } from "moleculer";
import { platformOf } from "../../config/platform";
import { Failures, Rounds } from "../../mixins/rounds";
import { untilDone } from "../../mixins/until-done";
import { broadcast, call, type ActionsOf, type Caller, type Meta, type SessionFacts } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newSecret } from "../core/ids";
import type { Identity } from "../core/model";
import * as rules from "../core/rules";
import { Accounts, type Users } from "./accounts";
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
import { FirstAdmin } from "./first-admin";
import { Passwords } from "./passwords";
import { RevocationLog } from "./revocation-log";
import { Sessions } from "./sessions";

interface AuthService extends Service {
  accounts: Accounts;
  sessions: Sessions;
  revocations: RevocationLog;
  passwords: Passwords;
  admin: FirstAdmin;
  ending: AbortController;
  sweeper: Rounds;
}

/** Milliseconds between looks for what has expired or was left half done. */
const SWEEP = 60_000;
/** Milliseconds beyond its lifetime for which a token may still be taken: clocks of nodes differ. */
const SKEW = 60_000;
/** Milliseconds between two tries to make the first admin, and after which another node's attempt is given up on. */
const SEED_PAUSE = 1_000;
const SEED_PATIENCE = 30_000;

/** Longer than any token or password that could fit; not worth the work. */
const secret = "string|min:1|max:1000";

const actions = {
  register: {
    auth: "anyone",
    visibility: "published",
    params: { username: rules.username, email: rules.email, password: rules.password },
    handler(this: AuthService, ctx) {
      const { username, email, password } = ctx.params;
      return this.accounts.register(usersOf(ctx), { username, email, password });
    },
  },
  login: {
    auth: "anyone",
    visibility: "published",
    params: { username: "string|min:1|max:320", password: "string|max:1000" },
    handler(this: AuthService, ctx) {
      return this.accounts.login(usersOf(ctx), ctx.params.username, ctx.params.password);
    },
  },
  refresh: {
    auth: "anyone",
    visibility: "published",
    params: { refreshToken: secret },
    handler(this: AuthService, ctx) {
      return this.accounts.refresh(usersOf(ctx), ctx.params.refreshToken);
    },
  },
  logout: {
    // One of the two tokens will do; the rule asks for it.
    auth: "anyone",
    visibility: "published",
    params: { refreshToken: `${secret}|optional` },
    async handler(this: AuthService, ctx) {
      await this.accounts.logout(ctx.meta.user, ctx.params.refreshToken);
      return null;
    },
  },
  revoke: {
    auth: "internal",
    visibility: "public",
    params: { userId: rules.id, forget: "boolean|optional", keepSessions: "boolean|optional" },
    async handler(this: AuthService, ctx) {
      const { userId, forget, keepSessions } = ctx.params;
      await this.accounts.revoke(userId, { forget, keepSessions });
      return null;
    },
  },
  sessions: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id },
    async handler(this: AuthService, ctx) {
      return (await this.sessions.of(ctx.params.user)).map(factsOf);
    },
  },
  endSession: {
    auth: "internal",
    visibility: "public",
    params: { session: rules.id },
    async handler(this: AuthService, ctx) {
      const ended = await this.accounts.endSession(ctx.params.session);
      return ended && factsOf(ended);
    },
  },
  revocations: {
    auth: "internal",
    visibility: "public",
    params: { after: rules.whole(0) },
    handler(this: AuthService, ctx) {
      return this.revocations.after(ctx.params.after);
    },
  },
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
    this.passwords = new Passwords();
    this.accounts = new Accounts({
      credentials,
      sessions: this.sessions,
      revocations: this.revocations,
      passwords: this.passwords,
      tokens,
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
      await this.revocations.sweep(ids => this.sessions.endMany(ids));
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

/** Digests of tokens stay here. */
const factsOf = ({ id, userId, createdAt, expiresAt }: Session): SessionFacts => ({
  id,
  user: userId,
  createdAt,
  expiresAt,
});

function usersOf(via: Caller & { meta?: Context<unknown, Meta>["meta"] }): Users {
  return {
    create: user => call(via, "users.create", user),
    byLogin: login => call(via, "users.byLogin", { login }),
    record: id => call(via, "users.record", { id }),
    profile: identity => asUser(via, identity),
  };
}

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
