import type { Context } from "moleculer";
import type { ActionsOf, Meta, UserRecord } from "../../core/contract";
import { RookeryError } from "../../core/errors";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { noteRefusal } from "../reauthentication";
import { askingVia, note, usersOf, type AuthService } from "../parts";

const code = "string|min:1|max:100";
const password = "string|min:1|max:1000";

/** Codes of an app besides the password. */
export const secondFactor = {
  totp: {
    auth: "user",
    visibility: "published",
    params: {},
    handler(this: AuthService, ctx) {
      return this.secondFactors.state(callerOf(ctx.meta).id);
    },
  },
  beginTotp: {
    auth: "user",
    visibility: "published",
    params: { password },
    async handler(this: AuthService, ctx) {
      const { id, username } = callerOf(ctx.meta);
      await this.reauthentication.demandPassword(askingVia(ctx), id, ctx.params.password);
      return this.secondFactors.begin(id, username);
    },
  },
  confirmTotp: {
    auth: "user",
    visibility: "published",
    params: { code },
    async handler(this: AuthService, ctx) {
      const caller = callerOf(ctx.meta);
      const { id } = caller;
      const recoveryCodes = await this.secondFactors.confirm(id, ctx.params.code, () =>
        noteRefusal(askingVia(ctx), id, "code"),
      );
      await this.duty.changed(caller, this.accounts);
      await changed(ctx, id, "on");
      return { recoveryCodes };
    },
  },
  removeTotp: {
    auth: "user",
    visibility: "published",
    params: { password, code },
    async handler(this: AuthService, ctx) {
      const caller = callerOf(ctx.meta);
      await this.reauthentication.demand(askingVia(ctx), caller.id, ctx.params.password, ctx.params.code);
      await removed(this, ctx, caller);
      return null;
    },
  },
  renewRecoveryCodes: {
    auth: "user",
    visibility: "published",
    params: { password, code },
    async handler(this: AuthService, ctx) {
      const { id } = callerOf(ctx.meta);
      await this.reauthentication.demand(askingVia(ctx), id, ctx.params.password, ctx.params.code);
      const recoveryCodes = await this.secondFactors.renewRecoveryCodes(id);
      await changed(ctx, id, "recovery codes");
      return { recoveryCodes };
    },
  },
  resetTotp: {
    auth: { permission: "users.manage" },
    visibility: "published",
    params: { id: rules.id },
    async handler(this: AuthService, ctx) {
      const { id } = ctx.params;
      const user = await usersOf(ctx).record(id);
      if (!user) throw new RookeryError("NOT_FOUND");
      (await this.roles.reachOf(callerOf(ctx.meta))).over(user.roles);
      await removed(this, ctx, user);
      return null;
    },
  },
} satisfies Partial<ActionsOf<"auth">>;

async function removed(
  service: AuthService,
  ctx: Context<unknown, Meta>,
  user: Pick<UserRecord, "id" | "roles">,
): Promise<void> {
  if (!(await service.secondFactors.remove(user.id))) return;
  await service.duty.changed(user, service.accounts);
  await changed(ctx, user.id, "off");
}

const changed = (ctx: Context<unknown, Meta>, object: string, to: string): Promise<void> =>
  note(ctx, { type: "second-factor.change", object, result: "ok", detail: { to } });
