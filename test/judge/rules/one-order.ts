import type { Observed, Shown } from "../history";
import type { HistoryIndex, Message } from "../history-index";
import type { JudgedRule, Report } from "../rule";

/** H3 */
export const oneOrder: JudgedRule = {
  rule: "H3",
  name: "one order",
  sentence:
    "Every observer of a room sees the same entry at the same offset and the same message under the same number.",
  judge(history, report) {
    history.eachShown((shown, room, line, _since, era) => {
      const past = history.pastOf(room, era);
      const known = past.byId.get(shown.id) as Message;
      if (known.seq !== shown.seq || known.offset !== shown.offset)
        return report(
          `Message ${shown.id} is ${place(known)} for one and ${place(shown)} for another.`,
          room,
          known.first,
          line,
        );
      const same = past.bySeq.get(shown.seq) as Message;
      if (same.id !== shown.id && known.first === line)
        report(`Messages ${same.id} and ${shown.id} both have number ${shown.seq}.`, room, same.first, line);
    });
    entries(history, report);
    for (const { room, byId } of history.pasts()) {
      const messages = [...byId.values()].sort((a, b) => a.offset - b.offset);
      for (let i = 1; i < messages.length; i++) {
        const [before, after] = [messages[i - 1] as Message, messages[i] as Message];
        if (after.seq < before.seq)
          report(
            `Message ${after.id} (${place(after)}) stands behind ${before.id} (${place(before)}).`,
            room,
            before.first,
            after.first,
          );
      }
    }
  },
};

/** The same entry at the same offset, messages or not. */
function entries(history: HistoryIndex, report: Report): void {
  const known = new Map<string, Map<number, { entry: string; line: Observed }>>();
  let era = 0;
  for (const line of history.lines) {
    if (line.phase === "run" && line.what === "restored") era++;
    if (line.phase !== "seen" || line.what !== "event") continue;
    const key = `${era} ${line.room}`;
    let offsets = known.get(key);
    if (!offsets) known.set(key, (offsets = new Map()));
    const entry = entryOf(line);
    const first = offsets.get(line.offset);
    if (!first) offsets.set(line.offset, { entry, line });
    else if (first.entry !== entry)
      report(
        `Offset ${line.offset} is "${first.entry}" for one and "${entry}" for another.`,
        line.room,
        first.line,
        line,
      );
    if (line.kind === "message" && line.message && line.message.offset !== line.offset)
      report(`Message ${line.message.id} (${place(line.message)}) came at offset ${line.offset}.`, line.room, line);
  }
}

function entryOf({ kind, message, member, reaction }: Observed & { what: "event" }): string {
  if (message) return `${kind} ${message.id}`;
  if (member) return `${kind} ${member.user} ${member.change}`;
  if (reaction) return `${kind} ${reaction.message} ${reaction.user} ${reaction.emoji} ${reaction.on}`;
  return kind;
}

const place = ({ seq, offset }: Pick<Shown, "seq" | "offset">): string => `number ${seq}, offset ${offset}`;
