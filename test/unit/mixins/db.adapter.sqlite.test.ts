import { join } from "node:path";
import { SqliteAdapter, type Entity } from "../../../mixins/db.adapter.sqlite";
import type { IndexSpec } from "../../../mixins/sqlite/collection";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import type { Query } from "../../../mixins/sqlite/query";
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

const found = async (query: Query): Promise<string[]> => (await adapter.find({ query })).map(({ _id }) => _id);

describe("queries", () => {
  beforeEach(async () => {
    await adapter.insertMany([
      { _id: "1", name: "Anna", size: 1, on: true, deep: { x: "p" } },
      { _id: "2", name: "Äda", size: 2, on: false, deep: { x: "q" } },
      { _id: "3", name: "100%_sure", size: 3, none: null },
      { _id: "4", name: "Anton", size: 10 },
    ]);
  });

  test.each<[string, Query, string[]]>([
    ["equality", { name: "Anna" }, ["1"]],
    ["several fields", { name: "Anna", size: 2 }, []],
    ["a boolean", { on: true }, ["1"]],
    ["false, which is not missing", { on: false }, ["2"]],
    ["null, which is missing too", { none: null, on: null }, ["3", "4"]],
    ["a nested field", { "deep.x": "q" }, ["2"]],
    ["the id", { _id: "3" }, ["3"]],
    ["$in", { size: { $in: [2, 10, 99] } }, ["2", "4"]],
    ["$in with null", { on: { $in: [true, null] } }, ["1", "3", "4"]],
    ["an empty $in", { size: { $in: [] } }, []],
    ["$ne, true where the field is missing", { on: { $ne: true } }, ["2", "3", "4"]],
    ["$ne null", { on: { $ne: null } }, ["1", "2"]],
    ["ranges, by number and not by text", { size: { $gt: 2, $lte: 10 } }, ["3", "4"]],
    ["$gte and $lt", { size: { $gte: 2, $lt: 3 } }, ["2"]],
    ["a prefix", { name: { $prefix: "An" } }, ["1", "4"]],
    ["a prefix that is a pattern elsewhere", { name: { $prefix: "100%_" } }, ["3"]],
    ["a value that is SQL", { name: "' OR 1=1 --" }, []],
    ["nothing", {}, ["1", "2", "3", "4"]],
  ])("%s", async (_name, query, ids) => {
    expect(await found(query)).toEqual(ids);
    expect(await adapter.count({ query })).toBe(ids.length);
  });

  test("sort, limit and offset cut pages that do not overlap, ties decided by id", async () => {
    const page = async (sort: string, limit: number, offset: number) =>
      (await adapter.find({ sort, limit, offset })).map(({ _id }) => _id);
    expect(await page("-size", 2, 0)).toEqual(["4", "3"]);
    expect(await page("-size", 2, 2)).toEqual(["2", "1"]);
    expect(await page("on", 3, 0)).toEqual(["3", "4", "2"]);
    expect(await page("-_id", -1, 0)).toEqual(["4", "3", "2", "1"]);
  });

  test("search finds text in the named fields only, ignoring case in every alphabet, and without patterns", async () => {
    const search = async (text: string, fields: string) =>
      (await adapter.find({ search: text, searchFields: fields })).map(({ _id }) => _id);
    expect(await search("AN", "name")).toEqual(["1", "4"]);
    expect(await search("äD", "name deep.x")).toEqual(["2"]);
    expect(await search("%", "name")).toEqual(["3"]);
    expect(await search("_", "name")).toEqual(["3"]);
    expect(await search("anna", "deep.x")).toEqual([]);
    expect(await adapter.count({ search: "an", searchFields: ["name"], query: { size: 1 } })).toBe(1);
  });

  test("an index is used for equality, ranges and lists", async () => {
    for (const condition of ["= 1", "> 1", "IN (SELECT value FROM json_each('[1]'))"]) {
      const sql = `EXPLAIN QUERY PLAN SELECT * FROM things WHERE json_extract(doc, '$.size') ${condition}`;
      const plan = await database.all<{ detail: string }>(sql);
      expect(plan.map(({ detail }) => detail).join()).toContain("USING INDEX things.size");
    }
  });
});

describe("writes", () => {
  test("a duplicate is refused by the index's declared name, or id", async () => {
    await adapter.insert({ _id: "1", slug: "s", a: 1, b: 1 });
    const duplicate = (constraint: string) => ({ duplicate: true, constraint });
    await expect(adapter.insert({ _id: "1" })).rejects.toMatchObject(duplicate("id"));
    await expect(adapter.insert({ _id: "2", slug: "s" })).rejects.toMatchObject(duplicate("slug"));
    await expect(adapter.insert({ _id: "2", a: 1, b: 1 })).rejects.toMatchObject(duplicate("pair"));
    await adapter.insert({ _id: "2", a: 1, b: 2 });
    await expect(adapter.updateById("2", { $set: { slug: "s" } })).rejects.toMatchObject(duplicate("slug"));
    expect(await adapter.count()).toBe(2);
  });

  test("missing and null never conflict", async () => {
    await adapter.insertMany([{ slug: null, a: 1 }, { slug: null, a: 1 }, { a: 1, b: null }, {}]);
    expect(await adapter.count()).toBe(4);
  });

  test("many are inserted all or none", async () => {
    await expect(adapter.insertMany([{ slug: "a" }, { slug: "b" }, { slug: "a" }])).rejects.toMatchObject({
      duplicate: true,
    });
    expect(await adapter.count()).toBe(0);
  });

  test("an id is made where there is none, and only text is one", async () => {
    const made = await adapter.insert({ size: 1 });
    expect(await adapter.findById(made._id)).toEqual(made);
    await expect(adapter.insert({ _id: 7 as never })).rejects.toThrow(TypeError);
    await expect(adapter.insert({ _id: "" })).rejects.toThrow(TypeError);
  });

  test("updateMany sets and unsets in one statement and counts", async () => {
    await adapter.insertMany([
      { _id: "1", size: 1 },
      { _id: "2", size: 1, old: 1 },
      { _id: "3", size: 3 },
    ]);
    const value = { "it's": ['"', "\\", "é", null], n: 1.5 };
    expect(await adapter.updateMany({ size: 1 }, { $set: { value, on: false }, $unset: { old: "" } })).toBe(2);
    expect(await adapter.findById("2")).toEqual({ _id: "2", size: 1, value, on: false });
    expect(await adapter.findById("3")).toEqual({ _id: "3", size: 3 });
    expect(await adapter.updateMany({ size: 99 }, { $set: { on: true } })).toBe(0);
  });

  test("updateById and removeById answer with the document, or null", async () => {
    await adapter.insert({ _id: "1", size: 1 });
    expect(await adapter.updateById("1", { $set: { size: 2 } })).toEqual({ _id: "1", size: 2 });
    expect(await adapter.updateById("9", { $set: { size: 2 } })).toBeNull();
    expect(await adapter.removeById("1")).toEqual({ _id: "1", size: 2 });
    expect(await adapter.removeById("1")).toBeNull();
  });

  test("removeMany removes what the query matches", async () => {
    await adapter.insertMany([{ size: 1 }, { size: 1 }, { _id: "3", size: 3 }]);
    expect(await adapter.removeMany({ size: 1 })).toBe(2);
    expect((await adapter.find()).map(({ _id }) => _id)).toEqual(["3"]);
  });

  test("a field name of the top level must be plain; below it is data", async () => {
    const evil = JSON.parse('{"__proto__": {"polluted": 1}}') as Entity;
    await expect(adapter.insert({ ...evil })).rejects.toThrow(/not a field name/);
    await expect(adapter.updateMany({}, { $set: { "a.b": 1 } })).rejects.toThrow(/top-level/);
    await expect(adapter.updateMany({}, { $set: evil })).rejects.toThrow(/not a field name/);
    await expect(adapter.updateMany({}, { $unset: { "x') --": 1 } })).rejects.toThrow(/not a field name/);
    await adapter.insert({ _id: "1", map: evil });
    const back = await adapter.findById("1");
    expect(JSON.stringify(back)).toBe('{"_id":"1","map":{"__proto__":{"polluted":1}}}');
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("ids move between services' name and the stored one without touching the original", () => {
    const entity = { id: "1", a: 1 };
    expect(adapter.beforeSaveTransformID(entity, "id")).toEqual({ _id: "1", a: 1 });
    expect(entity).toEqual({ id: "1", a: 1 });
    expect(adapter.afterRetrieveTransformID({ _id: "1", a: 1 }, "id")).toEqual({ id: "1", a: 1 });
    expect(adapter.afterRetrieveTransformID({ _id: "1", a: 1 }, "_id")).toEqual({ _id: "1", a: 1 });
  });
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

  test.each(["migrations", "sqlite_x", "Rooms", "a b", 'a"b', ""])("%j cannot be a collection", name => {
    expect(() => new SqliteAdapter({ collection: name }, async () => database)).toThrow(/not a collection name/);
  });

  test("index and field names of a declaration must be plain", async () => {
    await expect(connected("named", [{ name: 'a"', fields: ["a"] }])).rejects.toThrow(/not an index name/);
    await expect(connected("named", [{ name: "a", fields: ["a'"] }])).rejects.toThrow(/not a field name/);
  });
});
