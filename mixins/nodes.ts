import { able } from "./standing";

interface Registered {
  registry: { getServiceList(options: { onlyAvailable: true; skipInternal: true }): unknown };
}

interface Node extends Registered {
  nodeID: string;
  registry: Registered["registry"] & { nodes: unknown };
}

/** Ids of the live nodes, this one included, that run a service: in the same order for everybody who sees the same nodes. */
export function nodesWith({ registry }: Registered, service: string): string[] {
  const list = registry.getServiceList({ onlyAvailable: true, skipInternal: true }) as {
    name: string;
    nodeID: string;
  }[];
  return list
    .filter(({ name }) => name === service)
    .map(({ nodeID }) => nodeID)
    .sort();
}

/** Whether this node is the one of those with a service that does what one is enough for. Two may think so for a moment. */
export const isChosen = (broker: Node, service: string): boolean =>
  able(broker, nodesWith(broker, service))[0] === broker.nodeID;
