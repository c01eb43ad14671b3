import { setTimeout as pause } from "node:timers/promises";
import type { Bug } from "../bug";
import { wrapStore } from "../seams";

/** Milliseconds by which the write is late. */
const LATE = 150;

export const ackBeforeWrite: Bug = {
  name: "ack-before-write",
  what: "a batch is acknowledged when it is queued for the store, not when it is stored",
  shapes: ["embedded", "cluster"],
  faults: ["kill"],
  rules: ["H1", "H3", "H7", "H9", "H10"],
  plant() {
    wrapStore(store => {
      const writing = new Map<string, Promise<unknown>>();
      const settled = async (room: string): Promise<void> => void (await writing.get(room));
      return {
        async append(room, entries) {
          const known = await store.repeats(room, entries);
          if (known.length > 0) {
            await settled(room);
            return store.append(room, entries);
          }
          const before = settled(room);
          const write = before.then(() => pause(LATE)).then(() => store.append(room, entries));
          writing.set(
            room,
            write.catch(() => undefined),
          );
          return { stored: entries.length };
        },
        async takeOver(room, known) {
          await settled(room);
          return store.takeOver(room, known);
        },
      };
    });
  },
};
