import type { Shown } from "../history";
import type { HistoryIndex } from "../history-index";
import { coverage, itemsOf, wasSent, type Read } from "../reads";
import type { JudgedRule, Report } from "../rule";

/** H4. Holes where a message is known to be are H1's. */
export const contiguity: JudgedRule = {
  rule: "H4",
  name: "contiguity",
  sentence: "The numbers of a room's messages are 1, 2, 3, ... without hole, in every read.",
  judge(history, report) {
    for (const read of history.asked("history")) pages(history, read, report);
    for (const read of history.asked("final")) pages(history, read, report);
  },
};

function pages(history: HistoryIndex, read: Read, report: Report): void {
  const covered = read.outcome === "ok" ? coverage(history, read) : null;
  const items = itemsOf(read);
  const first = items[0];
  if (!covered || !first) return;
  const { room } = read.asked;
  const past = history.pastOf(room, history.eraAt(read.until));
  const evidence = [read.asked, read.end] as const;
  if (first.seq < covered.from || (items.at(-1) as Shown).seq > covered.to)
    return report("A page shows what was not asked for.", room, ...evidence);
  let next = covered.from;
  for (const { seq, id } of items) {
    if (seq < next) return report(`Number ${seq} (${id}) comes after ${next - 1} in one read.`, room, ...evidence);
    for (; next < seq; next++) {
      const known = past.bySeq.get(next);
      if (!known || !wasSent(history, known))
        return report(`There is no message with number ${next}, but there is one with ${seq}.`, room, ...evidence);
    }
    next = seq + 1;
  }
}
