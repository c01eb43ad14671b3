import type { Entry } from "../../../services/messages/message.store";
import type { Bug } from "../bug";
import { everyNth, wrapStore } from "../seams";

/** Batches of messages between two holes. */
const EVERY = 25;

/** Moves an entry in the log, in the writer's eyes too. */
function move(entry: Entry, offset: number, seq: number): void {
  const message = JSON.parse(entry.data ?? "null") as object;
  Object.assign(entry, { offset, seq, data: JSON.stringify({ ...message, offset, seq }) });
}

const areMessages = (entries: readonly Entry[]): boolean => entries.every(({ kind }) => kind === "message");

export const holeLeft: Bug = {
  name: "hole-left",
  what: "an offset and a seq are given away and never stored",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H4"],
  plant() {
    const due = everyNth(EVERY);
    wrapStore(store => ({
      append(room, entries) {
        if (areMessages(entries) && due()) for (const entry of entries) move(entry, entry.offset + 1, entry.seq + 1);
        return store.append(room, entries);
      },
    }));
  },
};

export const holeFilled: Bug = {
  name: "hole-filled",
  what: "an offset that a failed insert left free is given to a later message",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H5"],
  plant() {
    const due = everyNth(EVERY);
    wrapStore(store => {
      const holes = new Map<string, { offset: number; seq: number }>();
      return {
        append(room, entries) {
          const [first] = entries;
          const hole = holes.get(room);
          if (!first || !areMessages(entries)) return store.append(room, entries);
          if (hole && entries.length === 1) {
            holes.delete(room);
            move(first, hole.offset, hole.seq);
          } else if (!hole && due()) {
            holes.set(room, { offset: first.offset, seq: first.seq });
            for (const entry of entries) move(entry, entry.offset + 1, entry.seq + 1);
          }
          return store.append(room, entries);
        },
      };
    });
  },
};
