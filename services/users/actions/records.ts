import { platformOf } from "../../../config/platform";
import { audit } from "../../core/audit";
import type { ActionsOf } from "../../core/contract";
import { PERMISSIONS } from "../../core/permissions";
import * as rules from "../../core/rules";
import { consequencesVia, type UsersService } from "../parts";
import { roleRules } from "../user";

/** What other services ask of users, and have done to them. */
export const records = {
  create: {
    auth: "internal",
    visibility: "public",
    params: {
      id: rules.id,
      username: rules.username,
      email: "string|min:3|max:254|optional",
      roles: { ...roleRules, optional: true },
      displayName: rules.shownName({ min: 1, max: 64, optional: true }),
      unverified: "boolean|optional",
    },
    handler(this: UsersService, ctx) {
      const { id, username, email, roles: given, displayName, unverified } = ctx.params;
      return this.lifecycle.create({ id, username, email, roles: given, displayName, unverified });
    },
  },
  verified: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id, email: "string|max:254" },
    async handler(this: UsersService, ctx) {
      await this.directory.verified(ctx.params.id, ctx.params.email);
      return null;
    },
  },
  setEmail: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id, email: rules.email },
    async handler(this: UsersService, ctx) {
      await this.directory.setEmail(ctx.params.id, ctx.params.email);
      return null;
    },
  },
  setUsername: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id, username: rules.username },
    handler(this: UsersService, ctx) {
      return this.directory.setUsername(ctx.params.id, ctx.params.username);
    },
  },
  leave: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      const { id } = ctx.params;
      await this.lifecycle.deactivate(consequencesVia(ctx, this), id);
      const { clock } = platformOf(this.broker);
      await audit(ctx, clock, { type: "account.deactivate", object: id, result: "ok", detail: { active: false } });
      return null;
    },
  },
  expire: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id },
    async handler(this: UsersService, ctx) {
      await this.lifecycle.expire(consequencesVia(ctx, this), ctx.params.id);
      return null;
    },
  },
  assignRoles: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id, managed: { ...roleRules, min: 0 }, held: { ...roleRules, min: 0 } },
    handler(this: UsersService, ctx) {
      const { id, managed, held } = ctx.params;
      return this.lifecycle.assignRoles(consequencesVia(ctx, this), id, managed, held);
    },
  },
  emails: {
    auth: "internal",
    visibility: "public",
    params: { ids: { type: "array", items: "string|max:200", max: 1_000 } },
    handler(this: UsersService, ctx) {
      return this.directory.emails(ctx.params.ids);
    },
  },
  byLogin: {
    auth: "internal",
    visibility: "public",
    params: { login: "string|max:320" },
    handler(this: UsersService, ctx) {
      return this.directory.byLogin(ctx.params.login);
    },
  },
  record: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id },
    handler(this: UsersService, ctx) {
      return this.directory.record(ctx.params.id);
    },
  },
  names: {
    auth: "internal",
    visibility: "public",
    params: { ids: { type: "array", items: "string|max:200", max: 10_000 }, active: "boolean|optional" },
    handler(this: UsersService, ctx) {
      return this.directory.names(ctx.params.ids, ctx.params.active);
    },
  },
  byUsernames: {
    auth: "internal",
    visibility: "public",
    params: { usernames: { type: "array", items: "string|max:200", max: 10_000 } },
    handler(this: UsersService, ctx) {
      return this.directory.byUsernames(ctx.params.usernames);
    },
  },
  startingWith: {
    auth: "internal",
    visibility: "public",
    params: { prefix: rules.sought({ min: 1, max: 100 }), limit: "number|integer|min:1|max:1000" },
    handler(this: UsersService, ctx) {
      return this.directory.startingWith(ctx.params.prefix, ctx.params.limit);
    },
  },
  shows: {
    auth: "internal",
    visibility: "public",
    params: {
      user: rules.id,
      file: rules.id,
      viewer: {
        type: "object",
        optional: true,
        props: { id: rules.id, permissions: { type: "array", items: { type: "enum", values: [...PERMISSIONS] } } },
      },
    },
    async handler(this: UsersService, ctx) {
      const { user, file, viewer } = ctx.params;
      return (await this.directory.shows(user, file)) && (!viewer || this.sight.finds(viewer, user));
    },
  },
} satisfies Partial<ActionsOf<"users">>;
