import type { ActionsOf } from "../../core/contract";
import * as rules from "../../core/rules";
import { blocksVia, namesOf, type RoomsService } from "../parts";

const asked = { user: rules.id, browses: "boolean", rooms: { type: "array", max: 1_000, items: "string" } } as const;

/** Who may see what, for the other services. */
export const rights = {
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
  handOver: {
    auth: "internal",
    visibility: "public",
    params: { userId: rules.id },
    async handler(this: RoomsService, ctx) {
      await this.rooms.handOver(ctx.params.userId);
      return null;
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
} satisfies Partial<ActionsOf<"rooms">>;
