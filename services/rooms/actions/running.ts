import type { ActionsOf } from "../../core/contract";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { audited, namesOf, standingVia, type RoomsService } from "../parts";
import type { Sentence } from "../sanctions";

const member = { id: rules.id, userId: rules.id } as const;
const sentence = {
  ...member,
  until: "string|max:40|optional|nullable",
  reason: rules.line({ max: 300, optional: true, nullable: true }),
} as const;

const sentenceOf = ({ until = null, reason = null }: Partial<Sentence>): Sentence => ({ until, reason });

/** What is recorded of one. A reason is what somebody says: that is not. */
const detailOf = (userId: string, { until }: Sentence) => ({ userId, ...(until !== null && { until }) });

/** What those decide who run a room, or own it. */
export const running = {
  transfer: {
    auth: "user",
    visibility: "published",
    params: member,
    async handler(this: RoomsService, ctx) {
      const { id, userId } = ctx.params;
      const changed = await this.ownership.transfer(callerOf(ctx.meta), id, userId);
      await audited(ctx, changed, "room.transfer", id, { userId });
      return null;
    },
  },
  archive: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: RoomsService, ctx) {
      const { room, changed } = await this.ownership.archive(callerOf(ctx.meta), ctx.params.id, true);
      await audited(ctx, changed, "room.archive", room.id);
      return room;
    },
  },
  unarchive: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: RoomsService, ctx) {
      const { room, changed } = await this.ownership.archive(callerOf(ctx.meta), ctx.params.id, false);
      await audited(ctx, changed, "room.unarchive", room.id);
      return room;
    },
  },
  ban: {
    auth: "user",
    visibility: "published",
    params: sentence,
    async handler(this: RoomsService, ctx) {
      const { id, userId, ...said } = ctx.params;
      const given = sentenceOf(said);
      const changed = await this.sanctions.ban(callerOf(ctx.meta), id, userId, given, {
        names: namesOf(ctx),
        standing: standingVia(ctx),
      });
      await audited(ctx, changed, "room.ban", id, detailOf(userId, given));
      return null;
    },
  },
  unban: {
    auth: "user",
    visibility: "published",
    params: member,
    async handler(this: RoomsService, ctx) {
      const { id, userId } = ctx.params;
      const changed = await this.sanctions.unban(callerOf(ctx.meta), id, userId);
      await audited(ctx, changed, "room.unban", id, { userId });
      return null;
    },
  },
  bans: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, ...rules.paging },
    handler(this: RoomsService, ctx) {
      const { id, ...paging } = ctx.params;
      return this.sanctions.bans(callerOf(ctx.meta), id, paging, namesOf(ctx));
    },
  },
  mute: {
    auth: "user",
    visibility: "published",
    params: sentence,
    async handler(this: RoomsService, ctx) {
      const { id, userId, ...said } = ctx.params;
      const given = sentenceOf(said);
      const changed = await this.sanctions.mute(callerOf(ctx.meta), id, userId, given);
      await audited(ctx, changed, "room.mute", id, detailOf(userId, given));
      return null;
    },
  },
  unmute: {
    auth: "user",
    visibility: "published",
    params: member,
    async handler(this: RoomsService, ctx) {
      const { id, userId } = ctx.params;
      const changed = await this.sanctions.unmute(callerOf(ctx.meta), id, userId);
      await audited(ctx, changed, "room.unmute", id, { userId });
      return null;
    },
  },
} satisfies Partial<ActionsOf<"rooms">>;
