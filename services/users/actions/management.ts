import { platformOf } from "../../../config/platform";
import { audit } from "../../core/audit";
import type { ActionsOf } from "../../core/contract";
import { RookeryError } from "../../core/errors";
import { newId } from "../../core/ids";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { askForErasure } from "../erasures";
import { allShown, consequencesVia, managing, ownPicture, reachVia, shown, type UsersService } from "../parts";
import { profileRules } from "../profile";
import { roleRules } from "../user";

/** Roles, who is kept out, who goes; and bots. */
export const management = {
  update: {
    auth: { permission: "users.manage" },
    visibility: "published",
    audit: { type: "roles.change", object: "id", detail: ["roles"], when: "roles" },
    params: { id: rules.id, ...profileRules, roles: { ...roleRules, optional: true } },
    async handler(this: UsersService, ctx) {
      const { id, roles: wanted, ...profile } = ctx.params;
      const reach = await reachVia(ctx);
      reach.over(wanted ?? []);
      await ownPicture(ctx, id, profile);
      const consequences = consequencesVia(ctx, this);
      return shown(this, ctx, await this.lifecycle.update(consequences, id, profile, wanted, managing(reach)));
    },
  },
  deactivate: {
    auth: { permission: "users.manage" },
    visibility: "published",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      const { id } = ctx.params;
      const user = await this.lifecycle.deactivate(consequencesVia(ctx, this), id, managing(await reachVia(ctx)));
      const { clock } = platformOf(this.broker);
      await audit(ctx, clock, { type: "account.deactivate", object: id, result: "ok", detail: { active: false } });
      return shown(this, ctx, user);
    },
  },
  activate: {
    auth: { permission: "users.manage" },
    visibility: "published",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      const { id } = ctx.params;
      const user = await this.lifecycle.activate(id, managing(await reachVia(ctx)));
      const { clock } = platformOf(this.broker);
      await audit(ctx, clock, { type: "account.deactivate", object: id, result: "ok", detail: { active: true } });
      return shown(this, ctx, user);
    },
  },
  remove: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, erase: { type: "boolean", convert: true, optional: true } },
    async handler(this: UsersService, ctx) {
      const { id, erase } = ctx.params;
      const caller = callerOf(ctx.meta);
      // Accounts are for people: what a program was given says nothing of its owner's own.
      if (caller.id === id && caller.scopes)
        throw new RookeryError("FORBIDDEN", "No token with scopes may do this: sign in.");
      const manages = caller.id !== id && caller.permissions.includes("users.manage");
      const guard = manages ? managing(await reachVia(ctx)) : undefined;
      const { clock } = platformOf(this.broker);
      const consequences = consequencesVia(ctx, this);
      if (erase) {
        await askForErasure(this.lifecycle, this.erasures, consequences, id, caller, guard);
        this.eraser.hurry();
      } else await this.lifecycle.remove(consequences, id, caller, guard);
      await audit(ctx, clock, { type: erase ? "account.erase" : "account.delete", object: id, result: "ok" });
      return null;
    },
  },
  erasure: {
    auth: { permission: "users.manage" },
    visibility: "published",
    params: { id: rules.id },
    handler(this: UsersService, ctx) {
      return this.erasures.of(ctx.params.id);
    },
  },
  createBot: {
    auth: { permission: "bots.manage" },
    visibility: "published",
    params: { username: rules.username, displayName: rules.shownName({ min: 1, max: 64, optional: true }) },
    async handler(this: UsersService, ctx) {
      const { username, displayName } = ctx.params;
      (await reachVia(ctx)).over(["User"]);
      const { id } = await this.lifecycle.create({ id: newId(), username, displayName, bot: true });
      await audit(ctx, platformOf(this.broker).clock, { type: "bot.create", object: id, result: "ok" });
      return shown(this, ctx, await this.directory.get(id));
    },
  },
  bots: {
    auth: { permission: "bots.manage" },
    visibility: "published",
    params: rules.paging,
    async handler(this: UsersService, ctx) {
      const page = rules.pageOf(ctx.params, platformOf(this.broker).limits);
      const found = await this.directory.list(undefined, page, null, { bot: true });
      return { ...found, items: await allShown(this, ctx, found.items) };
    },
  },
  removeBot: {
    auth: { permission: "bots.manage" },
    visibility: "published",
    audit: { type: "account.delete", object: "id" },
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      await this.lifecycle.removeBot(consequencesVia(ctx, this), ctx.params.id, managing(await reachVia(ctx)));
      return null;
    },
  },
} satisfies Partial<ActionsOf<"users">>;
