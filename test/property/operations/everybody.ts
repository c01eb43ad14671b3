import type { Operation } from "../operation";
import { say, textOf } from "./send";

/** Calls everybody in the room, or those who are there: in a channel those who run it may. */
export const everybody: Operation = {
  name: "everybody",
  weight: 3,
  sends: true,
  draw: (random, { sends }) => ({
    text: `${textOf(random, sends)} @${random() < 0.7 ? "all" : "here"}`,
    ...(random() < 0.7 && { clientId: `e-${sends}` }),
  }),
  run: say,
  compare: (_, { messages }, scene) =>
    messages.flatMap(({ seq, senderId, text, mentionsAll = false, deletedAt }) => {
      const may = scene.runs(senderId);
      // Who got the right, or lost it, on the way: only the log knows which.
      if (may === "sometimes" || deletedAt !== undefined) return [];
      const meant = may === "always" && / @all$/.test(text);
      return meant === mentionsAll ? [] : [`message ${seq} by who ${may} may: ${text}, mentionsAll ${mentionsAll}`];
    }),
};
