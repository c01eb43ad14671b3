import { StorageError } from "../../../mixins/storage-errors";
import type { Bug } from "../bug";
import { everyNth, wrapStore } from "../seams";

export const unknownAsFailed: Bug = {
  name: "unknown-as-failed",
  what: "a write whose answer is lost is told as surely not done, though it is",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H2", "H15"],
  plant() {
    const due = everyNth(10);
    wrapStore(store => ({
      async append(room, entries) {
        const result = await store.append(room, entries);
        if (entries.every(({ kind }) => kind === "message") && due()) throw new StorageError("failed", "busy");
        return result;
      },
    }));
  },
};
