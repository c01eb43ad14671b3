import type { RoomPacket } from "../../../services/core/room-bus";
import type { Bug } from "../bug";
import { wrapBus, wrapStore } from "../seams";

type EventsPacket = Extract<RoomPacket, { type: "events" }>;

export const lastEventLost: Bug = {
  name: "last-event-lost",
  what: "the last entry of a room reaches nobody before the next one does, and the head of the room is told without it",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H8"],
  plant() {
    const held = new Map<string, EventsPacket>();
    wrapBus(bus => {
      return {
        publish(packet) {
          if (packet.type === "head") return;
          if (packet.type === "signal" || packet.type === "floor") return bus.publish(packet);
          const before = held.get(packet.room);
          held.set(packet.room, packet);
          if (before) bus.publish(before);
        },
      };
    });
    // Else gateways would notice: they compare heads every few seconds.
    wrapStore(store => ({
      takeOver: (...args) => store.takeOver(...args),
      async heads(rooms) {
        const heads = await store.heads(rooms);
        for (const [room, head] of heads) {
          const first = held.get(room)?.events[0];
          if (first) heads.set(room, { ...head, offset: first.offset - 1 });
        }
        return heads;
      },
    }));
  },
};
