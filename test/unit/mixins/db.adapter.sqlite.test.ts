import { join } from "node:path";
import { SqliteAdapter } from "../../../mixins/db.adapter.sqlite";
import type { IndexSpec } from "../../../mixins/collection";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { temporaryFolder } from "../../support/temp";

const indexes: IndexSpec[] = [
  { name: "slug", fields: ["slug"], unique: true },
  { name: "pair", fields: ["a", "b"], unique: true },
  { name: "size", fields: ["size"] },
];

let database: SqliteDatabase;
let adapter: SqliteAdapter;

async function connected(collection: string, specs: IndexSpec[] = indexes): Promise<SqliteAdapter> {
  const made = new SqliteAdapter({ collection, indexes: specs }, async () => database);
  await made.connect();
  return made;
}

beforeAll(async () => {
  database = await SqliteDatabase.open(join(temporaryFolder(), "test.db"));
});
afterAll(() => database.close());
beforeEach(async () => {
  adapter = await connected("things");
  await adapter.clear();
});

test("many are inserted all or none", async () => {
  await expect(adapter.insertMany([{ slug: "a" }, { slug: "b" }, { slug: "a" }])).rejects.toMatchObject({
    duplicate: true,
  });
  expect(await adapter.count()).toBe(0);
});

test("an index is used for equality, ranges and lists", async () => {
  for (const condition of ["= 1", "> 1", "IN (SELECT value FROM json_each('[1]'))"]) {
    const sql = `EXPLAIN QUERY PLAN SELECT * FROM things WHERE json_extract(doc, '$.size') ${condition}`;
    const plan = await database.all<{ detail: string }>(sql);
    expect(plan.map(({ detail }) => detail).join()).toContain("USING INDEX things.size");
  }
});

describe("the collection", () => {
  const indexNames = async (table: string) =>
    (
      await database.all<{ name: string }>(
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ? ORDER BY name",
        [table],
      )
    ).map(({ name }) => name);

  test("connecting again keeps documents and brings indexes to what is declared", async () => {
    const one = await connected("evolving", [
      { name: "a", fields: ["a"] },
      { name: "b", fields: ["b"] },
    ]);
    await one.insertMany([
      { a: 1, c: 1 },
      { a: 1, c: 2 },
    ]);
    const two = await connected("evolving", [{ name: "a", fields: ["a", "c"], unique: true }]);
    expect(await two.count()).toBe(2);
    expect(await indexNames("evolving")).toEqual(["evolving.a"]);
    await expect(two.insert({ a: 1, c: 1 })).rejects.toMatchObject({ constraint: "a" });
  });

  test("a unique index that the documents break ends the start and changes nothing", async () => {
    const one = await connected("broken", [{ name: "b", fields: ["b"] }]);
    await one.insertMany([{ a: 1 }, { a: 1 }]);
    await expect(connected("broken", [{ name: "a", fields: ["a"], unique: true }])).rejects.toThrow(/UNIQUE/);
    expect(await indexNames("broken")).toEqual(["broken.b"]);
  });
});
