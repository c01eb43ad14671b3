import { SqliteDatabase } from "../../../../../mixins/sqlite/database";

/** Writes rows for ever, several at a time, and prints the id of each one after its acknowledgement. */
async function main(file: string): Promise<void> {
  const database = await SqliteDatabase.open(file);
  await database.exec("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
  let next = 1;
  const write = async (): Promise<never> => {
    for (;;) {
      const id = next++;
      await database.write([[{ sql: "INSERT INTO rows VALUES (?, ?)", params: [id, `row ${id}`] }]]);
      console.log(`acked ${id}`);
    }
  };
  await Promise.all(Array.from({ length: 20 }, write));
}

void main(process.argv[2] as string);
