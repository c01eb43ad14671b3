import type { Bug } from "../bug";
import { wrapStore } from "../seams";

export const duplicateKeyAcked: Bug = {
  name: "duplicate-key-acked",
  what: "a send whose clientId is there is acknowledged as if it had been stored anew",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H1", "H2", "H3", "H7"],
  plant() {
    wrapStore(store => ({
      async append(room, entries) {
        let rest = entries;
        while (rest.length > 0) {
          rest = rest.slice((await store.append(room, rest)).stored);
          const [refused] = rest;
          if (!refused) break;
          const [repeat] = await store.repeats(room, [refused]);
          if (!repeat) return { stored: entries.length - rest.length };
          rest = rest.slice(1);
        }
        return { stored: entries.length };
      },
    }));
  },
};
