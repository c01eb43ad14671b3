import type { ActionsOf } from "../../core/contract";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import type { UsersService } from "../parts";
import { preferenceRules } from "../preference-rules";

/** How people want things to be, for themselves. */
export const preferences = {
  preferences: {
    auth: "user",
    visibility: "published",
    params: {},
    handler(this: UsersService, ctx) {
      return this.preferences.of(callerOf(ctx.meta).id);
    },
  },
  updatePreferences: {
    auth: "user",
    visibility: "published",
    params: preferenceRules,
    handler(this: UsersService, ctx) {
      return this.preferences.change(callerOf(ctx.meta).id, ctx.params);
    },
  },
  discreet: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id },
    handler(this: UsersService, ctx) {
      return this.sight.discreet(ctx.params.user);
    },
  },
} satisfies Partial<ActionsOf<"users">>;
