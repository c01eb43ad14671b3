import { call, type ActionName, type Caller, type ParamsOf, type ReturnsOf } from "../services/core/contract";
import { Rendezvous } from "../services/core/rendezvous";
import type { Peers, Told, ToldAnswer } from "../services/core/shared-counter";
import { nodesWith } from "./nodes";

interface PeersBroker extends Caller {
  nodeID: string;
  registry: { getServiceList(options: { onlyAvailable: true; skipInternal: true }): unknown };
  localBus: {
    on(event: string, listener: () => void): unknown;
    off(event: string, listener: () => void): unknown;
  };
}

/** The ties to other processes, null where there are none. */
interface Link {
  readonly up: boolean;
  onUp(listener: () => void): () => void;
}

/** An action by which nodes of a service tell each other what is spent. */
type SpendAction = {
  [N in ActionName]: ParamsOf<N> extends { limit: string; items: Told[] }
    ? ReturnsOf<N> extends ToldAnswer[]
      ? N
      : never
    : never;
}[ActionName];

/** Events of Moleculer's registry after which there may be other nodes. */
const CHANGES = ["$services.changed", "$node.connected", "$node.updated", "$node.disconnected"];
/** Milliseconds that a node may take to answer; who asks for more waits for it. */
const TIMEOUT = 1_000;
/** Milliseconds after NATS is back in which the other nodes are found again. */
const FINDING = 5_000;
/** Milliseconds for which nodes that are gone still count, where nobody can be asked. */
const REMEMBERED = 60_000;

/** The nodes that run a service, each of which counts what is spent there. */
export class ServicePeers {
  private link: Link | null = null;
  private all = new Rendezvous([]);
  private others = new Rendezvous([]);
  private most = { nodes: 1, at: -Infinity };
  private upSince = -Infinity;
  private readonly ends: (() => void)[] = [];
  private readonly moved = new Set<() => void>();

  /** @param now monotonic milliseconds */
  constructor(
    private readonly broker: PeersBroker,
    private readonly service: string,
    private readonly now: () => number,
  ) {}

  /** Begins to look for others. @param link null: there are none */
  start(link: Link | null): void {
    this.link = link;
    if (!link) return;
    const { broker } = this;
    const look = (): void => this.look();
    for (const event of CHANGES) broker.localBus.on(event, look);
    this.ends.push(() => CHANGES.forEach(event => broker.localBus.off(event, look)));
    this.ends.push(link.onUp(() => (this.upSince = this.now())));
    this.look();
  }

  /** To those nodes one limit is told by this action. @param changed called when there are others */
  telling(action: SpendAction, limit: string, changed: () => void): Peers {
    const { broker } = this;
    const size = (): number => this.size;
    const reachable = (): boolean => this.reachable;
    this.moved.add(changed);
    return {
      get size() {
        return size();
      },
      get reachable() {
        return reachable();
      },
      of: key => this.others.of(key),
      owns: key => this.all.of(key) === broker.nodeID,
      tell: (nodeID, items) =>
        call(broker, action, { limit, items } as ParamsOf<SpendAction>, { nodeID, timeout: TIMEOUT }),
    };
  }

  close(): void {
    for (const end of this.ends) end();
    this.moved.clear();
  }

  /** While the others are out of reach nobody knows how many there still are. */
  private get size(): number {
    const { nodes } = this.all;
    if (nodes.length >= this.most.nodes || (this.reachable && this.now() - this.most.at > REMEMBERED))
      this.most = { nodes: Math.max(1, nodes.length), at: this.now() };
    return this.most.nodes;
  }

  private get reachable(): boolean {
    return this.link === null || (this.link.up && this.now() - this.upSince > FINDING);
  }

  private look(): void {
    const { nodeID } = this.broker;
    const nodes = [...new Set([...nodesWith(this.broker, this.service), nodeID])].sort();
    if (nodes.join() === this.all.nodes.join()) return;
    // Looked at before it changes: how many there were counts.
    void this.size;
    this.all = new Rendezvous(nodes);
    this.others = new Rendezvous(nodes.filter(node => node !== nodeID));
    void this.size;
    for (const told of this.moved) told();
  }
}
