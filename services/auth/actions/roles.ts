import type { ActionsOf } from "../../core/contract";
import { PERMISSIONS, ROLES } from "../../core/permissions";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { note, usersOf, type AuthService } from "../parts";

/** What roles allow. */
export const roles = {
  roles: {
    auth: "user",
    visibility: "published",
    params: {},
    async handler(this: AuthService) {
      return { items: await this.roles.list(), permissions: PERMISSIONS };
    },
  },
  standing: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id },
    async handler(this: AuthService, ctx) {
      const record = await usersOf(ctx).record(ctx.params.user);
      return record && !record.deactivated ? this.roles.permissionsOf(record.roles) : null;
    },
  },
  setRole: {
    auth: { permission: "roles.manage" },
    visibility: "published",
    params: {
      role: { type: "enum", values: [...ROLES] },
      permissions: { type: "array", items: { type: "enum", values: [...PERMISSIONS] }, unique: true },
    },
    async handler(this: AuthService, ctx) {
      const { role, permissions } = ctx.params;
      const answer = await this.roles.change(role, permissions, callerOf(ctx.meta));
      const detail = { permissions: answer.permissions.join(" ") };
      await note(ctx, {
        type: "permissions.change",
        object: role,
        result: "ok",
        detail,
      });
      return answer;
    },
  },
  rolesWithin: {
    auth: "internal",
    visibility: "public",
    params: { roles: { type: "array", items: { type: "enum", values: [...ROLES] }, max: ROLES.length } },
    handler(this: AuthService, ctx) {
      return this.roles.within(ctx.params.roles);
    },
  },
} satisfies Partial<ActionsOf<"auth">>;
