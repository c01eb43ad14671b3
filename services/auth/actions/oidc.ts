import type { Context } from "moleculer";
import { platformOf } from "../../../config/platform";
import { BrowserCookie } from "../../core/browser-cookie";
import type { ActionsOf, Meta } from "../../core/contract";
import { newSecret } from "../../core/ids";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { askingVia, clientOf, membersOf, note, usersOf, type AuthService } from "../parts";

const provider = "string|min:1|max:32";
/** A page of this origin: nothing that a browser would take for another host. */
const returnTo = { type: "string", max: 500, pattern: /^\/(?![/\\])[^\s\\#\p{Cc}\p{Cs}]*$/u, optional: true } as const;
const said = "string|max:4096|optional";

/** Sign-in with others. */
export const oidc = {
  oidcProviders: {
    auth: "anyone",
    visibility: "published",
    params: {},
    handler(this: AuthService) {
      return { items: this.oidc.providers };
    },
  },
  oidcStart: {
    auth: "anyone",
    visibility: "published",
    params: { provider, returnTo },
    async handler(this: AuthService, ctx) {
      return redirect(ctx, await this.oidc.setOut(ctx.params.provider, remember(this, ctx), ctx.params.returnTo));
    },
  },
  oidcCallback: {
    auth: "anyone",
    visibility: "published",
    params: { provider, code: said, state: said, iss: said, error: said, error_description: said },
    async handler(this: AuthService, ctx) {
      const { provider: id, ...query } = ctx.params;
      const { config } = platformOf(this.broker);
      const { path, linked } = await this.oidc.end(membersOf(ctx), id, ctx.meta.browser, query);
      if (linked !== null)
        await note(ctx, { type: "identity.link", actor: linked, result: "ok", detail: { provider: id } });
      return redirect(ctx, `${config.publicUrl ?? ""}${path}`);
    },
  },
  oidcExchange: {
    auth: "anyone",
    visibility: "published",
    params: { code: "string|min:1|max:100", totp: "string|max:100|optional" },
    async handler(this: AuthService, ctx) {
      const { code, totp } = ctx.params;
      const answer = await this.oidc.exchange(usersOf(ctx), code, ctx.meta.browser, totp, clientOf(ctx.meta));
      const { id } = answer.user;
      await note(ctx, { type: "login", actor: id, object: id, result: "ok" });
      return answer;
    },
  },
  oidcLink: {
    auth: "user",
    visibility: "published",
    params: {
      provider,
      returnTo,
      password: "string|min:1|max:1000|optional",
      code: "string|min:1|max:100|optional",
    },
    async handler(this: AuthService, ctx) {
      const caller = callerOf(ctx.meta);
      await this.reauthentication.demandAny(askingVia(ctx), caller.id, ctx.params.password, ctx.params.code);
      const browser = remember(this, ctx);
      return { url: await this.oidc.begin(ctx.params.provider, browser, ctx.params.returnTo, caller) };
    },
  },
  identities: {
    auth: "user",
    visibility: "published",
    params: {},
    async handler(this: AuthService, ctx) {
      return { items: await this.identities.of(callerOf(ctx.meta).id) };
    },
  },
  unlink: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: AuthService, ctx) {
      const { id } = callerOf(ctx.meta);
      await this.identities.unlink(id, ctx.params.id, await this.reauthentication.hasPassword(id));
      const detail = { removed: true };
      await note(ctx, {
        type: "identity.link",
        object: ctx.params.id,
        result: "ok",
        detail,
      });
      return null;
    },
  },
} satisfies Partial<ActionsOf<"auth">>;

/** The browser's secret; one that has none gets it. Several sign-ins of one browser may be under way. */
function remember(service: AuthService, ctx: Context<unknown, Meta>): string {
  const browser = ctx.meta.browser ?? newSecret();
  const cookie = new BrowserCookie(platformOf(service.broker).config.publicUrl);
  ctx.meta.$responseHeaders = { "Set-Cookie": cookie.write(browser), "Cache-Control": "no-store" };
  return browser;
}

function redirect(ctx: Context<unknown, Meta>, to: string): Record<string, never> {
  ctx.meta.$statusCode = 302;
  // A header has no letters beyond ASCII.
  ctx.meta["$location"] = to.replace(/[^\x21-\x7e]+/g, encodeURIComponent);
  return {};
}
