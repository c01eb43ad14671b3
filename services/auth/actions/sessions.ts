import type { ActionsOf, SessionFacts } from "../../core/contract";
import * as rules from "../../core/rules";
import type { Session } from "../auth.store";
import type { AuthService } from "../parts";

/** Sign-ins that last, and the log of those that must be refused. */
export const sessions = {
  revoke: {
    auth: "internal",
    visibility: "public",
    params: {
      userId: rules.id,
      forget: "boolean|optional",
      keepSessions: "boolean|optional",
      banned: "boolean|optional",
    },
    async handler(this: AuthService, ctx) {
      const { userId, ...how } = ctx.params;
      await this.accounts.revoke(userId, how);
      return null;
    },
  },
  sessions: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id },
    async handler(this: AuthService, ctx) {
      return (await this.sessions.of(ctx.params.user)).map(factsOf);
    },
  },
  endSession: {
    auth: "internal",
    visibility: "public",
    audit: { type: "session.end", object: "session" },
    params: { session: rules.id },
    async handler(this: AuthService, ctx) {
      const ended = await this.accounts.endSession(ctx.params.session);
      return ended && factsOf(ended);
    },
  },
  revocations: {
    auth: "internal",
    visibility: "public",
    params: { after: rules.whole(0) },
    handler(this: AuthService, ctx) {
      return this.revocations.after(ctx.params.after);
    },
  },
} satisfies Partial<ActionsOf<"auth">>;

/** Digests of tokens stay here. */
const factsOf = ({ id, userId, createdAt, expiresAt }: Session): SessionFacts => ({
  id,
  user: userId,
  createdAt,
  expiresAt,
});
