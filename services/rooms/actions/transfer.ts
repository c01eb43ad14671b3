import type { ActionsOf } from "../../core/contract";
import { MAX_RETENTION_DAYS } from "../../core/limits";
import { ROOM_ROLES } from "../../core/permissions";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { history, legalHold, mode, name, slowMode } from "./fields";
import type { RoomsService } from "../parts";

/** Members brought into a room by one change. */
const IMPORTED = 100;

/** What retention, exports and imports need of rooms. */
export const transfer = {
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
} satisfies Partial<ActionsOf<"rooms">>;
