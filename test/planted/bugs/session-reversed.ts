import { RoomLog } from "../../../services/messages/room-log";
import type { Bug } from "../bug";

export const sessionReversed: Bug = {
  name: "session-reversed",
  what: "what one socket sent at once is written in the other order",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H6"],
  plant() {
    const { append } = RoomLog.prototype;
    RoomLog.prototype.append = async function (this: RoomLog, requests) {
      return (await append.call(this, requests.toReversed())).reverse();
    };
  },
};
