import type { RoomEvent } from "../../../services/core/room-bus";
import type { Bug } from "../bug";
import { wrapBus } from "../seams";

/** Without it nobody's ring learns that what it keeps is no longer so. */
const withoutTarget = ({ target: _target, ...event }: RoomEvent): RoomEvent => event;

export const oldBodyReplayed: Bug = {
  name: "old-body-replayed",
  what: "a replay from memory shows a message as it was before it was edited or deleted",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H13"],
  plant() {
    wrapBus(bus => ({
      publish: packet =>
        bus.publish(packet.type === "events" ? { ...packet, events: packet.events.map(withoutTarget) } : packet),
    }));
  },
};
