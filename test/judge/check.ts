import { counts, recovery } from "./counts";
import type { HistoryLine } from "./history";
import { HistoryIndex } from "./history-index";
import { ALLOWANCES, type Allowances } from "./rule";
import { RULES } from "./rules";
import type { Verdict, Violation } from "./verdict";

/** Of each rule: what is broken once is often broken everywhere. */
const KEPT = 50;

/** Judges one history. Pure; n log n in the number of lines. */
export function check(lines: readonly HistoryLine[], allowances: Partial<Allowances> = {}): Verdict {
  const history = new HistoryIndex(lines);
  const violations: Violation[] = [];
  const broken: Verdict["broken"] = {};
  for (const { rule, judge } of RULES)
    judge(
      history,
      (what, room, ...evidence) => {
        const count = (broken[rule] = (broken[rule] ?? 0) + 1);
        if (count <= KEPT) violations.push({ rule, what, room, evidence: evidence.filter(line => line != null) });
      },
      { ...ALLOWANCES, ...allowances },
    );
  return {
    valid: violations.length === 0,
    violations,
    broken,
    counts: counts(history),
    recovery: recovery(history),
    seed: history.seed,
  };
}
