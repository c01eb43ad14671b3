import type { HistoryLine } from "./history";

export type Rule =
  "H1" | "H2" | "H3" | "H4" | "H5" | "H6" | "H7" | "H8" | "H9" | "H10" | "H11" | "H12" | "H13" | "H14" | "H15" | "H16";

export interface Violation {
  rule: Rule;
  /** What is wrong, in one sentence. */
  what: string;
  room: string | null;
  /** The lines that show it, few. */
  evidence: HistoryLine[];
}

export interface Counts {
  /** Sends answered ok, for sure not done, and with nobody knowing. */
  acked: number;
  failed: number;
  unknown: number;
  /** Unknown sends that a repeat has settled. */
  settled: number;
  delivered: number;
  /** Subscriptions from an offset that went on live, were replayed, or were reset. */
  resumed: { live: number; replayed: number; reset: number };
  rooms: number;
  clients: number;
  faults: Record<string, number>;
}

/** Judgement over one history. */
export interface Verdict {
  valid: boolean;
  /** At most 50 of each rule. */
  violations: Violation[];
  /** How many there were of each rule that was broken. */
  broken: Partial<Record<Rule, number>>;
  counts: Counts;
  /** Milliseconds from the end of a fault to the first ok of a send, over rooms: maximum and 99th percentile. */
  recovery: { max: number; p99: number };
  seed: number | null;
}
