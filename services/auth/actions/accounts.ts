import type { ActionsOf } from "../../core/contract";
import * as rules from "../../core/rules";
import { clientOf, usersOf, type AuthService } from "../parts";

/** Longer than any token or password that could fit; not worth the work. */
const secret = "string|min:1|max:1000";

/** How somebody comes in, and goes. */
export const accounts = {
  register: {
    auth: "anyone",
    visibility: "published",
    params: {
      username: rules.username,
      email: rules.email,
      password: rules.password,
      invitation: "string|min:1|max:200|optional",
    },
    handler(this: AuthService, ctx) {
      const { username, email, password, invitation } = ctx.params;
      return this.accounts.register(usersOf(ctx), { username, email, password, invitation }, clientOf(ctx.meta));
    },
  },
  guest: {
    auth: "anyone",
    visibility: "published",
    params: { displayName: rules.shownName({ min: 1, max: 64, optional: true }) },
    handler(this: AuthService, ctx) {
      return this.guests.come(usersOf(ctx), ctx.params.displayName, clientOf(ctx.meta));
    },
  },
  login: {
    auth: "anyone",
    visibility: "published",
    params: { username: "string|min:1|max:320", password: "string|max:1000", code: "string|max:100|optional" },
    handler(this: AuthService, ctx) {
      const { username, password, code } = ctx.params;
      return this.accounts.login(usersOf(ctx), username, password, code, clientOf(ctx.meta));
    },
  },
  refresh: {
    auth: "anyone",
    visibility: "published",
    params: { refreshToken: secret },
    async handler(this: AuthService, ctx) {
      const signedIn = await this.accounts.refresh(usersOf(ctx), ctx.params.refreshToken, clientOf(ctx.meta));
      if (signedIn.user.roles.includes("Guest")) await this.guests.used(signedIn.user.id);
      return signedIn;
    },
  },
  logout: {
    // One of the two tokens will do; the rule asks for it.
    auth: "anyone",
    visibility: "published",
    params: { refreshToken: `${secret}|optional` },
    async handler(this: AuthService, ctx) {
      await this.accounts.logout(usersOf(ctx), ctx.meta.user, ctx.params.refreshToken);
      return null;
    },
  },
} satisfies Partial<ActionsOf<"auth">>;
