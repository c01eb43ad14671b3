import { Connection } from "../../../services/ws-gateway/connection";
import type { Bug } from "../bug";
import { everyNth } from "../seams";

export const neverAnswered: Bug = {
  name: "never-answered",
  what: "now and then an operation gets no answer at all",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H15"],
  plant() {
    const { reply } = Connection.prototype;
    const due = everyNth(40);
    Connection.prototype.reply = function (this: Connection, frame) {
      if (!(frame.startsWith('{"t":"ok"') && due())) reply.call(this, frame);
    };
  },
};
