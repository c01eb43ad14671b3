import { SqliteDatabase } from "../../../mixins/sqlite/database";
import type { Bug } from "../bug";

export const fsyncSkipped: Bug = {
  name: "fsync-skipped",
  what: "a commit is acknowledged when the system has it, not when the disk has",
  shapes: ["embedded"],
  faults: ["power"],
  rules: ["H1", "H3", "H7", "H9", "H10"],
  plant() {
    const open = SqliteDatabase.open.bind(SqliteDatabase);
    SqliteDatabase.open = (file, options) => open(file, { ...options, synchronous: "OFF" });
  },
};
