import type { HistoryIndex, Message } from "../history-index";
import { absences, itemsOf, seesAll, wasSent, type Read } from "../reads";
import type { JudgedRule, Report } from "../rule";

/** H1 */
export const lostAcks: JudgedRule = {
  rule: "H1",
  name: "lost acks",
  sentence: "What was acknowledged or seen once is in every later read that covers it.",
  judge(history, report) {
    for (const { read, message, known } of absences(history))
      if (known === "somebody") report(lost(message), message.room, message.ack ?? message.first, read.asked, read.end);
    for (const read of history.asked("final"))
      if (read.outcome === "ok" && history.eraAt(read.asked.t) > 0) restored(history, read, report);
  },
};

/** A store that was put back may lack the end of what it had, and nothing before that. */
function restored(history: HistoryIndex, read: Read, report: Report): void {
  const { room, user } = read.asked;
  if (!seesAll(history, room, user)) return;
  const shown = new Map(itemsOf(read).map(item => [item.id, item.seq]));
  for (let era = 0; era < history.eraAt(read.asked.t); era++) {
    const { byId } = history.pastOf(room, era);
    const there = [...byId.values()].filter(({ id }) => shown.has(id));
    const end = there.reduce((highest, { seq }) => Math.max(highest, seq), 0);
    const moved = there.find(({ id, seq }) => shown.get(id) !== seq);
    if (moved)
      report(`Message ${moved.id} has another number after the restore.`, room, moved.first, read.asked, read.end);
    for (const message of byId.values())
      if (message.seq < end && !shown.has(message.id) && wasSent(history, message))
        report(lost(message), room, message.ack ?? message.first, read.asked, read.end);
  }
}

const lost = ({ id, seq, ack, clientId }: Message): string =>
  `Message ${id} (number ${seq}, clientId ${clientId}) was ${ack ? "acknowledged" : "seen"} and is gone.`;
