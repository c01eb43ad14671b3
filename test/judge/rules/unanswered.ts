import type { HistoryIndex, Operation } from "../history-index";
import { AFTERMATH, type Allowances, type JudgedRule, type Report } from "../rule";

/** A frozen process that holds sockets answers when it runs again; who stands behind it must be waited for by it. */
const HOLDS_SOCKETS = /^(server|ws-gateway|api-gateway|gateway|api|proxy|nginx)/;
const FREEZES = /stop|freeze|pause/;
const NOT_DONE = new Set(["UNAVAILABLE", "UNKNOWN_OUTCOME", "INTERNAL"]);

/** H15 */
export const unanswered: JudgedRule = {
  rule: "H15",
  name: "honest answers",
  sentence:
    "Everything is answered within 10 s: with ok, with what is surely not done, or as unknown. Nearly always with ok where nothing is wrong.",
  judge(history, report, allowed) {
    const closed = new Map<string, number>();
    for (const line of history.lines)
      if (line.phase === "seen" && line.what === "close") closed.set(line.session, line.t);
    for (const operation of history.operations.values()) {
      const { asked, end } = operation;
      if (end && end.phase !== "ok" && end.code === "INTERNAL")
        report(
          `${asked.op} was answered with an error that nobody had thought of.`,
          "room" in asked ? asked.room : null,
          asked,
          end,
        );
      // Many pages, each of them asked for by itself.
      if (asked.op === "final") continue;
      const latest = latestAnswer(history, operation, allowed);
      if (history.endsAt <= latest) continue;
      // A socket that closed has answered all it was asked.
      const ended = end?.t ?? closed.get(asked.session) ?? Infinity;
      if (ended > latest)
        report(
          `${asked.op} was ${ended === Infinity ? "never answered" : `answered after ${Math.round(ended - asked.t)} ms`}.`,
          "room" in asked ? asked.room : null,
          asked,
          end,
        );
    }
    ratio(history, report, allowed);
  },
};

function latestAnswer(history: HistoryIndex, { asked }: Operation, { answer, slack }: Allowances): number {
  const plain = asked.t + answer + slack;
  const frozen = history.troubled(asked.t, plain, (name, target) => FREEZES.test(name) && HOLDS_SOCKETS.test(target));
  return frozen ? Math.max(plain, frozen.to + answer + slack) : plain;
}

/** Refusals that are deserved do not count, nor what a closed socket left open. */
function ratio(history: HistoryIndex, report: Report, { ok: wanted }: Allowances): void {
  let ok = 0;
  const bad: Operation[] = [];
  for (const operation of history.operations.values()) {
    const { asked, end } = operation;
    if (!end || history.troubled(asked.t - AFTERMATH, end.t)) continue;
    if (end.phase === "ok") ok++;
    else if (NOT_DONE.has(end.code)) bad.push(operation);
  }
  const total = ok + bad.length;
  if (total < wanted.from || ok / total >= wanted.share) return;
  report(
    `Of ${total} answers outside of faults ${bad.length} were not ok.`,
    null,
    ...bad.slice(0, 5).flatMap(({ asked, end }) => [asked, end]),
  );
}
