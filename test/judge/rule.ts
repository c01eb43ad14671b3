import type { HistoryLine } from "./history";
import type { HistoryIndex } from "./history-index";
import type { Rule } from "./verdict";

/** Times a rule grants, in milliseconds. */
export interface Allowances {
  /** Within which everything is answered, and what the recorder may be late by itself. */
  answer: number;
  slack: number;
  /** After which nothing of what was revoked, removed or deleted comes any more. */
  revocation: number;
  /** The same where the gateway may have been cut off: it closes its sockets after that time. */
  isolation: number;
  /** After which who is gone is offline, and who is there is online. */
  presence: { gone: number; there: number };
  /** Share of answers outside of faults that must be ok, and from how many on that means anything. */
  ok: { share: number; from: number };
}

export const ALLOWANCES: Allowances = {
  answer: 10_000,
  slack: 1_000,
  revocation: 2_000,
  isolation: 10_000,
  presence: { gone: 35_000, there: 10_000 },
  ok: { share: 0.999, from: 1_000 },
};

export type Report = (
  what: string,
  room: string | null,
  ...evidence: readonly (HistoryLine | null | undefined)[]
) => void;

/** One thing that must hold in every history. */
export interface JudgedRule {
  rule: Rule;
  name: string;
  /** What must hold, in one sentence. */
  sentence: string;
  judge(history: HistoryIndex, report: Report, allowances: Allowances): void;
}

/** Milliseconds after a fault in which what goes wrong is still its doing. */
export const AFTERMATH = 10_000;

const CUTS_NATS = /nats|partition/;
const HARMLESS = /clock|poison|disk|twin/;

/**
 * Until when something of before may still arrive that ended at a time: a little after it, or after what troubled the nodes
 * that had to hear of it.
 */
export function deadline(history: HistoryIndex, since: number, allowed: Allowances): number {
  const plain = since + allowed.revocation + allowed.slack / 2;
  let latest = plain;
  for (const { name, from, to } of history.faults) {
    if (from > plain || to + allowed.isolation < since || HARMLESS.test(name)) continue;
    const heard = CUTS_NATS.test(name) ? plain + allowed.isolation : to + allowed.isolation + allowed.revocation;
    latest = Math.max(latest, heard);
  }
  return latest;
}
