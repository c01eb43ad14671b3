import { ServiceBroker, type ServiceSchema } from "moleculer";
import DbService from "moleculer-db";
import type { IndexSpec } from "../../../mixins/collection";
import type { Entity } from "../../../mixins/entity";
import type { Query } from "../../../mixins/query";
import { stores, type Store } from "./stores";

const indexes: IndexSpec[] = [
  { name: "slug", fields: ["slug"], unique: true },
  { name: "pair", fields: ["a", "b"], unique: true },
  { name: "size", fields: ["size"] },
];

describe.each(stores)("the adapter of %s", (_name, open) => {
  let store: Store;
  let adapter: ReturnType<Store["adapter"]>;

  beforeAll(async () => {
    store = await open();
    adapter = store.adapter({ collection: "things", indexes });
    await adapter.connect();
  });
  afterAll(() => store.close());
  beforeEach(() => adapter.clear());

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
      ["a value that is a pattern", { name: ".*" }, []],
      ["$in and $ne and a range of one field", { size: { $in: [1, 2, 3], $ne: 2, $gt: 1 } }, ["3"]],
      ["a prefix within a range", { name: { $prefix: "An", $gt: "Anna" } }, ["4"]],
      ["an empty prefix", { name: { $prefix: "" } }, ["1", "2", "3", "4"]],
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

    test("texts sort by their code points, null and missing first, false before true", async () => {
      await adapter.clear();
      const texts = ["", "Z", "a", "zz", "Ä", "é", "\uffff", "\u{1F600}"];
      await adapter.insertMany([...texts].reverse().map((text, n) => ({ _id: `${n}`, text, size: 1 })));
      expect((await adapter.find({ query: { size: 1 }, sort: "text" })).map(({ text }) => text)).toEqual(texts);
      await adapter.insertMany([
        { _id: "x", text: null },
        { _id: "w" },
        { _id: "f", on: false },
        { _id: "t", on: true },
      ]);
      const first = await adapter.find({ query: { size: null }, sort: ["text", "-on"] });
      expect(first.map(({ _id }) => _id)).toEqual(["t", "f", "w", "x"]);
    });

    test("search finds text in the named fields only, ignoring case in every alphabet, and without patterns", async () => {
      const search = async (text: string, fields: string) =>
        (await adapter.find({ search: text, searchFields: fields })).map(({ _id }) => _id);
      expect(await search("AN", "name")).toEqual(["1", "4"]);
      expect(await search("äD", "name deep.x")).toEqual(["2"]);
      expect(await search("%", "name")).toEqual(["3"]);
      expect(await search("_", "name")).toEqual(["3"]);
      expect(await search("anna", "deep.x")).toEqual([]);
      expect(await search(".", "name")).toEqual([]);
      expect(await search("(a|b)*[", "name")).toEqual([]);
      expect(await search("anna", "")).toEqual([]);
      await adapter.insertMany([
        { _id: "5", name: "ПРИВЕТ, МИР" },
        { _id: "6", name: "a\\E.^$(b)\n\0C" },
      ]);
      expect(await search("привет", "name")).toEqual(["5"]);
      expect(await search("A\\e.^$(B)\n\0c", "name")).toEqual(["6"]);
      expect(await adapter.count({ search: "an", searchFields: ["name"], query: { size: 1 } })).toBe(1);
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
      await expect(adapter.updateMany({ _id: "2" }, { $set: { b: 1 } })).rejects.toMatchObject(duplicate("pair"));
      await expect(adapter.insertMany([{ _id: "3" }, { _id: "4", slug: "s" }])).rejects.toMatchObject(
        duplicate("slug"),
      );
      await adapter.removeById("3");
      expect(await adapter.count()).toBe(2);
    });

    test("missing and null never conflict", async () => {
      await adapter.insertMany([{ slug: null, a: 1 }, { slug: null, a: 1 }, { a: 1, b: null }, {}]);
      expect(await adapter.count()).toBe(4);
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
      expect(await adapter.updateMany({ size: 1 }, { $set: { on: false } })).toBe(2);
      expect(await adapter.updateMany({ size: 1 }, {})).toBe(2);
      expect(await adapter.updateMany({ size: 3 }, { $set: { both: 1 }, $unset: { both: "" } })).toBe(1);
      expect(await adapter.findById("3")).toEqual({ _id: "3", size: 3 });
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

  describe("declarations", () => {
    test.each(["migrations", "sqlite_x", "system_x", "Rooms", "a b", 'a"b', ""])("%j cannot be a collection", name => {
      expect(() => store.adapter({ collection: name })).toThrow(/not a collection name/);
    });

    test("index and field names must be plain", async () => {
      const connect = (index: IndexSpec) => store.adapter({ collection: "named", indexes: [index] }).connect();
      await expect(connect({ name: 'a"', fields: ["a"] })).rejects.toThrow(/not an index name/);
      await expect(connect({ name: "a", fields: ["a'"] })).rejects.toThrow(/not a field name/);
    });

    test("a unique index that the documents break ends the start", async () => {
      const one = store.adapter({ collection: "broken" });
      await one.connect();
      await one.insertMany([{ a: 1 }, { a: 1 }]);
      const two = store.adapter({ collection: "broken", indexes: [{ name: "a", fields: ["a"], unique: true }] });
      await expect(two.connect()).rejects.toThrow();
      expect(await one.count()).toBe(2);
    });

    test("a collection that never had a document is empty", async () => {
      const none = store.adapter({ collection: "none" });
      await none.connect();
      expect([await none.find(), await none.count(), await none.removeMany({})]).toEqual([[], 0, 0]);
    });
  });

  test("a service of moleculer-db works over it", async () => {
    const broker = new ServiceBroker({ logger: false });
    broker.createService({
      name: "notes",
      mixins: [DbService as Partial<ServiceSchema>],
      adapter: store.adapter({ collection: "notes", indexes: [{ name: "slug", fields: ["slug"], unique: true }] }),
      settings: { idField: "id" },
    } as object as ServiceSchema);
    await broker.start();
    const one = await broker.call("notes.create", { id: "1", slug: "one", size: 1 });
    expect(one).toEqual({ id: "1", slug: "one", size: 1 });
    await broker.call("notes.insert", {
      entities: [
        { id: "2", slug: "two", size: 2 },
        { slug: "three", size: 3 },
      ],
    });
    await expect(broker.call("notes.create", { id: "4", slug: "one" })).rejects.toThrow(/slug/);
    expect(await broker.call("notes.update", { id: "1", size: 5 })).toEqual({ id: "1", slug: "one", size: 5 });
    expect(await broker.call("notes.get", { id: "1" })).toEqual({ id: "1", slug: "one", size: 5 });
    expect(await broker.call("notes.find", { query: { size: { $gt: 2 } }, sort: "-size", fields: ["slug"] })).toEqual([
      { slug: "one" },
      { slug: "three" },
    ]);
    expect(await broker.call("notes.list", { page: 2, pageSize: 2, sort: "size" })).toMatchObject({
      rows: [{ id: "1" }],
      total: 3,
      totalPages: 2,
    });
    expect(await broker.call("notes.find", { search: "TW", searchFields: ["slug"] })).toMatchObject([{ id: "2" }]);
    expect(await broker.call("notes.count", { query: { size: 3 } })).toBe(1);
    await broker.call("notes.remove", { id: "1" });
    await expect(broker.call("notes.get", { id: "1" })).rejects.toMatchObject({ name: "EntityNotFoundError" });
    await broker.stop();
  });
});
