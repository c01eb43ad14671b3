import { RoomFeed } from "../../../services/ws-gateway/feed";
import type { Bug } from "../bug";

export const resumeOffByOne: Bug = {
  name: "resume-off-by-one",
  what: "a replay begins with the second entry that was missed",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H8"],
  plant() {
    const { recent } = RoomFeed.prototype;
    RoomFeed.prototype.recent = function (this: RoomFeed, after) {
      return recent.call(this, after + 1);
    };
  },
};
