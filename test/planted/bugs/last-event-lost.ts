import type { RoomPacket } from "../../../services/core/room-bus";
import type { Bug } from "../bug";
import { wrapBus } from "../seams";

export const lastEventLost: Bug = {
  name: "last-event-lost",
  what: "the last entry of a room reaches nobody before the next one does, and its head is not told again",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H8"],
  plant() {
    wrapBus(bus => {
      const held = new Map<string, RoomPacket>();
      return {
        publish(packet) {
          if (packet.type === "head") return;
          if (packet.type === "signal") return bus.publish(packet);
          const before = held.get(packet.room);
          held.set(packet.room, packet);
          if (before) bus.publish(before);
        },
      };
    });
  },
};
