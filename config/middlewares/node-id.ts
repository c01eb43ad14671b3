import type { Middleware, ServiceBroker } from "moleculer";

interface Packet {
  payload?: { sender?: string; instanceID?: string };
}

type Handler = (command: string, packet: Packet | null) => Promise<boolean>;

/** Kinds of packets that make a node do something for others. */
const WORK: ReadonlySet<string> = new Set(["REQ", "EVENT"]);

/**
 * A node id is one process's. Moleculer ends every node that hears of another by its own id: a second one, or whoever says so
 * on NATS, would take the first down. Here who is in service stays, and tells whoever looks around by its id that it is
 * taken; that one ends before its services start. Until then it works for nobody: what comes is meant for the first.
 */
export function nodeIdMiddleware(): Middleware {
  let node: ServiceBroker;
  /** Until its process ends: while it stops, what it has taken is still being answered. */
  let inService = false;

  return {
    name: "Node id",

    created(broker: ServiceBroker) {
      node = broker;
    },

    started() {
      inService = true;
    },

    transitMessageHandler(next: Handler): Handler {
      return async (command, packet) => {
        const { sender, instanceID } = packet?.payload ?? {};
        const { transit, nodeID, registry } = node;
        if (WORK.has(command) && !transit?.connected) return false;
        if (sender !== nodeID) return next(command, packet);
        const isOther = command === "INFO" && instanceID !== node.instanceID;
        if (!inService && !node.started) {
          // Moleculer ends this process at once, before its log is written.
          if (isOther) console.error(`the node id ${nodeID} is another process's`);
          return next(command, packet);
        }
        if (command === "DISCOVER") (registry.discoverer as unknown as Discoverer).sendLocalNodeInfo(nodeID);
        if (!isOther) return next(command, packet);
        node.logger.error("another process uses the id of this node and is not listened to");
        return false;
      };
    },
  } as object as Middleware;
}

interface Discoverer {
  sendLocalNodeInfo(to: string): unknown;
}
