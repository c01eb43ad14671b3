import type { Context, Service, ServiceSchema, ServiceSettingSchema } from "moleculer";
import { platformOf } from "../../config/platform";
import { Rounds } from "../../mixins/rounds";
import { audit } from "../core/audit";
import { call, type ActionsOf, type Caller, type Meta } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import type { PresenceStatus, PublicUser } from "../core/model";
import { ROLES } from "../core/permissions";
import { callerOf } from "../core/policy";
import * as rules from "../core/rules";
import { ADMINS, type AdminStage } from "./admins";
import { Directory, USERS, type Consequences, type StoredUser } from "./directory";
import { askForErasure, Erasures, ERASURES, type Owners, type StoredErasure } from "./erasures";
import { avatarUrlRule, displayNameRule, toPublic } from "./profile";

interface UsersService extends Service {
  directory: Directory;
  resumer: Rounds;
  erasures: Erasures;
  eraser: Rounds;
}

/** Milliseconds between looks for consequences of changes that are still to be carried out. */
const RESUME = 5_000;
/** Milliseconds to wait for the status of users; without an answer they are shown as offline. */
const STATUS_TIMEOUT = 1_000;

const roles = {
  type: "array",
  items: { type: "enum", values: [...ROLES] },
  min: 1,
  max: ROLES.length,
  unique: true,
} as const;
const nothing = {};

const actions = {
  create: {
    auth: "internal",
    visibility: "public",
    params: {
      id: rules.id,
      username: rules.username,
      email: "string|min:3|max:254|optional",
      roles: { ...roles, optional: true },
      displayName: rules.line({ min: 1, max: 64, optional: true }),
      unverified: "boolean|optional",
    },
    handler(this: UsersService, ctx) {
      const { id, username, email, roles: given, displayName, unverified } = ctx.params;
      return this.directory.create({ id, username, email, roles: given, displayName, unverified });
    },
  },
  verified: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id, email: "string|max:254" },
    async handler(this: UsersService, ctx) {
      await this.directory.verified(ctx.params.id, ctx.params.email);
      return null;
    },
  },
  setEmail: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id, email: rules.email },
    async handler(this: UsersService, ctx) {
      await this.directory.setEmail(ctx.params.id, ctx.params.email);
      return null;
    },
  },
  setUsername: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id, username: rules.username },
    handler(this: UsersService, ctx) {
      return this.directory.setUsername(ctx.params.id, ctx.params.username);
    },
  },
  leave: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      const { id } = ctx.params;
      await this.directory.deactivate(consequencesVia(ctx), id);
      const { clock } = platformOf(this.broker);
      await audit(ctx, clock, { type: "account.deactivate", object: id, result: "ok", detail: { active: false } });
      return null;
    },
  },
  expire: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      await this.directory.expire(consequencesVia(ctx), ctx.params.id);
      return null;
    },
  },
  deactivate: {
    auth: { permission: "users.manage" },
    visibility: "published",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      const { id } = ctx.params;
      const user = await this.directory.deactivate(consequencesVia(ctx), id);
      const { clock } = platformOf(this.broker);
      await audit(ctx, clock, { type: "account.deactivate", object: id, result: "ok", detail: { active: false } });
      return shown(ctx, user);
    },
  },
  activate: {
    auth: { permission: "users.manage" },
    visibility: "published",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      const { id } = ctx.params;
      const user = await this.directory.activate(id);
      const { clock } = platformOf(this.broker);
      await audit(ctx, clock, { type: "account.deactivate", object: id, result: "ok", detail: { active: true } });
      return shown(ctx, user);
    },
  },
  personal: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      const caller = callerOf(ctx.meta);
      const user = await this.directory.get(ctx.params.id);
      if (caller.id !== user.id && !caller.permissions.includes("users.manage")) throw new RookeryError("FORBIDDEN");
      return shown(ctx, user);
    },
  },
  emails: {
    auth: "internal",
    visibility: "public",
    params: { ids: { type: "array", items: "string|max:200", max: 1_000 } },
    handler(this: UsersService, ctx) {
      return this.directory.emails(ctx.params.ids);
    },
  },
  byLogin: {
    auth: "internal",
    visibility: "public",
    params: { login: "string|max:320" },
    handler(this: UsersService, ctx) {
      return this.directory.byLogin(ctx.params.login);
    },
  },
  record: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id },
    handler(this: UsersService, ctx) {
      return this.directory.record(ctx.params.id);
    },
  },
  names: {
    auth: "internal",
    visibility: "public",
    params: { ids: { type: "array", items: "string|max:200", max: 10_000 } },
    handler(this: UsersService, ctx) {
      return this.directory.names(ctx.params.ids);
    },
  },
  byUsernames: {
    auth: "internal",
    visibility: "public",
    params: { usernames: { type: "array", items: "string|max:200", max: 10_000 } },
    handler(this: UsersService, ctx) {
      return this.directory.byUsernames(ctx.params.usernames);
    },
  },
  startingWith: {
    auth: "internal",
    visibility: "public",
    params: { prefix: "string|min:1|max:100", limit: "number|integer|min:1|max:1000" },
    handler(this: UsersService, ctx) {
      return this.directory.startingWith(ctx.params.prefix, ctx.params.limit);
    },
  },
  shows: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id, file: rules.id },
    handler(this: UsersService, ctx) {
      return this.directory.shows(ctx.params.user, ctx.params.file);
    },
  },
  me: {
    auth: "user",
    visibility: "published",
    params: nothing,
    async handler(this: UsersService, ctx) {
      return shown(ctx, await this.directory.get(callerOf(ctx.meta).id));
    },
  },
  get: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      return shown(ctx, await this.directory.get(ctx.params.id));
    },
  },
  list: {
    auth: "user",
    visibility: "published",
    params: { ...rules.paging, search: "string|max:100|optional" },
    async handler(this: UsersService, ctx) {
      const page = rules.pageOf(ctx.params, platformOf(this.broker).limits);
      const all = callerOf(ctx.meta).permissions.includes("users.manage");
      const found = await this.directory.list(ctx.params.search, page, all ? {} : { deactivatedAt: null });
      return { ...found, items: await allShown(ctx, found.items) };
    },
  },
  updateMe: {
    auth: "user",
    visibility: "published",
    params: { displayName: displayNameRule, avatarUrl: avatarUrlRule },
    async handler(this: UsersService, ctx) {
      const { displayName, avatarUrl } = ctx.params;
      const { id } = callerOf(ctx.meta);
      return shown(ctx, await this.directory.update(consequencesVia(ctx), id, { displayName, avatarUrl }));
    },
  },
  update: {
    auth: { permission: "users.manage" },
    visibility: "published",
    params: {
      id: rules.id,
      displayName: displayNameRule,
      avatarUrl: avatarUrlRule,
      roles: { ...roles, optional: true },
    },
    async handler(this: UsersService, ctx) {
      const { id, displayName, avatarUrl, roles: wanted } = ctx.params;
      return shown(ctx, await this.directory.update(consequencesVia(ctx), id, { displayName, avatarUrl }, wanted));
    },
  },
  remove: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, erase: { type: "boolean", convert: true, optional: true } },
    async handler(this: UsersService, ctx) {
      const { id, erase } = ctx.params;
      const { clock } = platformOf(this.broker);
      const consequences = consequencesVia(ctx);
      if (erase) {
        await askForErasure(this.directory, this.erasures, consequences, id, callerOf(ctx.meta));
        this.eraser.hurry();
      } else await this.directory.remove(consequences, id, callerOf(ctx.meta));
      await audit(ctx, clock, { type: erase ? "account.erase" : "account.delete", object: id, result: "ok" });
      return null;
    },
  },
  erasure: {
    auth: { permission: "users.manage" },
    visibility: "published",
    params: { id: rules.id },
    handler(this: UsersService, ctx) {
      return this.erasures.of(ctx.params.id);
    },
  },
  assignRoles: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id, managed: { ...roles, min: 0 }, held: { ...roles, min: 0 } },
    handler(this: UsersService, ctx) {
      const { id, managed, held } = ctx.params;
      return this.directory.assignRoles(consequencesVia(ctx), id, managed, held);
    },
  },
  createBot: {
    auth: { permission: "bots.manage" },
    visibility: "published",
    params: { username: rules.username, displayName: rules.line({ min: 1, max: 64, optional: true }) },
    async handler(this: UsersService, ctx) {
      const { username, displayName } = ctx.params;
      const { id } = await this.directory.create({ id: newId(), username, displayName, bot: true });
      return shown(ctx, await this.directory.get(id));
    },
  },
  bots: {
    auth: { permission: "bots.manage" },
    visibility: "published",
    params: rules.paging,
    async handler(this: UsersService, ctx) {
      const page = rules.pageOf(ctx.params, platformOf(this.broker).limits);
      const found = await this.directory.list(undefined, page, { bot: true });
      return { ...found, items: await allShown(ctx, found.items) };
    },
  },
  removeBot: {
    auth: { permission: "bots.manage" },
    visibility: "published",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      await this.directory.removeBot(consequencesVia(ctx), ctx.params.id);
      return null;
    },
  },
} satisfies ActionsOf<"users">;

const UsersSchema: ServiceSchema<ServiceSettingSchema, never, never, UsersService> = {
  name: "users",
  actions,

  async started(this: UsersService) {
    const platform = platformOf(this.broker);
    const users = await platform.documents<StoredUser>(USERS);
    const admins = await platform.documents<AdminStage>(ADMINS);
    this.directory = new Directory(users, admins, platform.clock, error => this.resumer.failed(error));
    const consequences = consequencesVia(this.broker);
    this.resumer = new Rounds(() => this.directory.resume(consequences), {
      every: RESUME,
      log: this.logger,
      what: "other services are told of a change later",
    });
    this.erasures = new Erasures(await platform.documents<StoredErasure>(ERASURES), platform.clock, error =>
      this.eraser.failed(error),
    );
    const owners = ownersVia(this.broker, user => this.directory.erase(consequences, user));
    this.eraser = new Rounds(() => this.erasures.round(owners), {
      every: RESUME,
      log: this.logger,
      what: "an erasure has to wait",
    });
  },

  async stopped(this: UsersService) {
    this.resumer?.stop();
    this.eraser?.stop();
  },
};

export default UsersSchema;

function consequencesVia(via: Caller): Consequences {
  return {
    async rolesChanged(userId) {
      await call(via, "auth.revoke", { userId, keepSessions: true });
    },
    async deactivated(userId) {
      await call(via, "auth.revoke", { userId });
    },
    async removed(userId) {
      await call(via, "auth.revoke", { userId, forget: true });
      await call(via, "rooms.evict", { userId });
    },
  };
}

function ownersVia(via: Caller, remove: Owners["remove"]): Owners {
  return {
    remove,
    async nextRoom(user, after) {
      const [next] = await call(via, "rooms.exportMemberships", { user, after, limit: 1 });
      return next?.room ?? null;
    },
    erase: (room, user, after) => call(via, "messages.erase", { room, user, after }),
    forget: (room, user) => call(via, "messages.forget", { room, user }),
    eraseFiles: user => call(via, "files.eraseOwn", { user }),
  };
}

async function shown(ctx: Context<unknown, Meta>, user: StoredUser): Promise<PublicUser> {
  return (await allShown(ctx, [user]))[0] as PublicUser;
}

async function allShown(ctx: Context<unknown, Meta>, users: StoredUser[]): Promise<PublicUser[]> {
  const viewer = callerOf(ctx.meta);
  const status = await statusOf(
    ctx,
    users.map(({ id }) => id),
  );
  return users.map(user => toPublic(user, viewer, status[user.id] ?? "offline"));
}

/** A list without its statuses is worth more than none: while presence is away everybody counts as offline. */
async function statusOf(ctx: Context<unknown, Meta>, users: string[]): Promise<Record<string, PresenceStatus>> {
  if (users.length === 0) return {};
  return call(ctx, "presence.of", { users }, { timeout: STATUS_TIMEOUT }).catch(() => ({}));
}
