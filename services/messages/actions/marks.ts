import type { ActionsOf } from "../../core/contract";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { reachable, roomsOf, type MessagesService } from "../parts";

const seq = rules.whole(0);

/** How far people have read. */
export const marks = {
  readThread: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, seq },
    async handler(this: MessagesService, ctx) {
      reachable(ctx);
      await this.messages.readThread(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id, ctx.params.seq);
      return null;
    },
  },
  read: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, seq, private: "boolean|optional" },
    async handler(this: MessagesService, ctx) {
      const { id, seq: upTo, private: alone } = ctx.params;
      reachable(ctx);
      await this.reading.read(roomsOf(ctx), callerOf(ctx.meta).id, id, upTo, alone);
      return null;
    },
  },
  readAll: {
    auth: "user",
    visibility: "published",
    params: { private: "boolean|optional" },
    async handler(this: MessagesService, ctx) {
      reachable(ctx);
      await this.reading.readAll(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.private);
      return null;
    },
  },
  markUnread: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, seq: rules.whole(1) },
    async handler(this: MessagesService, ctx) {
      reachable(ctx);
      await this.reading.unreadFrom(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id, ctx.params.seq);
      return null;
    },
  },
  delivered: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, seq },
    async handler(this: MessagesService, ctx) {
      reachable(ctx);
      await this.reading.delivered(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id, ctx.params.seq);
      return null;
    },
  },
} satisfies Partial<ActionsOf<"messages">>;
