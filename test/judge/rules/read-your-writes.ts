import { absences } from "../reads";
import type { JudgedRule } from "../rule";

/** H9 */
export const readYourWrites: JudgedRule = {
  rule: "H9",
  name: "read your writes",
  sentence: "Who reads after his send was acknowledged finds it, through any door.",
  judge(history, report) {
    for (const { read, message, known } of absences(history))
      if (known === "own")
        report(
          `${message.sender} does not find his own message ${message.id} (number ${message.seq}).`,
          message.room,
          message.ack,
          read.asked,
          read.end,
        );
  },
};
