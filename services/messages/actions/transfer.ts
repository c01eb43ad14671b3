import { ASIDE, type ActionsOf } from "../../core/contract";
import * as rules from "../../core/rules";
import type { MessagesService } from "../parts";

const seq = rules.whole(0);

/** What goes out in exports, comes in by imports, and is erased. */
export const transfer = {
  exportPage: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, after: seq, upTo: seq, visibleFrom: seq, limit: rules.whole(1, 500) },
    handler(this: MessagesService, ctx) {
      return this.transfer.page(ctx.params.room, ctx.params);
    },
  },
  exportReactions: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, offset: rules.whole(1), skip: seq, limit: rules.whole(1, 5_000) },
    handler(this: MessagesService, ctx) {
      const { room, offset, skip, limit } = ctx.params;
      return this.transfer.reactions(room, offset, skip, limit);
    },
  },
  exportOwn: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, user: rules.id, after: "string|max:200", limit: rules.whole(1, 500) },
    handler(this: MessagesService, ctx) {
      const { room, user, after, limit } = ctx.params;
      return this.transfer.own(room, user, after, limit);
    },
  },
  exportVersions: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, offset: rules.whole(1), skip: seq },
    handler(this: MessagesService, ctx) {
      const { room, offset, skip } = ctx.params;
      return this.transfer.versions(room, offset, skip);
    },
  },
  exportAside: {
    auth: "internal",
    visibility: "public",
    params: {
      user: rules.id,
      what: { type: "enum", values: [...ASIDE] },
      after: { type: "object", optional: true, props: { room: rules.id, seq } },
      limit: rules.whole(1, 500),
    },
    handler(this: MessagesService, ctx) {
      const { user, what, after, limit } = ctx.params;
      return this.store.aside(user, what, after, limit);
    },
  },
  exportMarks: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, user: rules.id },
    handler(this: MessagesService, ctx) {
      return this.store.markOf(ctx.params.room, ctx.params.user);
    },
  },
  importMarks: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, users: { type: "array", max: 500, items: rules.id }, seq },
    async handler(this: MessagesService, ctx) {
      const { room, users, seq: upTo } = ctx.params;
      await this.reading.imported(room, users, upTo);
      return null;
    },
  },
  erase: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, user: rules.id, after: "string|max:200" },
    handler(this: MessagesService, ctx) {
      const { room, user, after } = ctx.params;
      return this.erasure.step(room, user, after);
    },
  },
  forget: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, user: rules.id },
    async handler(this: MessagesService, ctx) {
      await this.erasure.forget(ctx.params.room, ctx.params.user);
      return null;
    },
  },
} satisfies Partial<ActionsOf<"messages">>;
