import type { ActionsOf, OwnSession } from "../../core/contract";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import type { Session } from "../auth.store";
import { note, peopleOf, type AuthService } from "../parts";

/** Longer than any token or password that could fit; not worth the work. */
const token = "string|min:1|max:200";
const given = "string|max:1000";
const code = "string|min:1|max:100|optional";
const nothing = {};

/** What people do to their own accounts. */
export const own = {
  verify: {
    auth: "anyone",
    visibility: "published",
    params: { token },
    async handler(this: AuthService, ctx) {
      const actor = await this.own.verify(peopleOf(ctx), ctx.params.token);
      await note(ctx, { type: "account.verify", actor, object: actor, result: "ok" });
      return null;
    },
  },
  resendVerification: {
    auth: "anyone",
    visibility: "published",
    params: { email: rules.email },
    async handler(this: AuthService, ctx) {
      await this.own.resendVerification(ctx.params.email);
      return null;
    },
  },
  forgotPassword: {
    auth: "anyone",
    visibility: "published",
    params: { email: rules.email },
    async handler(this: AuthService, ctx) {
      await this.own.forgotPassword(ctx.params.email);
      return null;
    },
  },
  forgotUsername: {
    auth: "anyone",
    visibility: "published",
    params: { email: rules.email },
    async handler(this: AuthService, ctx) {
      await this.own.forgotUsername(ctx.params.email);
      return null;
    },
  },
  resetPassword: {
    auth: "anyone",
    visibility: "published",
    params: { token, password: rules.password, code },
    async handler(this: AuthService, ctx) {
      const { token: link, password, code: second } = ctx.params;
      const actor = await this.own.resetPassword(peopleOf(ctx), link, { password, code: second });
      await note(ctx, { type: "password.reset", actor, object: actor, result: "ok" });
      return null;
    },
  },
  changePassword: {
    auth: "user",
    visibility: "published",
    params: { currentPassword: given, newPassword: rules.password, code },
    async handler(this: AuthService, ctx) {
      const caller = callerOf(ctx.meta);
      const { currentPassword: password, newPassword, code: second } = ctx.params;
      await this.own.changePassword(peopleOf(ctx), caller, { password, code: second }, newPassword);
      await note(ctx, { type: "password.change", object: caller.id, result: "ok" });
      return null;
    },
  },
  changeUsername: {
    auth: "user",
    visibility: "published",
    params: { password: given, username: rules.username, code },
    async handler(this: AuthService, ctx) {
      const caller = callerOf(ctx.meta);
      const { password, username, code: second } = ctx.params;
      const user = await this.own.changeUsername(peopleOf(ctx), caller, { password, code: second }, username);
      await note(ctx, { type: "username.change", object: caller.id, result: "ok" });
      return user;
    },
  },
  changeEmail: {
    auth: "user",
    visibility: "published",
    params: { password: given, email: rules.email, code },
    async handler(this: AuthService, ctx) {
      const { password, email, code: second } = ctx.params;
      const caller = callerOf(ctx.meta);
      const changed = await this.own.changeEmail(peopleOf(ctx), caller, { password, code: second }, email);
      if (changed) await note(ctx, { type: "email.change", object: caller.id, result: "ok" });
      return null;
    },
  },
  confirmEmail: {
    auth: "anyone",
    visibility: "published",
    params: { token },
    async handler(this: AuthService, ctx) {
      const { userId: actor, changed } = await this.own.confirmEmail(peopleOf(ctx), ctx.params.token);
      if (changed) await note(ctx, { type: "email.change", actor, object: actor, result: "ok" });
      return null;
    },
  },
  cancelEmail: {
    auth: "anyone",
    visibility: "published",
    params: { token },
    async handler(this: AuthService, ctx) {
      await this.own.cancelEmail(ctx.params.token);
      return null;
    },
  },
  deactivate: {
    auth: "user",
    visibility: "published",
    params: { password: given, code },
    async handler(this: AuthService, ctx) {
      const { password, code: second } = ctx.params;
      await this.own.deactivate(peopleOf(ctx), callerOf(ctx.meta), { password, code: second });
      return null;
    },
  },
  ownSessions: {
    auth: "user",
    visibility: "published",
    params: nothing,
    async handler(this: AuthService, ctx) {
      const { id, sid } = callerOf(ctx.meta);
      return { items: (await this.sessions.of(id)).map(session => shown(session, sid)) };
    },
  },
  endOwn: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: AuthService, ctx) {
      await this.own.endSession(callerOf(ctx.meta), ctx.params.id);
      await note(ctx, { type: "session.end", object: ctx.params.id, result: "ok" });
      return null;
    },
  },
  endOthers: {
    auth: "user",
    visibility: "published",
    params: nothing,
    async handler(this: AuthService, ctx) {
      const caller = callerOf(ctx.meta);
      await this.own.endOthers(caller);
      await note(ctx, { type: "session.end", object: caller.id, result: "ok" });
      return null;
    },
  },
} satisfies Partial<ActionsOf<"auth">>;

/** Built field by field: digests of tokens stay here. */
const shown = ({ id, createdAt, lastUsedAt, address, userAgent }: Session, current: string): OwnSession => ({
  id,
  createdAt,
  lastUsedAt: lastUsedAt ?? createdAt,
  ...(address !== undefined && { address }),
  ...(userAgent !== undefined && { userAgent }),
  current: id === current,
});
