import type { ActionsOf } from "../../core/contract";
import { INTERNAL } from "../../core/limits";
import * as rules from "../../core/rules";
import { spending } from "../../core/spending";
import { inspect } from "../operators";
import type { MessagesService } from "../parts";

/** The room log, for the other services. */
export const log = {
  spend: {
    auth: "internal",
    visibility: "public",
    params: spending(["sends"]),
    handler(this: MessagesService, ctx) {
      return this.sends.told(ctx.params.items);
    },
  },
  append: {
    auth: "internal",
    visibility: "public",
    params: {
      entries: { type: "array", min: 1, max: INTERNAL.appendEntries, items: { type: "object", strict: false } },
      line: rules.id,
      n: "number|integer|min:1",
      after: { type: "array", max: INTERNAL.callsBefore, items: "number|integer|min:1" },
    },
    async handler(this: MessagesService, ctx) {
      const { entries, ...turn } = ctx.params;
      const answers = await this.order.run(turn, () => this.log.append(entries));
      this.trimmer.appended(entries, answers);
      return answers;
    },
  },
  heads: {
    auth: "internal",
    visibility: "public",
    params: { rooms: { type: "array", max: 1_000, items: rules.id } },
    async handler(this: MessagesService, ctx) {
      return { epoch: this.store.epoch, heads: Object.fromEntries(await this.store.heads(ctx.params.rooms)) };
    },
  },
  range: {
    auth: "internal",
    visibility: "public",
    params: {
      room: rules.id,
      after: "number|integer|min:0",
      limit: "number|integer|min:1|max:1000",
      maxBytes: "number|integer|min:1",
    },
    async handler(this: MessagesService, ctx) {
      const { room, after, limit, maxBytes } = ctx.params;
      const events = await this.store.events(room, after, limit, maxBytes);
      const head = (await this.store.heads([room])).get(room) ?? { offset: 0, seq: 0, floor: 1 };
      return { events, more: (events.at(-1)?.offset ?? head.offset) < head.offset, head };
    },
  },
  start: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, users: { type: "array", max: 1_000, items: rules.id } },
    async handler(this: MessagesService, ctx) {
      await this.reading.start(ctx.params.room, ctx.params.users);
      return null;
    },
  },
  inspect: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return inspect(this.store, ctx.params.id);
    },
  },
  trace: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, offset: "number|integer|min:1" },
    handler(this: MessagesService, ctx) {
      return this.trace.of(ctx.params.room, ctx.params.offset);
    },
  },
  shows: {
    auth: "internal",
    visibility: "public",
    params: {
      file: rules.id,
      rooms: { type: "array", max: 1_000, items: { type: "object", props: { room: rules.id, visibleFrom: "number" } } },
    },
    handler(this: MessagesService, ctx) {
      return this.store.shows(ctx.params.file, ctx.params.rooms);
    },
  },
  retention: {
    auth: "internal",
    visibility: "public",
    params: { now: "boolean|optional" },
    handler(this: MessagesService, ctx) {
      if (ctx.params.now) this.rounds.hurry();
      return this.retention.now;
    },
  },
} satisfies Partial<ActionsOf<"messages">>;
