import type { Service, ServiceBroker, ServiceSchema, ServiceSettingSchema } from "moleculer";
import { platformOf } from "../../config/platform";
import { broadcast, type ActionsOf } from "../core/contract";
import { newId } from "../core/ids";
import type { PresenceStatus } from "../core/model";
import * as rules from "../core/rules";
import { Leases } from "./leases";

interface PresenceService extends Service {
  leases: Leases;
  /** This run of the service: numbers of changes count within it. */
  run: string;
  n: number;
  ticker: NodeJS.Timeout;
}

/** Milliseconds for which changes are collected into one event. */
const TICK = 100;
/** Changes in one event. */
const BATCH = 1_000;
/** Users of one gateway at most. */
const USERS = 200_000;

const users = (max: number) => ({ type: "array", items: "string|max:200", max }) as const;

const actions = {
  report: {
    auth: "internal",
    visibility: "public",
    params: {
      gateway: rules.id,
      start: rules.id,
      n: rules.whole(0),
      full: "boolean",
      online: users(USERS),
      offline: users(USERS),
    },
    handler(this: PresenceService, ctx) {
      return { known: this.leases.report(ctx.params, ctx.nodeID ?? "") };
    },
  },
  of: {
    auth: "internal",
    visibility: "public",
    params: { users: users(1_000) },
    handler(this: PresenceService, ctx) {
      return Object.fromEntries(
        ctx.params.users.map((user): [string, PresenceStatus] => [user, this.leases.statusOf(user)]),
      );
    },
  },
} satisfies ActionsOf<"presence">;

const PresenceSchema: ServiceSchema<ServiceSettingSchema, never, never, PresenceService> = {
  name: "presence",
  actions,

  created(this: PresenceService) {
    const { clock } = platformOf(this.broker);
    this.run = newId();
    this.n = 0;
    this.leases = new Leases({
      monotonic: () => clock.monotonic(),
      gatewayNodes: () => nodesWith(this.broker, "ws-gateway"),
    });
  },

  async started(this: PresenceService) {
    this.ticker = setInterval(() => {
      this.leases.expire();
      if (!this.leases.restless) return;
      const changes = this.leases.changes();
      for (let from = 0; from < changes.length; from += BATCH) {
        this.n += 1;
        const part = changes.slice(from, from + BATCH);
        broadcast(this.broker, "presence.changed", { owner: this.run, n: this.n, changes: part });
      }
    }, TICK).unref();
  },

  async stopped(this: PresenceService) {
    clearInterval(this.ticker);
  },
};

export default PresenceSchema;

/** Ids of the live nodes, this one included, that run a service. */
function nodesWith(broker: ServiceBroker, service: string): string[] {
  const list = broker.registry.getServiceList({ onlyAvailable: true, skipInternal: true }) as {
    name: string;
    nodeID: string;
  }[];
  return list.filter(({ name }) => name === service).map(({ nodeID }) => nodeID);
}
