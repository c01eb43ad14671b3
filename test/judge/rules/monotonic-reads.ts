import { absences } from "../reads";
import type { JudgedRule } from "../rule";

/** H10 */
export const monotonicReads: JudgedRule = {
  rule: "H10",
  name: "monotonic reads",
  sentence: "What a client has seen of a room never becomes less, whichever door it asks.",
  judge(history, report) {
    for (const { read, message, known } of absences(history))
      if (known === "seen")
        report(
          `Client ${read.asked.client} had seen up to number ${message.seq} or further, and now reads less.`,
          message.room,
          message.first,
          read.asked,
          read.end,
        );
  },
};
