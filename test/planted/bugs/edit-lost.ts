import type { Entry } from "../../../services/messages/message.store";
import type { Bug } from "../bug";
import { everyNth, wrapStore } from "../seams";

export const editLost: Bug = {
  name: "edit-lost",
  what: "the entry of an edit is stored, what it changes is not, and no take-over makes it good",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H13"],
  plant() {
    const due = everyNth(3);
    wrapStore(store => {
      const asBefore = async (room: string, entry: Entry): Promise<Entry> => {
        const { change } = entry;
        if (entry.kind !== "edit" || !change || !due()) return entry;
        const [event] = await store.events(room, change.offset - 1, 1, Infinity);
        return event ? { ...entry, change: { ...change, data: event.data } } : entry;
      };
      return {
        append: async (room, entries) =>
          store.append(room, await Promise.all(entries.map(entry => asBefore(room, entry)))),
      };
    });
  },
};
