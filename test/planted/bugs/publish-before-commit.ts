import { setTimeout as pause } from "node:timers/promises";
import type { RoomBus } from "../../../services/core/room-bus";
import { eventOf } from "../../../services/messages/message.store";
import type { Bug } from "../bug";
import { wrapBus, wrapStore } from "../seams";

/** Milliseconds between the event and its commit. */
const EARLY = 100;

export const publishBeforeCommit: Bug = {
  name: "publish-before-commit",
  what: "readers see an entry before it is stored",
  shapes: ["embedded", "cluster"],
  faults: ["kill"],
  rules: ["H1", "H2", "H3", "H10"],
  plant() {
    let bus: RoomBus | null = null;
    wrapBus(one => {
      bus = one;
      return {};
    });
    wrapStore(store => ({
      async append(room, entries) {
        bus?.publish({ type: "events", room, events: entries.map(entry => eventOf(entry, entry.change)) });
        await pause(EARLY);
        return store.append(room, entries);
      },
    }));
  },
};
