import {
  context,
  propagation,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Span,
  type Tracer,
} from "@opentelemetry/api";
import type { ActionSchema, Context, Middleware, ServiceBroker } from "moleculer";
import { publicError } from "../../services/core/errors";
import type { Meta } from "../../services/core/contract";
import { requestScope, type RequestScope } from "../log";

type Ctx = Context<unknown, Meta>;
type Handler = (ctx: Ctx) => Promise<unknown>;
type Send = (name: string, payload?: unknown, options?: EventOptions | string | string[]) => unknown;
interface EventOptions {
  groups?: string | string[];
  headers?: Record<string, unknown>;
  [key: string]: unknown;
}
/** A service by its name, as actions and events carry it. */
interface Owned {
  service?: { name?: string };
}

/**
 * One span for every action and event handler, and one for every call that leaves the node. The parent travels as W3C
 * `traceparent` in `ctx.headers`: meta would merge back into the caller. Where no tracer is registered when a service is
 * loaded nothing is wrapped but the request's scope, which ties the lines of the log together.
 */
export const telemetryMiddleware: Middleware = {
  name: "Telemetry",

  localAction(this: ServiceBroker, next: Handler, action: ActionSchema & Owned) {
    const name = String(action.name);
    if (name.startsWith("$")) return next;
    const tracer = activeTracer();
    const attributes = { "rookery.action": name, ...placeOf(this, action) };
    return (ctx: Ctx) => {
      if (!tracer) return requestScope.run({ requestId: ctx.requestID ?? "" }, () => next(ctx));
      return inSpan(tracer, name, SpanKind.SERVER, attributes, ctx, this.nodeID, () => next(ctx));
    };
  },

  remoteAction(this: ServiceBroker, next: Handler, action: ActionSchema & Owned) {
    const name = String(action.name);
    const tracer = activeTracer();
    if (!tracer || name.startsWith("$")) return next;
    const attributes = { "rookery.action": name, ...placeOf(this, action) };
    return (ctx: Ctx) =>
      inSpan(tracer, name, SpanKind.CLIENT, attributes, ctx, null, () => {
        ctx.headers = withParent(ctx.headers);
        return next(ctx);
      });
  },

  localEvent(this: ServiceBroker, next: Handler, event: Owned & { name?: string }) {
    const tracer = activeTracer();
    const attributes = { "rookery.event": String(event.name), ...placeOf(this, event) };
    return (ctx: Ctx) => {
      const name = String(ctx.eventName);
      if (name.startsWith("$")) return next(ctx);
      if (!tracer) return requestScope.run({ requestId: ctx.requestID ?? "" }, () => next(ctx));
      return inSpan(tracer, name, SpanKind.CONSUMER, attributes, ctx, this.nodeID, () => next(ctx));
    };
  },

  emit: carrying,
  broadcast: carrying,
} as object as Middleware;

/** Events take the span in which they were sent with them. */
function carrying(next: Send): Send {
  return (name, payload, options) => {
    if (name.startsWith("$") || !trace.getActiveSpan()) return next(name, payload, options);
    const given = typeof options === "string" || Array.isArray(options) ? { groups: options } : options;
    return next(name, payload, { ...given, headers: withParent(given?.headers) });
  };
}

/** The tracer of the SDK that was registered before, if one was. */
function activeTracer(): Tracer | null {
  const provider = trace.getTracerProvider();
  if (provider instanceof ProxyTracerProvider && !provider.getDelegateTracer("rookery")) return null;
  return trace.getTracer("rookery");
}

/**
 * Runs `handle` in a span of its own, ended however it ends. Attributes are these few and nothing of what was said: no
 * parameters, no texts, no names of people; of an error its public code.
 * @param here the node of the handler, null on the calling side. What came from another node continues the span in its
 * headers, whatever is active here.
 */
async function inSpan(
  tracer: Tracer,
  name: string,
  kind: SpanKind,
  attributes: Attributes,
  ctx: Ctx,
  here: string | null,
  handle: () => Promise<unknown>,
): Promise<unknown> {
  const remote = here !== null && ctx.nodeID !== null && ctx.nodeID !== here;
  const parent = remote ? propagation.extract(ROOT_CONTEXT, ctx.headers ?? {}) : context.active();
  const span = tracer.startSpan(
    name,
    { kind, attributes: { ...attributes, "rookery.caller": callerKind(ctx) } },
    parent,
  );
  const run = (): Promise<unknown> => context.with(trace.setSpan(parent, span), handle);
  try {
    return await (here === null ? run() : requestScope.run(scopeOf(ctx, span), run));
  } catch (error) {
    const { code } = publicError(error);
    span.setAttribute("error.type", code);
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

const scopeOf = (ctx: Ctx, span: Span): RequestScope => ({
  requestId: ctx.requestID ?? "",
  traceId: span.spanContext().traceId,
});

const callerKind = (ctx: Ctx): string => (ctx.meta?.user ? "user" : ctx.caller ? "service" : "nobody");

const placeOf = (broker: ServiceBroker, { service }: Owned): Attributes => ({
  "rookery.service": service?.name ?? "",
  "rookery.node": broker.nodeID,
});

function withParent(headers: Record<string, unknown> | undefined | null): Record<string, unknown> {
  const carried = { ...headers };
  propagation.inject(context.active(), carried);
  return carried;
}
