import type { ServiceBroker } from "moleculer";
import { call, type ActionName, type ParamsOf, type ReturnsOf, type RoomFacts } from "../../services/core/contract";
import { publicError } from "../../services/core/errors";
import { isId } from "../../services/core/ids";
import { Rendezvous } from "../../services/core/rendezvous";
import { redactText } from "../log.redact";
import { Mistake } from "./command";

/** Milliseconds a node may take to answer an operator. */
const PATIENCE = 3_000;

export interface NodeEntry {
  id: string;
  /** False: it stopped, or was lost; it is remembered for ten minutes. */
  available: boolean;
  services: string[];
}

/** What one node answered, or why it did not. */
export type Answer<T> =
  { node: string; answer: T; problem?: undefined } | { node: string; answer?: undefined; problem: string };

/** Asks the cluster on behalf of whoever sits at the console. Commands use nothing else. */
export class Operator {
  constructor(private readonly via: ServiceBroker) {}

  /** The nodes of this console's cluster that run a service of ours, by name. */
  nodes(): NodeEntry[] {
    const { registry } = this.via as unknown as { registry: { getNodeList(what: object): RawNode[] } };
    return registry
      .getNodeList({ onlyAvailable: false, withServices: true })
      .map(({ id, available, services }) => ({
        id,
        available,
        services: Object.values(services ?? {})
          .map(({ name }) => name)
          .filter(name => !name.startsWith("$") && name !== "node"),
      }))
      .filter(({ services }) => services.length > 0)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** The node that writes a room now; null if none can. */
  writerOf(room: string): string | null {
    const live = this.nodes().filter(({ available, services }) => available && services.includes("messages"));
    return new Rendezvous(live.map(({ id }) => id)).of(room) ?? null;
  }

  /** Throws Mistake with one line if there is no answer. */
  async ask<N extends ActionName>(action: N, params: ParamsOf<N>, nodeID?: string): Promise<ReturnsOf<N>> {
    try {
      return await call(this.via, action, params, { timeout: PATIENCE, ...(nodeID !== undefined && { nodeID }) });
    } catch (error) {
      throw new Mistake(`${nodeID ?? action.split(".", 1)[0]} ${problemOf(error)}`);
    }
  }

  /** Asks every node that runs a service, all at once. Never rejects. */
  everywhere<N extends ActionName>(action: N, params: ParamsOf<N>): Promise<Answer<ReturnsOf<N>>[]> {
    const service = action.split(".", 1)[0] as string;
    const nodes = this.nodes().filter(({ services }) => service === "node" || services.includes(service));
    return Promise.all(nodes.map(node => this.askNode(node, action, params)));
  }

  /** Like `everywhere`, of one of its nodes. */
  async askNode<N extends ActionName>(
    { id, available }: NodeEntry,
    action: N,
    params: ParamsOf<N>,
  ): Promise<Answer<ReturnsOf<N>>> {
    if (!available) return { node: id, problem: "is away" };
    try {
      return { node: id, answer: await call(this.via, action, params, { nodeID: id, timeout: PATIENCE }) };
    } catch (error) {
      return { node: id, problem: problemOf(error) };
    }
  }

  /** Metrics of one node whose names fit a pattern, as Moleculer keeps them. Rejects if it does not answer. */
  metrics(nodeID: string, includes: string): Promise<unknown> {
    return this.via.call("$node.metrics", { includes }, { nodeID, timeout: PATIENCE });
  }

  /** By id, name or e-mail. Throws Mistake if there is nobody. */
  async user(given: string): Promise<{ id: string; username: string }> {
    const user = isId(given)
      ? await this.ask("users.record", { id: given })
      : await this.ask("users.byLogin", { login: given });
    if (!user) throw new Mistake(`there is no user "${given}"`);
    return { id: user.id, username: user.username };
  }

  /** By id, or by name with or without `#`. Throws Mistake if there is none. */
  async room(given: string): Promise<RoomFacts> {
    const room = await this.ask("rooms.inspect", { room: given.replace(/^#/, "") });
    if (!room) throw new Mistake(`there is no room "${given}"`);
    return room;
  }

  /** Tells names of users; an unknown one, and all while users do not answer, is his id. */
  async names(ids: Iterable<string>): Promise<(id: string) => string> {
    const wanted = [...new Set(ids)].filter(isId);
    const found = wanted.length > 0 ? await this.ask("users.names", { ids: wanted }).catch(() => []) : [];
    const names = new Map(found.map(({ id, username }) => [id, username]));
    return id => names.get(id) ?? id;
  }
}

interface RawNode {
  id: string;
  available: boolean;
  services?: Record<string, { name: string }> | { name: string }[];
}

/** Label and random part of a node's name: short, and still only its own. */
export const shortNode = (id: string): string => {
  const [label = id, rest = ""] = id.split(/\.(.*)/s, 2);
  const random = rest.split("-").at(-1);
  return random ? `${label}.${random}` : id;
};

/** Why there is no answer, to stand after the name of who was asked. */
function problemOf(error: unknown): string {
  const { type, message } = (error ?? {}) as { type?: unknown; message?: unknown };
  if (type === "REQUEST_TIMEOUT") return `did not answer within ${PATIENCE / 1000} s`;
  if (type === "SERVICE_NOT_FOUND") return "does not know this: is it an older version, or not there?";
  if (type === "SERVICE_NOT_AVAILABLE") return "is not available";
  if (type === "REQUEST_REJECTED") return "was lost while it was asked";
  const { code, detail } = publicError(error);
  return `answered ${code}: ${detail ?? redactText(String(message))}`;
}
