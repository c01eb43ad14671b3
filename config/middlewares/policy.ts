import type { ActionSchema, Context, Middleware, ServiceSchema } from "moleculer";
import type { Meta } from "../../services/core/contract";
import { enforce, isPolicy, type Policy } from "../../services/core/policy";
import { enforceAction } from "../../services/core/scopes";

/**
 * Deny by default: a service with an action that does not declare who may call it is not loaded, and neither is one whose
 * visibility contradicts its policy. What is declared, and the scopes of tokens, are enforced in front of every handler,
 * whichever door was used.
 */
export const policyMiddleware: Middleware = {
  name: "Policy",

  serviceCreating(_service: unknown, schema: ServiceSchema) {
    if (schema.name.startsWith("$")) return;
    for (const [name, action] of Object.entries(schema.actions ?? {})) {
      if (action === false) continue;
      const fault = policyFault(action as unknown);
      if (fault) throw Object.assign(new Error(`Action ${schema.name}.${name} ${fault}`), { expected: true });
    }
  },

  localAction(next: (ctx: Context<unknown, Meta>) => Promise<unknown>, action: ActionSchema & { auth?: Policy }) {
    const policy = action.auth;
    if (policy === undefined || policy === "internal") return next;
    return async (ctx: Context<unknown, Meta>) => {
      // First what the token is for: that says more than that a permission is missing.
      enforceAction(action.name ?? "", ctx.meta.user);
      enforce(policy, ctx.meta.user);
      return next(ctx);
    };
  },
} as Middleware;

function policyFault(action: unknown): string | null {
  const { auth, visibility } = (typeof action === "object" ? action : {}) as ActionSchema;
  if (!isPolicy(auth)) return "declares no policy: say `auth` (anyone, user, a permission, or internal)";
  const published = visibility === undefined || visibility === "published";
  if (auth === "internal" && published) return 'is internal and must not be published: set `visibility: "public"`';
  if (auth !== "internal" && visibility !== "published") return 'is meant for clients: set `visibility: "published"`';
  return null;
}
