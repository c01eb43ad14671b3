import { section } from "./mutant";
import { connection, connections, group, queries, sqliteQueries, stores, unit } from "./places";

export const ofReading = section("Reading", [
  [
    "read concern majority",
    connection,
    'new ReadConcern("majority")',
    'new ReadConcern("local")',
    connections,
    "cannot weaken",
  ],
  [
    "reads go to the primary",
    connection,
    'readPreference: "primary"',
    'readPreference: "secondaryPreferred"',
    connections,
    "cannot weaken",
  ],
  ["w: majority", connection, 'w: "majority"', "w: 1", connections, "cannot weaken"],
  ["j: true", connection, "journal: true", "journal: false", connections, "cannot weaken"],
  [
    "synchronous=FULL",
    "mixins/sqlite/database.ts",
    'synchronous = "FULL"',
    'synchronous = "NORMAL"',
    "test/unit/mixins/sqlite/database.test.ts",
    "synced at every commit",
  ],
  [
    "never one under way",
    group,
    "group.forEach(({ resolve }, index) => resolve(results[index] as R));",
    "[...group, ...this.waiting.splice(0)].forEach(({ resolve }, index) => resolve(results[index % group.length] as R));",
    unit("group-commit"),
    "design 4, Reading",
  ],
  [
    "what is visible begins at visibleFrom, SQLite",
    sqliteQueries,
    'seq < ?2 AND seq > ${hidden("?1", "?3")}',
    "seq < ?2 AND (?3 >= 0)",
    stores,
    "cut where the reader",
  ],
  [
    "what is visible begins at visibleFrom, MongoDB",
    queries,
    "return this.messages(room, Math.max(upTo - limit, hidden), upTo);\n  }\n\n  async page",
    "return this.messages(room, upTo - limit, upTo);\n  }\n\n  async page",
    stores,
    "cut where the reader",
  ],
]);
