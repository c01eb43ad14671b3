import { newId } from "../../../services/core/ids";
import type { Bug } from "../bug";
import { wrapStore } from "../seams";

export const clientIdNotStored: Bug = {
  name: "client-id-not-stored",
  what: "a message is stored without the clientId it was sent under",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H7"],
  plant() {
    wrapStore(store => ({
      append: (room, entries) =>
        store.append(
          room,
          entries.map(entry => (entry.kind === "message" ? { ...entry, clientId: newId() } : entry)),
        ),
    }));
  },
};
