import type { Completion, Observed, Shown } from "../history";
import { sendKey, type HistoryIndex, type Operation } from "../history-index";
import { deadline, type Allowances, type JudgedRule, type Report } from "../rule";

/** H13 */
export const versions: JudgedRule = {
  rule: "H13",
  name: "edits and deletions",
  sentence: "After an edit or a deletion was acknowledged nothing shows what the message was before.",
  judge(history, report, allowed) {
    history.eachShown((shown, room, line, since, era) => {
      const changes = history.changesOf(shown.id);
      if (shown.deleted) {
        if (shown.hash !== null) report(`The tombstone of ${shown.id} has a text.`, room, line);
      } else if (changes.length > 0) stale(history, changes, shown, room, line, since, era, report, allowed);
    });
  },
};

function stale(
  history: HistoryIndex,
  changes: readonly Operation[],
  shown: Shown,
  room: string,
  line: Completion | Observed,
  since: number,
  era: number,
  report: Report,
  allowed: Allowances,
): void {
  /** The change must have been taken into account: at once by an answer, a little later by events. */
  const due = ({ outcome, until }: Operation): boolean =>
    outcome === "ok" &&
    until < since &&
    history.eraAt(until) === era &&
    (line.phase !== "seen" || deadline(history, until, allowed) < line.t);
  const deletion = changes.find(change => change.asked.op === "delete" && due(change));
  if (deletion)
    return report(`The text of ${shown.id} was shown after its deletion.`, room, deletion.asked, deletion.end, line);
  const send = history.sends.get(sendKey(room, shown.sender, shown.clientId ?? ""));
  const writers = [...(send?.attempts ?? []), ...changes.filter(({ asked }) => asked.op === "edit")].filter(
    ({ asked, outcome }) => "hash" in asked && asked.hash === shown.hash && outcome !== "fail",
  );
  const written = Math.max(...writers.map(writer => settled(writer)));
  const newer = changes.find(
    change => change.asked.op === "edit" && change.asked.hash !== shown.hash && change.asked.t > written && due(change),
  );
  if (newer) report(`${shown.id} was shown as it was before an edit.`, room, newer.asked, newer.end, line);

  /** When the attempt can no longer write anything: a send that is stored already writes nothing more. */
  function settled(writer: Operation): number {
    if (writer.asked.op !== "send") return writer.until;
    const acked = history.pastOf(room, era).byId.get(shown.id)?.knownAt ?? Infinity;
    return Math.min(writer.until, acked);
  }
}
