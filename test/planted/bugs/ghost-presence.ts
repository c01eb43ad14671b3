import { PresenceReport } from "../../../services/ws-gateway/presence-report";
import type { Bug } from "../bug";

export const ghostPresence: Bug = {
  name: "ghost-presence",
  what: "who has closed his last socket stays online",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H14"],
  plant() {
    const { set } = PresenceReport.prototype;
    PresenceReport.prototype.set = function (this: PresenceReport, user, online) {
      if (online) set.call(this, user, online);
    };
  },
};
