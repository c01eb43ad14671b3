import type { RoomEvent } from "../../../services/core/room-bus";
import type { Bug } from "../bug";
import { wrapBus } from "../seams";

const withoutMember = ({ member: _member, ...event }: RoomEvent): RoomEvent => event;

export const removedReadsOn: Bug = {
  name: "removed-reads-on",
  what: "who is removed from a room goes on reading it on the socket he has open",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H12"],
  plant() {
    wrapBus(bus => ({
      publish: packet =>
        bus.publish(packet.type === "events" ? { ...packet, events: packet.events.map(withoutMember) } : packet),
    }));
  },
};
