import type { ActionsOf } from "../../core/contract";
import { ROLES } from "../../core/permissions";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { note, type AuthService } from "../parts";

/** Letting people in. */
export const invitations = {
  invite: {
    auth: { permission: "invitations.create" },
    visibility: "published",
    params: {
      email: { ...rules.email, optional: true },
      roles: {
        type: "array",
        items: { type: "enum", values: [...ROLES] },
        min: 1,
        max: ROLES.length,
        unique: true,
        optional: true,
      },
      expiresInDays: "number|integer|min:1|max:365|optional",
      uses: "number|integer|min:1|max:1000|optional",
    },
    async handler(this: AuthService, ctx) {
      const { email, roles, expiresInDays, uses } = ctx.params;
      if (email !== undefined) await this.links.spare("invitation", email);
      const made = await this.invitations.make(callerOf(ctx.meta), { email, roles, expiresInDays, uses });
      if (email !== undefined) await this.mail({ kind: "invitation", to: email, about: made.id });
      const detail = { roles: made.roles.join(), uses: made.uses };
      await note(ctx, { type: "invitation.create", object: made.id, result: "ok", detail });
      return made;
    },
  },
  invitations: {
    auth: { permission: "invitations.create" },
    visibility: "published",
    params: {},
    async handler(this: AuthService, ctx) {
      return { items: await this.invitations.list(callerOf(ctx.meta)) };
    },
  },
  withdrawInvitation: {
    auth: { permission: "invitations.create" },
    visibility: "published",
    audit: { type: "invitation.withdraw", object: "id" },
    params: { id: rules.id },
    async handler(this: AuthService, ctx) {
      await this.invitations.withdraw(callerOf(ctx.meta), ctx.params.id);
      return null;
    },
  },
} satisfies Partial<ActionsOf<"auth">>;
