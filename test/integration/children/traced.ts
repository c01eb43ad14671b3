import { ServiceBroker, type BrokerOptions, type Context, type ServiceSchema } from "moleculer";
import { loadConfig } from "../../../config/config";
import { requestScope, type RequestScope } from "../../../config/log";
import { nodeOptions } from "../../../config/node";
import { startTracing } from "../../../config/otel";
import { RookeryError } from "../../../services/core/errors";
import type { Meta } from "../../../services/core/contract";

/**
 * Two nodes in a process of their own: the exporter loads parts of itself in a way that jest's modules cannot. Calls
 * door.in -> near.step -> far.work (on the other node) -> event far.done, and writes what the handlers saw as JSON.
 */
export interface Seen {
  at: string;
  scope: RequestScope | null;
  headers: string[];
  meta: string[];
}

type Ctx = Context<{ text?: string }, Meta>;

const seen: Seen[] = [];
let eventSeen: () => void;
const event = new Promise<void>(resolve => (eventSeen = resolve));

function note(at: string, ctx: Ctx): void {
  const { headers, meta } = ctx;
  seen.push({
    at,
    scope: requestScope.getStore() ?? null,
    headers: Object.keys(headers ?? {}),
    meta: Object.keys(meta),
  });
}

const near: ServiceSchema = {
  name: "near",
  actions: {
    step: {
      auth: "internal",
      visibility: "public",
      async handler(ctx: Ctx) {
        note("near", ctx);
        const answer = await ctx.call("far.work", ctx.params);
        note("near, after", ctx);
        return answer;
      },
    },
  },
  events: {
    "far.done"(ctx: Ctx) {
      note("event", ctx);
      eventSeen();
    },
  },
};
const door: ServiceSchema = {
  name: "door",
  actions: {
    in: { auth: "user", visibility: "published", handler: (ctx: Ctx) => ctx.call("near.step", ctx.params) },
  },
};
const far: ServiceSchema = {
  name: "far",
  actions: {
    slow: { auth: "internal", visibility: "public", handler: () => new Promise(resolve => setTimeout(resolve, 1_000)) },
    work: {
      auth: "internal",
      visibility: "public",
      async handler(ctx: Ctx) {
        note("far", ctx);
        if (ctx.params.text === "fail") throw new RookeryError("CONFLICT", "what-the-user-wrote");
        await ctx.emit("far.done", ctx.params);
        return "done";
      },
    },
  },
};

async function main(): Promise<void> {
  const config = loadConfig({ ...process.env, METRICS_PORT: "0", LOG_LEVEL: "warn" });
  const node = (nodeID: string): ServiceBroker => {
    const own = { nodeID, transporter: "Fake", logger: false, skipProcessEventRegistration: true };
    return new ServiceBroker({ ...nodeOptions(config), ...own } as BrokerOptions);
  };
  const log = { info: () => undefined, warn: (text: string) => console.error(text) };
  const tracing = startTracing(config, "node-1", log);
  const [first, second] = [node("node-1"), node("node-2")];
  first.createService(door);
  first.createService(near);
  second.createService(far);
  await Promise.all([first.start(), second.start()]);
  await first.waitForServices(["far", "near"], 10_000);
  await second.waitForServices(["near"], 10_000);

  const id = "0190d3a0-0000-7000-8000-000000000001";
  const meta = { user: { id, username: "canary-name", roles: [], permissions: [], sid: id } };
  const answer = await first.call("door.in", { text: "what-the-user-wrote" }, { meta, requestID: "request-1" });
  await event;
  await first.call("door.in", { text: "fail" }, { meta }).catch(() => undefined);
  await first.call("far.slow", {}, { timeout: 20 }).catch(() => undefined);
  await tracing?.stop();
  console.log(JSON.stringify({ answer, seen }));
  await Promise.all([first.stop(), second.stop()]);
  process.exit(0);
}

void main();
