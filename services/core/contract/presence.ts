import type { PresenceStatus } from "../model";

/** A gateway's lease on its users: all of them when `full`, else the change since report `n` - 1. */
export interface PresenceReport {
  gateway: string;
  /** One run of reports to that node. */
  start: string;
  n: number;
  /** What that node answered last: how often it could not listen. It takes nothing that was sent before. */
  term?: number;
  full: boolean;
  /** Of a full report in several parts: which this is, from 0, and whether another follows under the next number. */
  part?: number;
  more?: boolean;
  online: string[];
  offline: string[];
}

export interface PresenceChange {
  user: string;
  status: PresenceStatus;
}

export interface PresenceActions {
  /** To be called with a node; every presence node gets every report. Numbers count within a run. */
  "presence.report": { params: PresenceReport; returns: { known: boolean; term: number } };
  /** At most 1,000 users. UNAVAILABLE while a node that has started, or could not listen, has not heard all gateways. */
  "presence.of": { params: { users: string[] }; returns: Record<string, PresenceStatus> };
}
