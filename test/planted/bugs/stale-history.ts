import type { Message } from "../../../services/core/model";
import type { Bug } from "../bug";
import { wrapStore } from "../seams";

/** Milliseconds by which the copy is behind. */
const BEHIND = 1_500;

export const staleHistory: Bug = {
  name: "stale-history",
  what: "history is read from a copy that is behind what was acknowledged",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H1", "H9", "H10"],
  plant() {
    wrapStore(store => {
      /** Seqs that have not reached the copy, by room. */
      const late = new Map<string, Set<number>>();
      const isThere = (room: string, seq: number): boolean => !late.get(room)?.has(seq);
      return {
        async append(room, entries) {
          const seqs = late.get(room) ?? new Set();
          late.set(room, seqs);
          for (const { kind, seq } of entries) {
            if (kind !== "message") continue;
            seqs.add(seq);
            setTimeout(() => seqs.delete(seq), BEHIND).unref();
          }
          return store.append(room, entries);
        },
        async window(room, window) {
          return (await store.window(room, window)).filter(({ seq }) => isThere(room, seq));
        },
        async page(room, ...args) {
          const { items, total } = await store.page(room, ...args);
          return { items: items.filter(data => isThere(room, (JSON.parse(data) as Message).seq)), total };
        },
      };
    });
  },
};
