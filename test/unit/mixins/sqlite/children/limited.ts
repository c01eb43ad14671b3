import { SqliteDatabase } from "../../../../../mixins/sqlite/database";
import { StorageError } from "../../../../../mixins/storage-errors";

/** Writes until the file size limit of this process makes a commit fail, then writes on; prints what became of each row. */
async function main(file: string): Promise<void> {
  const database = await SqliteDatabase.open(file);
  await database.exec("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
  const write = async (id: number): Promise<string> => {
    try {
      // The same row is written again and again, so that only the log grows.
      const sql = "INSERT INTO rows VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET text = excluded.text";
      await database.write([[{ sql, params: [`${id} ${"x".repeat(8000)}`] }]]);
      return "ok";
    } catch (error) {
      return error instanceof StorageError ? error.outcome : "other";
    }
  };
  const outcomes: string[] = [];
  let id = 0;
  while (id < 1000 && !outcomes.includes("unknown")) outcomes.push(await write(++id));
  console.log(`last ${outcomes.at(-1)}`);
  console.log(`next ${await write(++id)}`);
  const row = await database.get<{ text: string }>("SELECT text FROM rows");
  console.log(`row ${row?.text.split(" ")[0] === String(id) ? "as acknowledged" : "other"}`);
  const check = await database.get<{ integrity_check: string }>("PRAGMA integrity_check");
  console.log(`integrity ${check?.integrity_check}`);
  await database.close();
}

void main(process.argv[2] as string);
