/** How one process is: `checks` names what it needs. */
export interface NodeHealth {
  status: "ok" | "unavailable";
  checks: Record<string, "ok" | "down" | "unknown">;
}

/** What a process says of itself, for operators. */
export interface NodeVitals {
  version: string;
  /** Seconds. */
  uptime: number;
  /** Resident, and of that the JavaScript heap in use. Bytes. */
  memory: { resident: number; heap: number };
  /** Longest and mean delay of the event loop while it was looked at, milliseconds. */
  lag: { max: number; mean: number };
}

export interface NodeActions {
  /** Of one node: to be called with its id. */
  "node.health": { params: Record<string, never>; returns: NodeHealth };
  /** Of one node, for operators. Looks at its event loop for half a second. */
  "node.vitals": { params: Record<string, never>; returns: NodeVitals };
}
