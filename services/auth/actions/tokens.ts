import type { ActionsOf } from "../../core/contract";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { SCOPES } from "../../core/scopes";
import { note, usersOf, type AuthService } from "../parts";

/** Days: ten years, for what nobody will look after. */
const LONGEST = 3_650;

const made = {
  name: rules.line({ min: 1, max: 100 }),
  scopes: {
    type: "array",
    items: { type: "enum", values: [...SCOPES] },
    min: 1,
    max: SCOPES.length,
    unique: true,
  },
  expiresInDays: { ...rules.whole(1, LONGEST), optional: true },
} as const;
/** Longer than any token we make. */
const token = "string|min:1|max:4096";

/** Tokens of programs, and what other services ask of tokens. */
export const tokens = {
  createToken: {
    auth: { permission: "tokens.create" },
    visibility: "published",
    params: made,
    async handler(this: AuthService, ctx) {
      const caller = callerOf(ctx.meta);
      const { name, scopes, expiresInDays } = ctx.params;
      const answer = await this.tokens.create(caller, caller, { name, scopes, expiresInDays });
      await note(ctx, { type: "token.create", object: answer.id, result: "ok" });
      return answer;
    },
  },
  tokens: {
    auth: "user",
    visibility: "published",
    params: {},
    async handler(this: AuthService, ctx) {
      return { items: await this.tokens.of(callerOf(ctx.meta).id) };
    },
  },
  removeToken: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: AuthService, ctx) {
      await this.tokens.withdraw(callerOf(ctx.meta), usersOf(ctx), ctx.params.id);
      await note(ctx, { type: "token.revoke", object: ctx.params.id, result: "ok" });
      return null;
    },
  },
  createBotToken: {
    auth: { permission: "bots.manage" },
    visibility: "published",
    params: { bot: rules.id, ...made },
    async handler(this: AuthService, ctx) {
      const { bot, name, scopes, expiresInDays } = ctx.params;
      const answer = await this.tokens.createFor(callerOf(ctx.meta), usersOf(ctx), bot, {
        name,
        scopes,
        expiresInDays,
      });
      await note(ctx, { type: "token.create", object: answer.id, result: "ok", detail: { bot } });
      return answer;
    },
  },
  botTokens: {
    auth: { permission: "bots.manage" },
    visibility: "published",
    params: { bot: rules.id },
    async handler(this: AuthService, ctx) {
      return { items: await this.tokens.ofBot(usersOf(ctx), ctx.params.bot) };
    },
  },
  exchangeToken: {
    auth: "anyone",
    visibility: "published",
    params: { token },
    handler(this: AuthService, ctx) {
      return this.tokens.exchange(usersOf(ctx), ctx.params.token);
    },
  },
  introspect: {
    auth: "user",
    visibility: "published",
    params: { token },
    handler(this: AuthService, ctx) {
      return this.tokens.introspect(callerOf(ctx.meta), usersOf(ctx), ctx.params.token);
    },
  },
} satisfies Partial<ActionsOf<"auth">>;
