import type { ActionSchema, Context, Middleware, Service, ServiceBroker, ServiceSchema } from "moleculer";
import { attachTrail, audit, auditOften, isAuditType, sender, trailOf } from "../../services/core/audit";
import type { AuditDeclaration, AuditNote } from "../../services/core/audit";
import { AuditTrail } from "../../services/core/audit-trail";
import type { Meta } from "../../services/core/contract";
import { publicError, type ErrorCode } from "../../services/core/errors";
import { metricsOf } from "../metrics";
import { platformOf } from "../platform";

/** What a caller is told who may not. */
const REFUSALS: readonly ErrorCode[] = ["FORBIDDEN", "UNAUTHENTICATED"];

type Handler = (ctx: Context<unknown, Meta>) => Promise<unknown>;

/**
 * Records every call of an action that declares `audit`, whoever made it, before it is answered; and keeps what the audit
 * log cannot take now until it can. A declaration that does not fit its action ends the start.
 */
export function auditMiddleware(): Middleware {
  return {
    name: "Audit",

    created(broker: ServiceBroker) {
      const log = broker.getLogger("audit");
      const metrics = metricsOf(broker);
      const trail = new AuditTrail({
        send: sender(broker),
        counted: (outcome, records) => metrics.audited(outcome, records),
        lost: error => log.error("records of the audit log are lost", { error: String(error) }),
      });
      metrics.watchQueue("audit", () => trail.size);
      attachTrail(broker, trail);
    },

    serviceCreating(_service: unknown, schema: ServiceSchema) {
      for (const [name, action] of Object.entries(schema.actions ?? {})) {
        const fault = auditFault(action as ActionSchema);
        if (fault) throw Object.assign(new Error(`Action ${schema.name}.${name} ${fault}`), { expected: true });
      }
    },

    localAction(this: ServiceBroker, next: Handler, { audit: declared }: ActionSchema): Handler {
      if (!declared) return next;
      return async ctx => {
        const params = { ...(ctx.params as Record<string, unknown>) };
        const { clock } = platformOf(this);
        if (declared.when !== undefined && params[declared.when] === undefined) return next(ctx);
        // What is called in between may leave another user in the metadata.
        const via = { broker: this, call: this.call.bind(this), meta: { ...ctx.meta } };
        try {
          const answer = await next(ctx);
          await audit(via, clock, noteOf(declared, params, "ok"));
          return answer;
        } catch (error) {
          const { code } = publicError(error);
          if (REFUSALS.includes(code)) await auditOften(via, clock, noteOf(declared, params, "refused"));
          else if (code === "UNKNOWN_OUTCOME")
            await audit(via, clock, noteOf(declared, params, "ok", { outcome: "unknown" }));
          throw error;
        }
      };
    },

    // The log is stored by this process: it goes last, when nothing is recorded any more.
    async serviceStopping(service: Service) {
      if (service.name === "auth") await trailOf(service.broker).close();
    },

    async stopping(broker: ServiceBroker) {
      const here = broker.services as Service[];
      if (!here.some(({ name }) => name === "auth")) await trailOf(broker).close();
    },
  } as object as Middleware;
}

function noteOf(
  { type, object, detail = [] }: AuditDeclaration,
  params: Record<string, unknown>,
  result: AuditNote["result"],
  more: Record<string, string> = {},
): AuditNote {
  const details = detail.flatMap(name => {
    const value = params[name];
    return value === undefined || value === null ? [] : [[name, plain(value)] as const];
  });
  const id = object === undefined ? undefined : params[object];
  return {
    type,
    ...(typeof id === "string" && { object: id }),
    result,
    ...((details.length > 0 || more["outcome"] !== undefined) && {
      detail: { ...Object.fromEntries(details), ...more },
    }),
  };
}

const plain = (value: unknown): string | number | boolean =>
  typeof value === "number" || typeof value === "boolean"
    ? value
    : Array.isArray(value)
      ? value.join(",")
      : String(value);

function auditFault({ audit: declared, params = {} }: ActionSchema): string | null {
  if (declared === undefined) return null;
  if (!isAuditType(declared.type)) return "declares an `audit` of a type that there is not";
  const names = [declared.object, declared.when, ...(declared.detail ?? [])].filter(name => name !== undefined);
  const unknown = names.filter(name => !Object.hasOwn(params, name));
  return unknown.length > 0 ? `declares an \`audit\` of parameters it does not take: ${unknown.join(", ")}` : null;
}
