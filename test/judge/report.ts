import { RULES } from "./rules";
import type { Rule, Verdict, Violation } from "./verdict";

/** A verdict, and what else is known of the run that it is about. */
export interface Judged {
  verdict: Verdict;
  /** Why the run proves nothing; null: it does. */
  invalid: string | null;
  /** In the order in which they were dealt. */
  faults: readonly { name: string; target: string }[];
  /** What had not come to rest in the end, in words. */
  restless: readonly string[];
  /** Counters of the product over all processes. */
  metrics: Readonly<Record<string, number>>;
}

/** Violations of each rule that are shown, lines of evidence of each, and characters of a line. The JSON has all of it. */
const SHOWN = 5;
const SLICE = 6;
const WIDTH = 400;

/** For programs: one object. */
export const jsonOf = (judged: Judged): string => `${JSON.stringify(judged, null, 2)}\n`;

/** For people: what happened, what was broken with the lines that show it, and the sentence in the end. */
export function textOf(judged: Judged): string {
  const { verdict, metrics, restless } = judged;
  return [
    ...did(judged),
    ...Object.entries(metrics).map(([series, value]) => `counted    ${series} ${value}`),
    ...restless.map(what => `not at rest: ${what}`),
    ...RULES.flatMap(({ rule }) => broken(verdict, rule)),
    "",
    sentenceOf(judged),
  ].join("\n");
}

function did({ verdict: { counts, recovery, seed }, faults }: Judged): string[] {
  const { acked, failed, unknown, settled, delivered, resumed, rooms, clients } = counts;
  return [
    `seed       ${seed ?? "none"}`,
    `sends      ${acked} acked, ${failed} failed, ${unknown} unknown, of which repeats settled ${settled}`,
    `delivered  ${delivered} entries in ${rooms} rooms to ${clients} clients`,
    `resumed    ${resumed.live} live, ${resumed.replayed} replayed, ${resumed.reset} reset`,
    `recovery   ${seconds(recovery.p99)} s for 99 of 100 rooms, ${seconds(recovery.max)} s at most`,
    `faults     ${faults.map(({ name, target }) => `${name} of ${target}`).join(", ") || "none"}`,
  ];
}

function broken({ violations, broken: counts }: Verdict, rule: Rule): string[] {
  const count = counts[rule];
  if (count === undefined) return [];
  const sentence = RULES.find(one => one.rule === rule)?.sentence;
  const shown = violations.filter(violation => violation.rule === rule).slice(0, SHOWN);
  const more = count > shown.length ? [`  ... and ${count - shown.length} more`] : [];
  return ["", `${rule} is broken ${times(count)}: ${sentence}`, ...shown.flatMap(violated), ...more];
}

const violated = ({ what, room, evidence }: Violation): string[] => [
  `  ${what}${room === null ? "" : ` (room ${room})`}`,
  ...evidence.slice(0, SLICE).map(line => `      ${JSON.stringify(line).slice(0, WIDTH)}`),
];

function sentenceOf({ verdict, invalid }: Judged): string {
  const rules = Object.entries(verdict.broken).map(([rule, count]) => `${rule} ${times(count)}`);
  if (rules.length > 0) return `guilty: ${rules.join(", ")}`;
  return invalid === null ? "no violation" : `no violation, and the run proves nothing: ${invalid}`;
}

const times = (count: number): string => (count === 1 ? "once" : `${count} times`);
const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
