import { setTimeout as pause } from "node:timers/promises";
import type { Context, Service, ServiceSchema, ServiceSettingSchema } from "moleculer";
import { platformOf } from "../../config/platform";
import { nodesWith } from "../../mixins/nodes";
import { broadcast, type ActionsOf, type Events } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import type { PresenceStatus } from "../core/model";
import * as rules from "../core/rules";
import { Leases } from "./leases";

interface PresenceService extends Service {
  leases: Leases;
  /** For how long this node speaks for all: numbers of changes count within it. Null while another one does. */
  run: string | null;
  n: number;
  /** On the monotonic clock. */
  toldAt: number;
  ticker: NodeJS.Timeout;
  pruner: NodeJS.Timeout;
}

/** Milliseconds for which changes are collected into one event. */
const TICK = 100;
/** Milliseconds after which the next number is told though nothing changed: so a lost last change is noticed. */
const BEAT = 10_000;
/** Milliseconds between looks at what another node must have told. */
const PRUNE = 1_000;
/** Milliseconds a question waits for a node that settles: longer than gateways are silent. */
const PATIENCE = 2_000;
/** Changes in one event. */
const BATCH = 1_000;
/** Users in one report. */
const USERS = 20_000;

const users = (max: number) => ({ type: "array", items: "string|max:200", max }) as const;

const actions = {
  report: {
    auth: "internal",
    visibility: "public",
    params: {
      gateway: rules.id,
      start: rules.id,
      n: rules.whole(0),
      term: { ...rules.whole(0), optional: true },
      full: "boolean",
      part: { ...rules.whole(0), optional: true },
      more: "boolean|optional",
      online: users(USERS),
      offline: users(USERS),
    },
    handler(this: PresenceService, ctx) {
      return { known: this.leases.report(ctx.params, ctx.nodeID ?? ""), term: this.leases.term };
    },
  },
  of: {
    auth: "internal",
    visibility: "public",
    params: { users: users(1_000) },
    async handler(this: PresenceService, ctx) {
      await settled(this);
      return Object.fromEntries(
        ctx.params.users.map((user): [string, PresenceStatus] => [user, this.leases.statusOf(user)]),
      );
    },
  },
} satisfies ActionsOf<"presence">;

const PresenceSchema: ServiceSchema<ServiceSettingSchema, never, never, PresenceService> = {
  name: "presence",
  actions,

  events: {
    "presence.changed": {
      handler(this: PresenceService, ctx: Context<Events["presence.changed"]>) {
        if (ctx.params.owner !== this.run) this.leases.heardOf(ctx.params.changes);
      },
    },
  },

  created(this: PresenceService) {
    const { clock } = platformOf(this.broker);
    this.run = null;
    this.n = 0;
    this.toldAt = 0;
    this.leases = new Leases({
      monotonic: () => clock.monotonic(),
      gatewayNodes: () => nodesWith(this.broker, "ws-gateway"),
    });
  },

  async started(this: PresenceService) {
    const platform = platformOf(this.broker);
    this.ticker = setInterval(() => {
      const listened = this.leases.tick(platform.link?.up);
      // All know the same; the first of them speaks.
      const [first] = [...nodesWith(this.broker, "presence"), this.broker.nodeID].sort();
      if (listened && first === this.broker.nodeID) speak(this);
      else this.run = null;
    }, TICK).unref();
    this.pruner = setInterval(() => {
      if (this.run === null) this.leases.standBy();
    }, PRUNE).unref();
  },

  async stopped(this: PresenceService) {
    clearInterval(this.ticker);
    clearInterval(this.pruner);
  },
};

export default PresenceSchema;

/**
 * Tells what has changed. A new speaker says so even if nothing has: what the one before knew and did not tell is found by
 * the gateways, which ask for everybody they watch as soon as somebody new speaks. So he does not before he can answer.
 */
function speak(service: PresenceService): void {
  const { leases, broker } = service;
  const now = platformOf(broker).clock.monotonic();
  const isNew = service.run === null;
  if (isNew && !leases.settled) return;
  if (isNew) Object.assign(service, { run: newId(), n: 0 });
  const changes = leases.changes();
  const isDue = isNew || now - service.toldAt >= BEAT;
  for (let from = 0; from < changes.length || (isDue && from === 0); from += BATCH) {
    const part = changes.slice(from, from + BATCH);
    broadcast(broker, "presence.changed", { owner: service.run as string, n: ++service.n, changes: part });
    service.toldAt = now;
  }
}

/** Resolves once this node knows of all gateways, or is patient no longer. */
async function settled({ leases }: PresenceService): Promise<void> {
  for (let waited = 0; !leases.settled; waited += TICK) {
    if (waited >= PATIENCE) throw new RookeryError("UNAVAILABLE", "It is not known yet who is online.");
    await pause(TICK);
  }
}
