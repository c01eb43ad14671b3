import type { CollectionSpec } from "../../../mixins/collection";
import { documentsOver, upsert, type DocumentAdapter, type Documents, type Where } from "../../../mixins/documents";
import { stores, type Store } from "./stores";

interface Account {
  id: string;
  name: string;
  visits: number;
  active?: boolean;
  note?: string | null;
  tags?: Record<string, unknown>;
}

const account = (id: string, more: Partial<Account> = {}): Account => ({ id, name: `name ${id}`, visits: 0, ...more });

let collections = 0;

describe.each(stores)("documents in %s", (_name, open) => {
  let store: Store;
  let spec: CollectionSpec;
  let accounts: Documents<Account>;

  beforeAll(async () => {
    store = await open();
  });
  afterAll(() => store.close());
  beforeEach(async () => {
    spec = {
      collection: `accounts_${++collections}`,
      indexes: [{ name: "name", fields: ["name"], unique: true }],
    };
    accounts = await store.documents<Account>(spec);
  });

  /** The same documents, where something happens between this writer's reading and its writing. */
  async function overtakenBy(happens: () => Promise<unknown>): Promise<Documents<Account>> {
    const adapter = store.adapter(spec);
    await adapter.connect();
    const updateMany: DocumentAdapter["updateMany"] = async (query, change) => {
      await happens();
      return adapter.updateMany(query, change);
    };
    return documentsOver<Account>(Object.assign(Object.create(adapter) as DocumentAdapter, { updateMany }));
  }

  test("what was inserted is read back as it was, without anything of the store's own", async () => {
    const doc = account("a", { active: false, note: null, tags: { "😀": ["x", 1.5] } });
    expect(await accounts.insert(doc)).toEqual(doc);
    expect(await accounts.get("a")).toEqual(doc);
    expect(await accounts.findOne({ name: "name a" })).toEqual(doc);
    expect(await accounts.get("nobody")).toBeNull();
  });

  test("an upsert changes what is there, and stores what is not, however many make one at once", async () => {
    const visit = () =>
      upsert(accounts, account("a", { visits: 1 }), known => ({ ...known, visits: known.visits + 1 }));
    await Promise.all(Array.from({ length: 5 }, visit));
    expect(await accounts.get("a")).toMatchObject({ visits: 5 });
    expect(await upsert(accounts, account("a", { note: "not taken" }), () => null)).toEqual(
      account("a", { visits: 5 }),
    );
    await accounts.remove("a");
    expect(await visit()).toEqual(account("a", { visits: 1 }));
  });

  test("some fields of many are picked as they are, null where they are missing", async () => {
    const ids = ["a", `it's "b"`, "c"];
    await accounts.insert(account("a", { active: false, tags: { "😀": ["x,]", 1.5, true, null] } }));
    await accounts.insert(account(`it's "b"`, { active: true, note: "n" }));
    await accounts.insert(account("d"));
    const picked = await accounts.pick([...ids, "a"], ["active", "tags", "note"]);
    expect(Object.fromEntries(picked)).toEqual({
      a: { active: false, tags: { "😀": ["x,]", 1.5, true, null] }, note: null },
      [`it's "b"`]: { active: true, tags: null, note: "n" },
    });
    expect(await accounts.pick(["d"], ["visits"])).toEqual(new Map([["d", { visits: 0 }]]));
    expect(await accounts.pick(["nobody"], ["name"])).toEqual(new Map());
    expect(await accounts.pick([], ["name"])).toEqual(new Map());
    await expect(accounts.pick(["a"], ["name'); --" as "name"])).rejects.toThrow(TypeError);
  });

  test("those that are none of a list are found, with those that have no value", async () => {
    for (const [id, note] of [["a", "x"], ["b", "y"], ["c", null], ["d"]] as const)
      await accounts.insert(account(id, note === undefined ? {} : { note }));
    const found = async (where: Where<Account>) => (await accounts.find({ where, sort: "id" })).map(({ id }) => id);
    expect(await found({ note: { $nin: ["x", "z"] } })).toEqual(["b", "c", "d"]);
    expect(await found({ note: { $nin: ["x", null] } })).toEqual(["b"]);
    expect(await found({ id: { $nin: ["a", "c"] }, note: { $nin: [] } })).toEqual(["b", "d"]);
  });

  test("documents are there when the store is opened again", async () => {
    await accounts.insert(account("a"));
    store = await store.again();
    expect(await (await store.documents<Account>(spec)).get("a")).toEqual(account("a"));
  });

  test("a second document with a unique value is refused by the index's name, on insert and on update", async () => {
    await accounts.insert(account("a"));
    await accounts.insert(account("b"));
    const again = accounts.insert(account("a", { name: "other" }));
    await expect(again).rejects.toMatchObject({ name: "DuplicateKeyError", constraint: "id" });
    await expect(accounts.insert(account("c", { name: "name a" }))).rejects.toMatchObject({ constraint: "name" });
    await expect(accounts.update("b", doc => ({ ...doc, name: "name a" }))).rejects.toMatchObject({
      constraint: "name",
    });
    expect(await accounts.get("b")).toEqual(account("b"));
    expect(await accounts.count()).toBe(2);
  });

  test("getMany answers in the order asked for and leaves unknown ids out", async () => {
    await Promise.all(["a", "b", "c"].map(id => accounts.insert(account(id))));
    const docs = await accounts.getMany(["c", "x", "a"]);
    expect(docs.map(({ id }) => id)).toEqual(["c", "a"]);
    expect(await accounts.getMany([])).toEqual([]);
  });

  test("find, count and removeWhere agree on conditions, search, order and pages", async () => {
    await Promise.all(["a", "b", "c", "d"].map((id, n) => accounts.insert(account(id, { visits: n, active: n > 0 }))));
    const list = async (what: Parameters<typeof accounts.find>[0]) => (await accounts.find(what)).map(({ id }) => id);
    expect(await list({ where: { active: true }, sort: "-visits", limit: 2 })).toEqual(["d", "c"]);
    expect(await list({ where: { active: true }, sort: ["-visits", "id"], limit: 2, offset: 2 })).toEqual(["b"]);
    expect(await list({ sort: "-id", limit: 1 })).toEqual(["d"]);
    expect(await list({ limit: 0 })).toEqual([]);
    expect(await list({ search: { text: "ME B", fields: ["name"] } })).toEqual(["b"]);
    expect(await list({ where: { id: { $in: ["a", "d"] }, visits: { $gte: 1 } } })).toEqual(["d"]);
    await expect(accounts.find({ limit: -1 })).rejects.toThrow(TypeError);
    await expect(accounts.find({ limit: "1; DROP TABLE accounts" as never })).rejects.toThrow(TypeError);
    expect(await accounts.count({ where: { active: true }, search: { text: "name", fields: ["name"] } })).toBe(3);
    expect(await accounts.removeWhere({ active: true })).toBe(3);
    expect(await list({})).toEqual(["a"]);
  });

  test("remove tells whether there was something", async () => {
    await accounts.insert(account("a"));
    expect(await accounts.remove("a")).toBe(true);
    expect(await accounts.remove("a")).toBe(false);
  });

  test("update writes what changed, takes away what is gone, and leaves the document on null", async () => {
    await accounts.insert(account("a", { note: "x", active: true }));
    const changed = await accounts.update("a", ({ note: _note, ...doc }) => ({ ...doc, visits: 5, active: undefined }));
    expect(changed).toEqual({ ...account("a"), visits: 5 });
    expect(await accounts.get("a")).toEqual({ ...account("a"), visits: 5 });
    expect(await accounts.update("a", () => null)).toEqual({ ...account("a"), visits: 5 });
    expect(await accounts.update("nobody", doc => doc)).toBeNull();
    await expect(accounts.update("a", doc => ({ ...doc, id: "b" }))).rejects.toThrow(/id/);
    const mutated = await accounts.update("a", doc => Object.assign(doc, { visits: 6 }));
    expect([mutated?.visits, (await accounts.get("a"))?.visits]).toEqual([6, 6]);
  });

  test("concurrent updates lose nothing, within one process's collection and across two of them", async () => {
    await accounts.insert(account("a"));
    const neighbour = await store.beside();
    const other = await neighbour.documents<Account>(spec);
    const visit = (doc: Account): Account => ({ ...doc, visits: doc.visits + 1 });
    await Promise.all(Array.from({ length: 50 }, () => accounts.update("a", visit)));
    expect((await accounts.get("a"))?.visits).toBe(50);
    await Promise.all(Array.from({ length: 50 }, (_, n) => (n % 2 ? accounts : other).update("a", visit)));
    expect((await other.get("a"))?.visits).toBe(100);
    if (neighbour !== store) await neighbour.close();
  });

  test("an update that another writer overtook starts again from the new document", async () => {
    await accounts.insert(account("a"));
    const theirs = [(doc: Account) => ({ ...doc, visits: 1 })];
    const slower = await overtakenBy(async () => {
      const faster = theirs.pop();
      if (faster) await accounts.update("a", faster);
    });
    const seen: number[] = [];
    const updated = await slower.update("a", doc => {
      seen.push(doc.visits);
      return { ...doc, note: "ours" };
    });
    expect(updated).toEqual({ ...account("a"), visits: 1, note: "ours" });
    expect(seen).toEqual([0, 1]);
    expect(await accounts.get("a")).toEqual(updated);
  });

  test("an update that is always overtaken gives up, surely not stored", async () => {
    await accounts.insert(account("a"));
    let faster = 0;
    const slower = await overtakenBy(() => accounts.update("a", doc => ({ ...doc, visits: ++faster })));
    const endless = slower.update("a", doc => ({ ...doc, note: "ours" }));
    await expect(endless).rejects.toMatchObject({ outcome: "failed", reason: "conflict" });
    expect(faster).toBeGreaterThan(1);
    expect(await accounts.get("a")).toEqual(account("a", { visits: faster }));
  });

  test("a change that throws is told to its caller and does not block the next", async () => {
    await accounts.insert(account("a"));
    const failing = accounts.update("a", () => {
      throw new Error("not allowed");
    });
    const next = accounts.update("a", doc => ({ ...doc, visits: 1 }));
    await expect(failing).rejects.toThrow("not allowed");
    expect((await next)?.visits).toBe(1);
  });

  test("keys of prototypes are refused as fields and inert as data", async () => {
    const evil = JSON.parse('{"id":"e","name":"e","visits":0,"__proto__":{"polluted":1}}') as Account;
    await expect(accounts.insert(evil)).rejects.toThrow(/not a field name/);
    await expect(accounts.find({ where: { "__proto__.polluted": 1 } })).rejects.toThrow(/not a field name/);
    await expect(accounts.find({ sort: "__proto__.x" as never })).rejects.toThrow(/not a field name/);
    const tags = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}') as Record<
      string,
      unknown
    >;
    await accounts.insert(account("a", { tags }));
    await accounts.update("a", doc => ({ ...doc, visits: 1 }));
    expect(JSON.stringify((await accounts.get("a"))?.tags)).toBe(JSON.stringify(tags));
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("a value that is SQL is only a value", async () => {
    const name = "'); DROP TABLE accounts; --";
    await accounts.insert(account("a", { name }));
    await accounts.update("a", doc => ({ ...doc, note: `${name}"` }));
    expect(await accounts.findOne({ name, note: `${name}"` })).toMatchObject({ id: "a" });
    expect(await accounts.count({ search: { text: name, fields: ["name"] } })).toBe(1);
    expect(await accounts.removeWhere({ name: `${name} ` })).toBe(0);
  });

  test("names below the top level are data, whatever they mean to a store", async () => {
    const tags = { "a.b": 1, $set: { $where: "1", "": [{ "%24": 0 }] }, "%": 1, "nul\0": 1, $ref: "x.y", $id: 1 };
    await accounts.insert(account("a", { tags }));
    expect((await accounts.get("a"))?.tags).toEqual(tags);
    await accounts.update("a", doc => ({ ...doc, tags: { ...doc.tags, $inc: { "b.c": null } } }));
    expect((await accounts.get("a"))?.tags).toEqual({ ...tags, $inc: { "b.c": null } });
  });

  test("a value that is an operator is refused before it reaches the store", async () => {
    await accounts.insert(account("a"));
    for (const name of [
      { $gt: {} },
      { $where: "1" },
      { $regex: "." },
      { $type: 2 },
      { $not: { $eq: 1 } },
      ["name a"],
    ]) {
      const where = { name: name as never };
      await expect(accounts.find({ where })).rejects.toThrow(TypeError);
      await expect(accounts.removeWhere(where)).rejects.toThrow(TypeError);
    }
    expect(await accounts.count()).toBe(1);
  });

  test("numbers, texts and lists come back as JSON has them", async () => {
    const tags = {
      numbers: [0, 1.5, -1, 2 ** 31, 2 ** 53 - 1, 1e300],
      texts: ["", "nul \0", "😀"],
      nested: [[], {}, [null]],
    };
    await accounts.insert(account("a", { tags: { ...tags, undefined: undefined } }));
    expect(await accounts.get("a")).toStrictEqual({ ...account("a"), tags });
  });
});
