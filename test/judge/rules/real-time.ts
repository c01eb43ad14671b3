import { effective, sendKey, type Message } from "../history-index";
import type { JudgedRule } from "../rule";

/** H5 */
export const realTime: JudgedRule = {
  rule: "H5",
  name: "real time",
  sentence: "What was acknowledged before another send began stands before it.",
  judge(history, report) {
    for (const { room, byId } of history.pasts()) {
      const messages = [...byId.values()].sort((a, b) => b.seq - a.seq);
      // Of those with higher numbers, the one acknowledged first.
      let earliest: Message | null = null;
      for (const message of messages) {
        const send = history.sends.get(sendKey(room, message.sender, message.clientId ?? ""));
        const asked = send && effective(send)?.asked;
        if (earliest && asked && earliest.seq > message.seq && earliest.ackedAt < asked.t)
          report(
            `Message ${message.id} has number ${message.seq}, but was sent after ${earliest.id} had been acknowledged as ${earliest.seq}.`,
            room,
            earliest.ack,
            asked,
            message.ack ?? message.first,
          );
        if (!earliest || message.ackedAt < earliest.ackedAt) earliest = message;
      }
    }
  },
};
