import type { ServiceBroker } from "moleculer";
import { SERVICE_NAMES } from "../../config/variables";
import { Health, UnknownState } from "../../config/health";
import { nodesWith } from "../../mixins/nodes";
import { call, type NodeHealth } from "../core/contract";
import { RookeryError } from "../core/errors";

/** Milliseconds a node may take to say how it is: longer than its own checks; and a look of ours, longer still. */
const PATIENCE = 1_500;
const LOOK = 2_000;
const OTHERS = SERVICE_NAMES.filter(name => name !== "api-gateway");

/**
 * How the whole is, as every live node tells it: a service is there while a node that runs it can work, and the store is
 * while a node can reach it; a node in trouble is passed over by the others, and red on its own. Without NATS nobody can be
 * asked, and that is all that is known.
 * @param now monotonic milliseconds
 */
export function wholeHealth(broker: ServiceBroker, link: { up: boolean } | null, now: () => number): Health {
  const health = new Health(now, LOOK);
  let asked: Promise<Map<string, NodeHealth>> | null = null;
  /** One round for all checks of a look. */
  const nodes = async (): Promise<Map<string, NodeHealth>> => {
    if (link?.up === false) throw new UnknownState();
    asked ??= askAll(broker).finally(() => (asked = null));
    return asked;
  };
  if (link)
    health.need("nats", () => {
      if (!link.up) throw new RookeryError("UNAVAILABLE");
    });
  health.need("store", async () => {
    if (![...(await nodes()).values()].some(({ checks }) => checks["store"] === "ok"))
      throw new RookeryError("UNAVAILABLE");
  });
  for (const name of OTHERS)
    health.need(name, async () => {
      const reports = await nodes();
      if (!nodesWith(broker, name).some(id => reports.get(id)?.status === "ok")) throw new RookeryError("UNAVAILABLE");
    });
  return health;
}

/** Nodes that do not answer are left out. */
async function askAll(broker: ServiceBroker): Promise<Map<string, NodeHealth>> {
  const answers = await Promise.all(
    nodesWith(broker, "node").map(async id => {
      try {
        return [[id, await call(broker, "node.health", {}, { nodeID: id, timeout: PATIENCE })] as const];
      } catch {
        return [];
      }
    }),
  );
  return new Map(answers.flat());
}
