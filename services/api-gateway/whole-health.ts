import type { ServiceBroker } from "moleculer";
import { SERVICE_NAMES } from "../../config/config";
import { Health } from "../../config/health";
import { call, type NodeHealth } from "../core/contract";
import { RookeryError } from "../core/errors";

/** Milliseconds a node may take to say how it is. */
const PATIENCE = 1_000;
const OTHERS = SERVICE_NAMES.filter(name => name !== "api-gateway");

/** What nodes share and may be in want of. */
type Part = "store" | "nats";

/**
 * How the whole is, as every live node tells it: a service is there while a node that runs it can work, and a part they
 * share is while no node is in want of it.
 * @param now monotonic milliseconds
 */
export function wholeHealth(broker: ServiceBroker, parts: readonly Part[], now: () => number): Health {
  const health = new Health(now);
  let asked: Promise<Map<string, NodeHealth>> | null = null;
  /** One round for all checks of a look. */
  const nodes = (): Promise<Map<string, NodeHealth>> => {
    asked ??= askAll(broker).finally(() => (asked = null));
    return asked;
  };
  for (const part of parts)
    health.need(part, async () => {
      const states = [...(await nodes()).values()].map(({ checks }) => checks[part]);
      if (states.includes("down") || !states.includes("ok")) throw new RookeryError("UNAVAILABLE");
    });
  for (const name of OTHERS)
    health.need(name, async () => {
      const reports = await nodes();
      if (!nodesOf(broker, name).some(id => reports.get(id)?.status === "ok")) throw new RookeryError("UNAVAILABLE");
    });
  return health;
}

/** Nodes that do not answer are left out. */
async function askAll(broker: ServiceBroker): Promise<Map<string, NodeHealth>> {
  const answers = await Promise.all(
    nodesOf(broker, "node").map(async id => {
      try {
        return [[id, await call(broker, "node.health", {}, { nodeID: id, timeout: PATIENCE })] as const];
      } catch {
        return [];
      }
    }),
  );
  return new Map(answers.flat());
}

function nodesOf(broker: ServiceBroker, service: string): string[] {
  const list = broker.registry.getServiceList({ onlyAvailable: true }) as { name: string; nodeID: string }[];
  return list.filter(({ name }) => name === service).map(({ nodeID }) => nodeID);
}
