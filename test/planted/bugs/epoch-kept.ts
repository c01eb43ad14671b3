import { SqliteDatabase } from "../../../mixins/sqlite/database";
import type { Bug } from "../bug";

export const epochKept: Bug = {
  name: "epoch-kept",
  what: "a store that was put back from a backup keeps the epoch it had",
  shapes: ["embedded"],
  faults: ["restore"],
  rules: ["H8"],
  plant() {
    const { write } = SqliteDatabase.prototype;
    SqliteDatabase.prototype.write = function (this: SqliteDatabase, sequences) {
      const others = sequences.map(sequence => sequence.filter(({ sql }) => !sql.startsWith("UPDATE log SET epoch")));
      return write.call(this, others);
    };
  },
};
