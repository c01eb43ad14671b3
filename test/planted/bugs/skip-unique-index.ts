import { newId } from "../../../services/core/ids";
import type { Bug } from "../bug";
import { wrapStore } from "../seams";

export const skipUniqueIndex: Bug = {
  name: "skip-unique-index",
  what: "the store takes a second message under a clientId that is there",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H7"],
  plant() {
    wrapStore(store => ({
      async append(room, entries) {
        const known = await store.repeats(room, entries);
        const isKnown = (sender: string, clientId: string): boolean =>
          known.some(one => one.sender === sender && one.clientId === clientId);
        return store.append(
          room,
          entries.map(entry => (isKnown(entry.sender, entry.clientId) ? { ...entry, clientId: newId() } : entry)),
        );
      },
    }));
  },
};
