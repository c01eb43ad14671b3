import { effective, sendKey, type Asking, type Message, type Operation } from "../history-index";
import type { JudgedRule } from "../rule";

/**
 * H6. The order of a socket holds in a room until one of its sends was answered unknown: only what was asked before that one
 * is compared. Answers over REST have no order.
 */
export const sessionOrder: JudgedRule = {
  rule: "H6",
  name: "session order",
  sentence: "Sends of one socket to one room are numbered in the order they were sent.",
  judge(history, report) {
    const lanes = new Map<string, { last: Message | null; asked: Operation<Asking<"send">> | null; open: boolean }>();
    for (const operation of history.asked("send")) {
      const { asked, outcome, end } = operation;
      if (asked.session === "rest" || outcome === "fail") continue;
      const key = `${asked.session} ${asked.room}`;
      let lane = lanes.get(key);
      if (!lane) lanes.set(key, (lane = { last: null, asked: null, open: true }));
      if (outcome === "info" || end?.phase !== "ok") lane.open = false;
      if (!lane.open || end?.phase !== "ok" || !end.answer.message) continue;
      const send = history.sends.get(sendKey(asked.room, asked.user, asked.clientId));
      if (!send || effective(send) !== operation) continue;
      const message = history.pastOf(asked.room, history.eraAt(end.t)).byId.get(end.answer.message.id);
      if (!message) continue;
      if (lane.last && lane.last.seq > message.seq)
        report(
          `Message ${message.id} has number ${message.seq}, but was sent after ${lane.last.id}, which has ${lane.last.seq}.`,
          asked.room,
          lane.asked?.asked,
          asked,
          lane.asked?.end,
          end,
        );
      if (!lane.last || message.seq > lane.last.seq) Object.assign(lane, { last: message, asked: operation });
    }
  },
};
