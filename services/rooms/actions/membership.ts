import { call, type ActionsOf } from "../../core/contract";
import { MAX_RETENTION_DAYS } from "../../core/limits";
import { ROOM_ROLES } from "../../core/permissions";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import type { People } from "../member-list";
import { history, legalHold, mode, name, slowMode } from "./fields";
import { audited, barriersVia, namesOf, type RoomsService } from "../parts";

const retentionDays = { ...rules.whole(0, MAX_RETENTION_DAYS), optional: true, nullable: true } as const;
const topic = rules.line({ max: 500, optional: true, nullable: true });

/** Rooms, and who is in them. */
export const membership = {
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
    async handler(this: RoomsService, ctx) {
      const { id, ...edit } = ctx.params;
      const { room, changed } = await this.rooms.update(callerOf(ctx.meta), id, edit);
      await audited(ctx, Object.keys(changed).length > 0, "room.settings", id, changed);
      return room;
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
      prefix: rules.sought({ min: 1, max: 100, optional: true }),
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
} satisfies Partial<ActionsOf<"rooms">>;
