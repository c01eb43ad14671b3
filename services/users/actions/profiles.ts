import { platformOf } from "../../../config/platform";
import type { ActionsOf } from "../../core/contract";
import { RookeryError } from "../../core/errors";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { allShown, consequencesVia, ownPicture, shown, type UsersService } from "../parts";
import { profileRules } from "../profile";

/** People as they are shown. */
export const profiles = {
  me: {
    auth: "user",
    visibility: "published",
    params: {},
    async handler(this: UsersService, ctx) {
      return shown(this, ctx, await this.directory.get(callerOf(ctx.meta).id));
    },
  },
  get: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      const user = await this.directory.get(ctx.params.id);
      await this.sight.find(callerOf(ctx.meta), user.id);
      return shown(this, ctx, user);
    },
  },
  list: {
    auth: { permission: "users.find" },
    visibility: "published",
    params: { ...rules.paging, search: rules.sought({ max: 100, optional: true }) },
    async handler(this: UsersService, ctx) {
      const page = rules.pageOf(ctx.params, platformOf(this.broker).limits);
      const sight = await this.sight.listed(callerOf(ctx.meta));
      const all = callerOf(ctx.meta).permissions.includes("users.manage");
      const found = await this.directory.list(ctx.params.search, page, sight, all ? {} : { deactivatedAt: null });
      return { ...found, items: await allShown(this, ctx, found.items) };
    },
  },
  personal: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      const caller = callerOf(ctx.meta);
      const user = await this.directory.get(ctx.params.id);
      if (caller.id !== user.id && !caller.permissions.includes("users.manage")) throw new RookeryError("FORBIDDEN");
      return shown(this, ctx, user);
    },
  },
  updateMe: {
    auth: "user",
    visibility: "published",
    params: profileRules,
    async handler(this: UsersService, ctx) {
      const { id } = callerOf(ctx.meta);
      await ownPicture(ctx, id, ctx.params);
      return shown(this, ctx, await this.lifecycle.update(consequencesVia(ctx, this), id, ctx.params));
    },
  },
} satisfies Partial<ActionsOf<"users">>;
