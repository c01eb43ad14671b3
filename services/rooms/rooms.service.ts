import type { ServiceSchema, ServiceSettingSchema } from "moleculer";
import { platformOf } from "../../config/platform";
import { Failures, Rounds } from "../../mixins/rounds";
import { untilDone } from "../../mixins/until-done";
import { RoomWriters } from "../../mixins/writers";
import { call, type ActionsOf } from "../core/contract";
import { HISTORIES, ROOM_MODES } from "../core/model";
import { MAX_RETENTION_DAYS } from "../core/limits";
import { ROOM_ROLES } from "../core/permissions";
import { callerOf } from "../core/policy";
import * as rules from "../core/rules";
import { invites } from "./actions/invites";
import { running } from "./actions/running";
import { RoomChanges, type Append } from "./changes";
import { Decisions } from "./decisions";
import { seedRooms, SEEDS, type Seed } from "./first-rooms";
import { Invites } from "./invites";
import type { People } from "./member-list";
import { Ownership } from "./ownership";
import { audited, barriersVia, blocksVia, namesOf, type RoomsService } from "./parts";
import { MEMBERS, ROOMS, type StoredMember, type StoredRoom } from "./room";
import { RoomPeople } from "./people";
import { Rooms } from "./rooms";
import { Sanctions } from "./sanctions";
import { RoomTransfer } from "./transfer";

/** Milliseconds between looks for changes left half done. */
const SWEEP = 1_000;
const SWEEP_ROOMS = 50;
/** Members brought into a room by one change. */
const IMPORTED = 100;
/** Milliseconds between two tries to make the first rooms. */
const SEED_PAUSE = 1_000;

/** Seconds between two messages of a member, at most. */
const SLOWEST = 6 * 3_600;

const name = rules.line({ min: 1, max: 80 });
const retentionDays = { ...rules.whole(0, MAX_RETENTION_DAYS), optional: true, nullable: true } as const;
const legalHold = "boolean|optional";
const topic = rules.line({ max: 500, optional: true, nullable: true });
const mode = { type: "enum", values: [...ROOM_MODES], optional: true } as const;
const slowMode = { ...rules.whole(0), max: SLOWEST, optional: true } as const;

const history = { type: "enum", values: [...HISTORIES], optional: true } as const;
const asked = { user: rules.id, browses: "boolean", rooms: { type: "array", max: 1_000, items: "string" } } as const;

const actions = {
  ...running,
  ...invites,
  list: {
    auth: "user",
    visibility: "published",
    params: { ...rules.paging, archived: "boolean|optional|convert" },
    handler(this: RoomsService, ctx) {
      return this.rooms.listChannels(callerOf(ctx.meta), ctx.params);
    },
  },
  create: {
    auth: { permission: "channels.create" },
    visibility: "published",
    params: { name, isPrivate: "boolean|optional", topic, history },
    handler(this: RoomsService, ctx) {
      const { topic: about, ...wanted } = ctx.params;
      return this.rooms.createChannel(callerOf(ctx.meta).id, { ...wanted, topic: about || null });
    },
  },
  get: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: RoomsService, ctx) {
      return this.rooms.get(callerOf(ctx.meta), ctx.params.id);
    },
  },
  update: {
    auth: "user",
    visibility: "published",
    params: {
      id: rules.id,
      name: { ...name, optional: true },
      isPrivate: "boolean|optional",
      topic,
      mode,
      slowMode,
      history,
      retentionDays,
      legalHold,
    },
    handler(this: RoomsService, ctx) {
      const { id, ...edit } = ctx.params;
      return this.rooms.update(callerOf(ctx.meta), id, edit);
    },
  },
  remove: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: RoomsService, ctx) {
      await this.rooms.remove(callerOf(ctx.meta), ctx.params.id);
      await audited(ctx, true, "room.delete", ctx.params.id);
      return null;
    },
  },
  join: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: RoomsService, ctx) {
      await this.rooms.join(callerOf(ctx.meta), ctx.params.id);
      return null;
    },
  },
  leave: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: RoomsService, ctx) {
      await this.rooms.leave(callerOf(ctx.meta), ctx.params.id);
      return null;
    },
  },
  members: {
    auth: "user",
    visibility: "published",
    params: {
      id: rules.id,
      ...rules.paging,
      afterUser: `${rules.id}|optional`,
      prefix: "string|min:1|max:100|optional",
      limit: { ...rules.whole(1), optional: true },
    },
    handler(this: RoomsService, ctx) {
      const { id, ...query } = ctx.params;
      const people: People = {
        names: namesOf(ctx),
        startingWith: (prefix, limit) => call(ctx, "users.startingWith", { prefix, limit }),
      };
      return this.rooms.listMembers(callerOf(ctx.meta), id, query, people);
    },
  },
  addMember: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, userId: rules.id, role: { type: "enum", values: [...ROOM_ROLES], optional: true } },
    async handler(this: RoomsService, ctx) {
      const { id, userId, role } = ctx.params;
      const caller = callerOf(ctx.meta);
      const added = await this.rooms.addMember(caller, id, userId, role, namesOf(ctx), barriersVia(ctx));
      await audited(ctx, added.changed && role !== undefined, "room.role", id, { userId, role: role ?? "" });
      return added.member;
    },
  },
  removeMember: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, userId: rules.id },
    async handler(this: RoomsService, ctx) {
      const { id, userId } = ctx.params;
      const kicked = await this.rooms.removeMember(callerOf(ctx.meta), id, userId);
      await audited(ctx, kicked, "room.kick", id, { userId });
      return null;
    },
  },
  conversations: {
    auth: "user",
    visibility: "published",
    params: rules.paging,
    handler(this: RoomsService, ctx) {
      return this.rooms.listConversations(callerOf(ctx.meta), ctx.params);
    },
  },
  converse: {
    auth: { permission: "conversations.create" },
    visibility: "published",
    params: {
      type: { type: "enum", values: ["direct", "group"] },
      members: { type: "array", max: 1_000, items: { type: "string", min: 1, max: 200 } },
      name: rules.line({ max: 80, optional: true, nullable: true }),
      history,
    },
    async handler(this: RoomsService, ctx) {
      const { type, members, name: given, ...more } = ctx.params;
      const user = callerOf(ctx.meta).id;
      const wanted = { ...more, name: given || null };
      const barriers = barriersVia(ctx);
      const { conversation, created } = await this.rooms.converse(user, type, members, wanted, namesOf(ctx), barriers);
      if (!created) ctx.meta.$statusCode = 200;
      return conversation;
    },
  },
  access: {
    auth: "internal",
    visibility: "public",
    params: { ...asked, blocks: "boolean|optional" },
    async handler(this: RoomsService, ctx) {
      const { blocks, ...ask } = ctx.params;
      const answers = await this.rooms.access(ask);
      return blocks ? this.people.withBlocks(ask.user, answers, blocksVia(ctx)) : answers;
    },
  },
  acquainted: {
    auth: "internal",
    visibility: "public",
    params: {
      user: rules.id,
      others: { type: "array", max: 1_000, items: "string", optional: true },
      small: "boolean|optional",
    },
    handler(this: RoomsService, ctx) {
      const { user, others, small = false } = ctx.params;
      return this.people.acquainted(user, others, small);
    },
  },
  accessMany: {
    auth: "internal",
    visibility: "public",
    params: {
      asks: {
        type: "array",
        max: 500,
        items: { type: "object", props: asked },
      },
    },
    handler(this: RoomsService, ctx) {
      return this.rooms.accessMany(ctx.params.asks);
    },
  },
  inspect: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id },
    handler(this: RoomsService, ctx) {
      return this.rooms.inspect(ctx.params.room);
    },
  },
  rules: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id },
    handler(this: RoomsService, ctx) {
      return this.rooms.rules(ctx.params.room);
    },
  },
  memberships: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id },
    handler(this: RoomsService, ctx) {
      return this.rooms.memberships(ctx.params.user);
    },
  },
  view: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id, browses: "boolean", room: rules.id, members: "number|integer|min:1" },
    handler(this: RoomsService, ctx) {
      const { user, browses, room, members } = ctx.params;
      return this.rooms.view({ id: user, browses }, room, members, namesOf(ctx));
    },
  },
  shown: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id, rooms: { type: "array", max: 500, items: "string" } },
    handler(this: RoomsService, ctx) {
      return this.rooms.shownTo(ctx.params.user, ctx.params.rooms);
    },
  },
  memberIds: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, limit: "number|integer|min:1|optional" },
    handler(this: RoomsService, ctx) {
      return this.rooms.memberIds(ctx.params.room, ctx.params.limit);
    },
  },
  memberPage: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, except: rules.id, skip: rules.whole(0), limit: rules.whole(1, 500) },
    handler(this: RoomsService, ctx) {
      const { room, except, skip, limit } = ctx.params;
      return this.rooms.memberPage(room, except, skip, limit);
    },
  },
  retention: {
    auth: "internal",
    visibility: "public",
    params: { after: { type: "string", max: 200, optional: true }, limit: "number|integer|min:1|max:1000" },
    handler(this: RoomsService, ctx) {
      return this.rooms.retention(ctx.params.after ?? "", ctx.params.limit);
    },
  },
  retentionOf: {
    auth: "internal",
    visibility: "public",
    params: { rooms: { type: "array", max: 1_000, items: rules.id } },
    handler(this: RoomsService, ctx) {
      return this.rooms.retentionOf(ctx.params.rooms);
    },
  },
  exported: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: RoomsService, ctx) {
      return this.transfer.exported(callerOf(ctx.meta), ctx.params.id);
    },
  },
  exportMembers: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, after: "string|max:200", limit: rules.whole(1, 500) },
    handler(this: RoomsService, ctx) {
      const { room, after, limit } = ctx.params;
      return this.transfer.members(room, after, limit);
    },
  },
  exportMemberships: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id, after: "string|max:200", limit: rules.whole(1, 500) },
    handler(this: RoomsService, ctx) {
      const { user, after, limit } = ctx.params;
      return this.transfer.memberships(user, after, limit);
    },
  },
  import: {
    auth: "internal",
    visibility: "public",
    params: {
      id: rules.id,
      kind: { type: "enum", values: ["channel", "group", "direct"] },
      name: { ...name, nullable: true },
      isPrivate: "boolean",
      topic: rules.line({ max: 500, optional: true }),
      mode,
      slowMode,
      history,
      archivedAt: "string|max:40|optional",
      retentionDays: { ...rules.whole(0, MAX_RETENTION_DAYS), optional: true },
      legalHold,
      createdBy: rules.id,
      createdAt: "string|max:40",
      people: { type: "array", length: 2, items: rules.id, optional: true },
    },
    handler(this: RoomsService, ctx) {
      return this.transfer.make(ctx.params);
    },
  },
  importMembers: {
    auth: "internal",
    visibility: "public",
    params: {
      room: rules.id,
      members: {
        type: "array",
        max: IMPORTED,
        items: {
          type: "object",
          props: {
            user: rules.id,
            role: { type: "enum", values: [...ROOM_ROLES] },
            state: { type: "enum", values: ["member", "left", "banned"] },
            joinedAt: "string|max:40|optional",
            bannedUntil: "string|max:40|optional",
            mutedUntil: "string|max:40|optional|nullable",
          },
        },
      },
    },
    async handler(this: RoomsService, ctx) {
      return { joined: await this.transfer.admit(ctx.params.room, ctx.params.members) };
    },
  },
  evict: {
    auth: "internal",
    visibility: "public",
    params: { userId: rules.id },
    async handler(this: RoomsService, ctx) {
      await this.rooms.evict(ctx.params.userId);
      return null;
    },
  },
} satisfies ActionsOf<"rooms">;

const RoomsSchema: ServiceSchema<ServiceSettingSchema, never, never, RoomsService> = {
  name: "rooms",
  actions,

  created(this: RoomsService) {
    this.ending = new AbortController();
  },

  async started(this: RoomsService) {
    const platform = platformOf(this.broker);
    const { clock, limits, config } = platform;
    const rooms = await platform.documents<StoredRoom>(ROOMS);
    const members = await platform.documents<StoredMember>(MEMBERS);
    this.writers = new RoomWriters(this.broker);
    const append: Append = requests => this.writers.append(requests);
    const start = (room: string, users: string[]) => call(this.broker, "messages.start", { room, users });
    const { largeRoom, groupMembers } = limits;
    this.changes = new RoomChanges(rooms, members, append, clock, { largeRoom, start }, { groupMembers });
    const decisions = new Decisions(rooms, members, this.changes, clock);
    this.rooms = new Rooms(rooms, members, this.changes, clock, limits, decisions);
    this.people = new RoomPeople(rooms, members);
    this.sanctions = new Sanctions(members, decisions, clock, limits);
    this.invites = new Invites(decisions, clock);
    this.ownership = new Ownership(decisions, clock);
    this.transfer = new RoomTransfer(rooms, members, this.changes, clock);
    if (config.seedDemo) {
      const seeds = await platform.documents<Seed>(SEEDS);
      const admin = () => call(this.broker, "users.byLogin", { login: "admin" });
      const seed = () => seedRooms({ seeds, store: rooms, rooms: this.rooms, append, maxText: limits.text, admin });
      platform.afterStart.push(async () => {
        if (!config.cluster) return void (await seed());
        // The admin and the log may be other nodes', and start later.
        const failures = new Failures(this.logger, "the first rooms have to wait");
        void untilDone(seed, { every: SEED_PAUSE, failures, signal: this.ending.signal });
      });
    }
    this.sweeper = new Rounds(
      () => this.changes.sweep(SWEEP_ROOMS, (room, error) => this.sweeper.failed(error, { room })),
      { every: SWEEP, log: this.logger, what: "a change waits for the next sweep" },
    );
  },

  async stopped(this: RoomsService) {
    this.sweeper?.stop();
    this.ending.abort();
    this.writers?.close();
  },
};

export default RoomsSchema;
