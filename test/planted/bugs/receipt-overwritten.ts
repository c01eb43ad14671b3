import type { Bug } from "../bug";
import { wrapEmbeddedStore } from "../seams";

const OVERWRITE = `INSERT INTO marks (room, user, read, delivered) VALUES (?1, ?2, COALESCE(?3, 0), COALESCE(?4, 0))
  ON CONFLICT (room, user) DO UPDATE SET read = COALESCE(?3, read), delivered = COALESCE(?4, delivered)`;

export const receiptOverwritten: Bug = {
  name: "receipt-overwritten",
  what: "a mark is set to what was said last, also backward",
  shapes: ["embedded"],
  faults: [],
  rules: ["H11"],
  plant() {
    wrapEmbeddedStore((_store, database) => ({
      async mark(room, user, { read, delivered }) {
        await database.write([[{ sql: OVERWRITE, params: [room, user, read ?? null, delivered ?? null] }]]);
        return true;
      },
    }));
  },
};
