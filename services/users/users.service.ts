import type { ServiceSchema, ServiceSettingSchema } from "moleculer";
import { platformOf } from "../../config/platform";
import { Rounds } from "../../mixins/rounds";
import type { Staged } from "../../mixins/staged-changes";
import { RoomWriters } from "../../mixins/writers";
import { audit } from "../core/audit";
import { broadcast, call, type ActionsOf, type RelationChange } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import type { UserNote } from "../core/model";
import { PERMISSIONS, ROLES } from "../core/permissions";
import { callerOf } from "../core/policy";
import * as rules from "../core/rules";
import { preferences } from "./actions/preferences";
import { relations } from "./actions/relations";
import { ADMINS, type AdminStage } from "./admins";
import { Directory, USERS, type StoredUser } from "./directory";
import { askForErasure, Erasures, ERASURES, type StoredErasure } from "./erasures";
import {
  allShown,
  consequencesVia,
  managing,
  ownersVia,
  ownPicture,
  reachVia,
  shown,
  type UsersService,
} from "./parts";
import { PREFERENCES, PreferenceStore, type StoredPreferences } from "./preferences";
import { profileRules } from "./profile";
import { RELATIONS, Relations, type StoredRelation, type Telling } from "./relations";
import { audienceOf, Sight } from "./sight";

/** Milliseconds between looks for consequences of changes that are still to be carried out. */
const RESUME = 5_000;
/** The same of what people are still to be told, and how much of it is looked at in one go. */
const SWEEP = 1_000;
const SWEEP_RECORDS = 100;

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
      displayName: rules.shownName({ min: 1, max: 64, optional: true }),
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
      await this.directory.deactivate(consequencesVia(ctx, this), id);
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
      await this.directory.expire(consequencesVia(ctx, this), ctx.params.id);
      return null;
    },
  },
  deactivate: {
    auth: { permission: "users.manage" },
    visibility: "published",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      const { id } = ctx.params;
      const user = await this.directory.deactivate(consequencesVia(ctx, this), id, managing(await reachVia(ctx)));
      const { clock } = platformOf(this.broker);
      await audit(ctx, clock, { type: "account.deactivate", object: id, result: "ok", detail: { active: false } });
      return shown(this, ctx, user);
    },
  },
  activate: {
    auth: { permission: "users.manage" },
    visibility: "published",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      const { id } = ctx.params;
      const user = await this.directory.activate(id, managing(await reachVia(ctx)));
      const { clock } = platformOf(this.broker);
      await audit(ctx, clock, { type: "account.deactivate", object: id, result: "ok", detail: { active: true } });
      return shown(this, ctx, user);
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
      return shown(this, ctx, user);
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
    params: { ids: { type: "array", items: "string|max:200", max: 10_000 }, active: "boolean|optional" },
    handler(this: UsersService, ctx) {
      return this.directory.names(ctx.params.ids, ctx.params.active);
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
    params: { prefix: rules.sought({ min: 1, max: 100 }), limit: "number|integer|min:1|max:1000" },
    handler(this: UsersService, ctx) {
      return this.directory.startingWith(ctx.params.prefix, ctx.params.limit);
    },
  },
  shows: {
    auth: "internal",
    visibility: "public",
    params: {
      user: rules.id,
      file: rules.id,
      viewer: {
        type: "object",
        optional: true,
        props: { id: rules.id, permissions: { type: "array", items: { type: "enum", values: [...PERMISSIONS] } } },
      },
    },
    async handler(this: UsersService, ctx) {
      const { user, file, viewer } = ctx.params;
      return (await this.directory.shows(user, file)) && (!viewer || this.sight.finds(viewer, user));
    },
  },
  me: {
    auth: "user",
    visibility: "published",
    params: nothing,
    async handler(this: UsersService, ctx) {
      return shown(this, ctx, await this.directory.get(callerOf(ctx.meta).id));
    },
  },
  get: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      const user = await this.directory.get(ctx.params.id);
      await this.sight.find(callerOf(ctx.meta), user.id);
      return shown(this, ctx, user);
    },
  },
  list: {
    auth: { permission: "users.find" },
    visibility: "published",
    params: { ...rules.paging, search: rules.sought({ max: 100, optional: true }) },
    async handler(this: UsersService, ctx) {
      const page = rules.pageOf(ctx.params, platformOf(this.broker).limits);
      const sight = await this.sight.listed(callerOf(ctx.meta));
      const all = callerOf(ctx.meta).permissions.includes("users.manage");
      const found = await this.directory.list(ctx.params.search, page, sight, all ? {} : { deactivatedAt: null });
      return { ...found, items: await allShown(this, ctx, found.items) };
    },
  },
  updateMe: {
    auth: "user",
    visibility: "published",
    params: profileRules,
    async handler(this: UsersService, ctx) {
      const { id } = callerOf(ctx.meta);
      await ownPicture(ctx, id, ctx.params);
      return shown(this, ctx, await this.directory.update(consequencesVia(ctx, this), id, ctx.params));
    },
  },
  update: {
    auth: { permission: "users.manage" },
    visibility: "published",
    audit: { type: "roles.change", object: "id", detail: ["roles"], when: "roles" },
    params: { id: rules.id, ...profileRules, roles: { ...roles, optional: true } },
    async handler(this: UsersService, ctx) {
      const { id, roles: wanted, ...profile } = ctx.params;
      const reach = await reachVia(ctx);
      reach.over(wanted ?? []);
      await ownPicture(ctx, id, profile);
      const consequences = consequencesVia(ctx, this);
      return shown(this, ctx, await this.directory.update(consequences, id, profile, wanted, managing(reach)));
    },
  },
  remove: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, erase: { type: "boolean", convert: true, optional: true } },
    async handler(this: UsersService, ctx) {
      const { id, erase } = ctx.params;
      const caller = callerOf(ctx.meta);
      // Accounts are for people: what a program was given says nothing of its owner's own.
      if (caller.id === id && caller.scopes)
        throw new RookeryError("FORBIDDEN", "No token with scopes may do this: sign in.");
      const manages = caller.id !== id && caller.permissions.includes("users.manage");
      const guard = manages ? managing(await reachVia(ctx)) : undefined;
      const { clock } = platformOf(this.broker);
      const consequences = consequencesVia(ctx, this);
      if (erase) {
        await askForErasure(this.directory, this.erasures, consequences, id, caller, guard);
        this.eraser.hurry();
      } else await this.directory.remove(consequences, id, caller, guard);
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
      return this.directory.assignRoles(consequencesVia(ctx, this), id, managed, held);
    },
  },
  createBot: {
    auth: { permission: "bots.manage" },
    visibility: "published",
    params: { username: rules.username, displayName: rules.shownName({ min: 1, max: 64, optional: true }) },
    async handler(this: UsersService, ctx) {
      const { username, displayName } = ctx.params;
      (await reachVia(ctx)).over(["User"]);
      const { id } = await this.directory.create({ id: newId(), username, displayName, bot: true });
      await audit(ctx, platformOf(this.broker).clock, { type: "bot.create", object: id, result: "ok" });
      return shown(this, ctx, await this.directory.get(id));
    },
  },
  bots: {
    auth: { permission: "bots.manage" },
    visibility: "published",
    params: rules.paging,
    async handler(this: UsersService, ctx) {
      const page = rules.pageOf(ctx.params, platformOf(this.broker).limits);
      const found = await this.directory.list(undefined, page, null, { bot: true });
      return { ...found, items: await allShown(this, ctx, found.items) };
    },
  },
  removeBot: {
    auth: { permission: "bots.manage" },
    visibility: "published",
    audit: { type: "account.delete", object: "id" },
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      await this.directory.removeBot(consequencesVia(ctx, this), ctx.params.id, managing(await reachVia(ctx)));
      return null;
    },
  },
  ...relations,
  ...preferences,
} satisfies ActionsOf<"users">;

const UsersSchema: ServiceSchema<ServiceSettingSchema, never, never, UsersService> = {
  name: "users",
  actions,

  created(this: UsersService) {
    const { afterStart, config } = platformOf(this.broker);
    if (config.cluster) return;
    afterStart.push(async () => {
      await this.erasures.takeOver();
      this.eraser.hurry();
    });
  },

  async started(this: UsersService) {
    const platform = platformOf(this.broker);
    const users = await platform.documents<StoredUser>(USERS);
    const admins = await platform.documents<AdminStage>(ADMINS);
    this.directory = new Directory(users, admins, platform.clock, error => this.resumer.failed(error));
    this.writers = new RoomWriters(this.broker);
    this.relations = new Relations(
      await platform.documents<StoredRelation>(RELATIONS),
      (pair, tellings) => tell(this, pair, tellings),
      platform.clock,
      platform.limits,
      platform.config.rateLimit === "on",
    );
    this.preferences = new PreferenceStore(
      await platform.documents<StoredPreferences>(PREFERENCES),
      async (user, { privacy, id, revision }) => {
        if (privacy) {
          const audience = privacy.find === "everyone" ? null : audienceOf(user, privacy.find);
          await this.directory.setAudience(user, audience, revision);
          broadcast(this.broker, "users.relations", { changes: [{ user, other: null }] });
        }
        await note(this.writers, [{ id, to: user, note: { kind: "preferences", data: { revision } } }]);
      },
      platform.clock,
    );
    this.sight = new Sight(this.relations, this.preferences, (user, others, small) =>
      call(this.broker, "rooms.acquainted", { user, ...(others && { others }), small }),
    );
    const consequences = consequencesVia(this.broker, this);
    this.resumer = new Rounds(() => this.directory.resume(consequences), {
      every: RESUME,
      log: this.logger,
      what: "other services are told of a change later",
    });
    const later = (_: string, error: unknown): void => this.sweeper.failed(error);
    this.sweeper = new Rounds(
      async () => {
        await this.relations.sweep(SWEEP_RECORDS, later);
        await this.preferences.sweep(SWEEP_RECORDS, later);
      },
      { every: SWEEP, log: this.logger, what: "people are told of a change later" },
    );
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
    this.sweeper?.stop();
    this.writers?.close();
    this.eraser?.stop();
  },
};

export default UsersSchema;

/** What must act at once goes first: gateways and writers look at the two anew. */
async function tell(service: UsersService, pair: RelationChange, tellings: readonly Staged<Telling>[]): Promise<void> {
  broadcast(service.broker, "users.relations", { changes: [pair] });
  await note(service.writers, tellings);
}

/** Writes into feeds, once under each id. Throws where it is not known that all of it stands there. */
async function note(writers: RoomWriters, notes: readonly { id: string; to: string; note: UserNote }[]): Promise<void> {
  const answers = await writers.append(
    notes.map(({ id, to, note: told }) => ({ room: to, entry: { op: "user", changeId: id, note: told } })),
  );
  for (const answer of answers) if (!answer.ok) throw new RookeryError(answer.error.code, answer.error.detail);
}
