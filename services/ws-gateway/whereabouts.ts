import type { PresenceChange } from "../core/contract";
import type { PresenceStatus } from "../core/model";

type Statuses = Record<string, PresenceStatus>;

/** Milliseconds the one who speaks may take; then any is asked. */
const PATIENCE = 3_000;

export interface WhereaboutsDependencies {
  /** Nodes with presence; the first of them speaks for all. */
  nodes(): readonly string[];
  ask(users: string[], options: { nodeID?: string; timeout?: number }): Promise<Statuses>;
}

/**
 * Asks what users are now: first the node that tells of changes. An answer of another one may be older than a change that was
 * told already, before anybody here watched: then nobody would ever tell it again.
 */
export const whereabouts =
  ({ nodes, ask }: WhereaboutsDependencies) =>
  async (users: string[]): Promise<PresenceChange[]> => {
    if (users.length === 0) return [];
    const [speaker] = nodes();
    const statuses =
      speaker === undefined
        ? await ask(users, {})
        : await ask(users, { nodeID: speaker, timeout: PATIENCE }).catch(() => ask(users, {}));
    return Object.entries(statuses).map(([user, status]) => ({ user, status }));
  };
