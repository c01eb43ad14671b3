interface Registered {
  registry: { getServiceList(options: { onlyAvailable: true; skipInternal: true }): unknown };
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
