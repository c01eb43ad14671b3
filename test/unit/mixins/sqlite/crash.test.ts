import { join } from "node:path";
import { SqliteDatabase } from "../../../../mixins/sqlite/database";
import { temporaryFolder } from "../../../support/temp";
import { start } from "./children/start";

test("every row acknowledged before kill -9 is there afterwards, and the file is sound", async () => {
  const file = join(temporaryFolder(), "crash.db");
  const child = start("writer", [file]);
  await child.line(/^acked 500$/);
  child.process.kill("SIGKILL");
  await child.ended;
  const acked = child.lines.map(line => Number(/^acked (\d+)$/.exec(line)?.[1]));
  expect(acked.length).toBeGreaterThanOrEqual(500);

  const database = await SqliteDatabase.open(file);
  const rows = await database.all<{ id: number; text: string }>("SELECT id, text FROM rows");
  const integrity = await database.get("PRAGMA integrity_check");
  await database.close();
  const stored = new Map(rows.map(row => [row.id, row.text]));
  expect(acked.filter(id => stored.get(id) !== `row ${id}`)).toEqual([]);
  expect(integrity).toEqual({ integrity_check: "ok" });
});

// A limit on the size of files is the one disk error every Unix can produce: writing the log fails inside COMMIT.
const onUnix = process.platform === "win32" ? test.skip : test;

onUnix("a commit that the disk refuses is unknown, and the store works on when there is room again", async () => {
  const child = start("limited", [join(temporaryFolder(), "limited.db")], "ulimit -f 2000;");
  await child.ended;
  // Reopening starts the log afresh, so there is room again.
  expect(child.lines).toEqual(["last unknown", "next ok", "row as acknowledged", "integrity ok"]);
});
