import { MongoClient } from "mongodb";
import type { IndexSpec } from "../../../mixins/collection";
import { MongoAdapter } from "../../../mixins/db.adapter.mongo";
import { MongoConnection } from "../../../mixins/mongo/connection";
import { filterOf } from "../../../mixins/mongo/query";
import type { Query } from "../../../mixins/query";
import { describeMongo, mongoUrl } from "../../support/servers";

describeMongo("a collection in MongoDB", () => {
  let url: string;
  let connection: MongoConnection;

  beforeAll(async () => {
    url = await mongoUrl();
    connection = await MongoConnection.open(url);
  });
  afterAll(() => connection.close());

  async function connected(collection: string, indexes: IndexSpec[], over = connection): Promise<MongoAdapter> {
    const adapter = new MongoAdapter({ collection, indexes }, async () => over);
    await adapter.connect();
    return adapter;
  }
  const indexNames = async (collection: string): Promise<string[]> =>
    (await connection.db.collection(collection).listIndexes().toArray()).map(({ name }) => name as string).sort();

  test("connecting again keeps documents and only adds indexes: another version's node may rely on its own", async () => {
    const one = await connected("evolving", [{ name: "a", fields: ["a"] }]);
    await one.insertMany([{ a: 1 }, { a: 1 }]);
    const two = await connected("evolving", [{ name: "b", fields: ["b"], unique: true }]);
    expect(await two.count()).toBe(2);
    expect(await indexNames("evolving")).toEqual(["_id_", "a", "b"]);
    const changed = connected("evolving", [{ name: "a", fields: ["a", "b"] }]);
    await expect(changed).rejects.toMatchObject({ outcome: "failed", reason: "statement" });
    expect(await indexNames("evolving")).toEqual(["_id_", "a", "b"]);
  });

  test("several nodes may make the same collection at once", async () => {
    const others = await Promise.all(Array.from({ length: 4 }, () => MongoConnection.open(url)));
    const indexes = [
      { name: "slug", fields: ["slug"], unique: true },
      { name: "size", fields: ["size"] },
    ];
    const adapters = await Promise.all(others.map(other => connected("raced", indexes, other)));
    expect(await indexNames("raced")).toEqual(["_id_", "size", "slug"]);
    const inserted = await Promise.allSettled(adapters.map(adapter => adapter.insert({ slug: "s" })));
    expect(inserted.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await Promise.all(others.map(other => other.close()));
  });

  test.each<[string, string, Query]>([
    ["equality", "slug", { slug: "s1" }],
    ["a list", "slug", { slug: { $in: ["s1", "s2"] } }],
    ["a prefix", "slug", { slug: { $prefix: "s1" } }],
    ["a range", "size", { size: { $gt: 1 } }],
    ["several fields", "pair", { a: 1, b: 1 }],
  ])("an index serves %s", async (_what, index, query) => {
    const indexes = [
      { name: "slug", fields: ["slug"], unique: true },
      { name: "pair", fields: ["a", "b"], unique: true },
      { name: "size", fields: ["size"] },
    ];
    const adapter = await connected("planned", indexes);
    await adapter.clear();
    await adapter.insertMany(Array.from({ length: 300 }, (_, n) => ({ slug: `s${n}`, size: n % 50, a: n, b: n })));
    const filter = filterOf(query, { collection: "planned", indexes });
    const plan = JSON.stringify(await adapter.collection.find(filter).explain("queryPlanner"));
    expect(plan).toContain(`"indexName":"${index}"`);
  });

  test("what is stored under a plain name can be read with any tool, and nothing else gets in", async () => {
    const adapter = await connected("stored", []);
    await adapter.insert({ _id: "1", map: { "a.b": 1, plain: { $x: 2 } } });
    const client = new MongoClient(url);
    const document = await client.db().collection<{ _id: string }>("stored").findOne({ _id: "1" });
    await client.close();
    expect(document).toEqual({ _id: "1", map: { "a%2Eb": 1, plain: { "%24x": 2 } } });
  });

  test("many are inserted in order, up to the first that is refused", async () => {
    const adapter = await connected("ordered", [{ name: "slug", fields: ["slug"], unique: true }]);
    const many = [{ _id: "1", slug: "a" }, { _id: "2", slug: "b" }, { _id: "3", slug: "a" }, { _id: "4" }];
    await expect(adapter.insertMany(many)).rejects.toMatchObject({ duplicate: true, constraint: "slug" });
    expect((await adapter.find()).map(({ _id }) => _id)).toEqual(["1", "2"]);
  });
});
