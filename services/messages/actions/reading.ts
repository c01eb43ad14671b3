import { platformOf } from "../../../config/platform";
import type { ActionsOf } from "../../core/contract";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { openRoom, roomList } from "../overview";
import { roomsOf, type MessagesService } from "../parts";

const optionalSeq = { ...rules.whole(0), optional: true } as const;

/** What people read. */
export const reading = {
  history: {
    auth: "user",
    visibility: "published",
    params: {
      id: rules.id,
      before: optionalSeq,
      after: optionalSeq,
      around: optionalSeq,
      limit: { ...rules.whole(1), optional: true },
      ...rules.paging,
    },
    handler(this: MessagesService, ctx) {
      const { id, ...query } = ctx.params;
      return this.messages.history(roomsOf(ctx), callerOf(ctx.meta).id, id, query);
    },
  },
  get: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return this.messages.get(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id);
    },
  },
  pins: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return this.messages.pins(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id);
    },
  },
  versions: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return this.messages.versions(roomsOf(ctx), callerOf(ctx.meta), ctx.params.id);
    },
  },
  replies: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, before: optionalSeq, after: optionalSeq, limit: { ...rules.whole(1), optional: true } },
    handler(this: MessagesService, ctx) {
      const { id, ...query } = ctx.params;
      return this.messages.replies(roomsOf(ctx), callerOf(ctx.meta).id, id, query);
    },
  },
  threads: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, ...rules.paging },
    handler(this: MessagesService, ctx) {
      return this.messages.threads(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id, ctx.params);
    },
  },
  receipts: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, ...rules.paging },
    handler(this: MessagesService, ctx) {
      const { id, ...paging } = ctx.params;
      return this.messages.receipts(roomsOf(ctx), callerOf(ctx.meta).id, id, paging);
    },
  },
  unread: {
    auth: "user",
    visibility: "published",
    params: {},
    handler(this: MessagesService, ctx) {
      return this.reading.unread(roomsOf(ctx), callerOf(ctx.meta).id);
    },
  },
  overview: {
    auth: "user",
    visibility: "published",
    params: rules.paging,
    handler(this: MessagesService, ctx) {
      const { limits } = platformOf(this.broker);
      return roomList(this.store, roomsOf(ctx), callerOf(ctx.meta).id, ctx.params, limits);
    },
  },
  open: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, around: optionalSeq, limit: { ...rules.whole(1), optional: true } },
    handler(this: MessagesService, ctx) {
      const { id, ...query } = ctx.params;
      const { limits } = platformOf(this.broker);
      return openRoom(this.store, roomsOf(ctx), callerOf(ctx.meta).id, id, query, limits);
    },
  },
} satisfies Partial<ActionsOf<"messages">>;
