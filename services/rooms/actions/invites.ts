import type { ActionsOf } from "../../core/contract";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { audited, namesOf, standingVia, type RoomsService } from "../parts";

/** Hours a link lasts, unless it is said: a week. */
const LASTS = 168;
/** A year. */
const LONGEST = 8_760;
const MOST_USES = 10_000;

/** Links into rooms. */
export const invites = {
  invite: {
    auth: "user",
    visibility: "published",
    params: {
      id: rules.id,
      expiresInHours: { ...rules.whole(1, LONGEST), optional: true },
      uses: { ...rules.whole(1, MOST_USES), optional: true, nullable: true },
      role: { type: "enum", values: ["member", "guest"], optional: true },
    },
    async handler(this: RoomsService, ctx) {
      const { id, expiresInHours = LASTS, uses = null, role = "member" } = ctx.params;
      const made = await this.invites.create(callerOf(ctx.meta), id, { expiresInHours, uses, role });
      await audited(ctx, true, "room.invite", id, { invite: made.id, role, ...(uses !== null && { uses }) });
      return made;
    },
  },
  invites: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: RoomsService, ctx) {
      return this.invites.list(callerOf(ctx.meta), ctx.params.id, standingVia(ctx));
    },
  },
  endInvite: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, code: rules.id },
    async handler(this: RoomsService, ctx) {
      const { id, code } = ctx.params;
      const ended = await this.invites.end(callerOf(ctx.meta), id, code);
      await audited(ctx, ended !== null, "room.invite", id, { invite: ended ?? "", ended: true });
      return null;
    },
  },
  invitation: {
    auth: "user",
    visibility: "published",
    params: { code: rules.id },
    handler(this: RoomsService, ctx) {
      return this.invites.look(callerOf(ctx.meta), ctx.params.code, namesOf(ctx), standingVia(ctx));
    },
  },
  accept: {
    auth: "user",
    visibility: "published",
    params: { code: rules.id },
    async handler(this: RoomsService, ctx) {
      const { room, used } = await this.invites.accept(callerOf(ctx.meta), ctx.params.code, standingVia(ctx));
      await audited(ctx, used !== null, "room.invite", room.id, { invite: used ?? "", used: true });
      return room;
    },
  },
} satisfies Partial<ActionsOf<"rooms">>;
