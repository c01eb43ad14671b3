/** What a node says of itself to the others beside its services, as Moleculer's metadata. */
export interface Standing {
  /** Id of the store whose data it keeps; absent where it keeps none, or has not found it yet. */
  store?: string;
  /** It cannot reach its store now: whoever has another node to ask asks that one. */
  away?: boolean;
}

interface Standings {
  registry: { nodes: unknown };
}

interface Listed {
  id: string;
  local: boolean;
  available: boolean;
  metadata?: Standing;
}

const nodesOf = ({ registry }: Standings): Listed[] =>
  (registry.nodes as { toArray(): Listed[] }).toArray().filter(({ available }) => available);

/** Those of the nodes that can do their work, as far as they said; all of them if none can. */
export function able(broker: Standings, nodes: readonly string[]): string[] {
  const away = new Set(nodesOf(broker).flatMap(({ id, metadata }) => (metadata?.away ? [id] : [])));
  const rest = nodes.filter(node => !away.has(node));
  return rest.length > 0 ? rest : [...nodes];
}

/** Other live nodes that keep their data in another store than this one. */
export function strangers(broker: Standings, store: string): string[] {
  return nodesOf(broker).flatMap(({ id, local, metadata }) =>
    !local && metadata?.store !== undefined && metadata.store !== store ? [id] : [],
  );
}
