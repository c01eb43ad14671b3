import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { SqliteDatabase, type DatabaseOptions } from "../../../../mixins/sqlite/database";
import { connect } from "../../../../mixins/sqlite/driver";
import type { StorageError } from "../../../../mixins/storage-errors";
import type { Unit } from "../../../../mixins/sqlite/sequence";
import { temporaryFolder } from "../../../support/temp";

const opened: SqliteDatabase[] = [];

async function open(options?: DatabaseOptions): Promise<{ database: SqliteDatabase; file: string }> {
  const file = join(temporaryFolder(), "test.db");
  const database = await SqliteDatabase.open(file, options);
  opened.push(database);
  await database.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT CHECK (text <> 'bad'))");
  return { database, file };
}

const insert = (id: number, text: string | null = "x"): Unit => [
  { sql: "INSERT INTO t VALUES (?, ?)", params: [id, text] },
];

const ids = async (database: SqliteDatabase): Promise<number[]> =>
  (await database.all<{ id: number }>("SELECT id FROM t ORDER BY id")).map(row => row.id);

const errorOf = (promise: Promise<unknown>): Promise<StorageError> =>
  promise.then(
    value => Promise.reject(new Error(`resolved to ${JSON.stringify(value)}`)),
    (error: StorageError) => error,
  );

afterEach(async () => {
  await Promise.all(opened.splice(0).map(database => database.close()));
});

describe("settings", () => {
  test("the file is a write-ahead log that is synced at every commit, with foreign keys on", async () => {
    const { database } = await open();
    expect(await database.get("PRAGMA journal_mode")).toEqual({ journal_mode: "wal" });
    expect(await database.get("PRAGMA synchronous")).toEqual({ synchronous: 2 });
    expect(await database.get("PRAGMA foreign_keys")).toEqual({ foreign_keys: 1 });
  });

  test("a file that cannot be opened rejects with its name", async () => {
    await expect(SqliteDatabase.open(join(temporaryFolder(), "no", "such.db"))).rejects.toThrow(/no.such\.db/);
  });
});

describe("sequences", () => {
  test("the units before the failed one stay, those after it are not tried", async () => {
    const { database } = await open();
    const result = await database.write([insert(1), insert(2), insert(1), insert(4)]);
    expect(result).toMatchObject({ applied: 2, changes: [1, 1], rows: [[], []] });
    expect(result.failure).toMatchObject({ kind: "unique", constraint: "t.id" });
    expect(await ids(database)).toEqual([1, 2]);
  });

  test("a unit for after a refusal is done only then, with the same commit, and counts for nothing", async () => {
    const { database } = await open();
    const last: Unit = [{ sql: "INSERT INTO t VALUES (?, 'made good')", params: [9], afterRefusal: true }];
    expect(await database.write([insert(1), last])).toEqual({ applied: 1, changes: [1], rows: [[]] });
    expect(await ids(database)).toEqual([1]);
    const before = database.stats().commits;
    const refused = await database.write([insert(2), insert(1), last]);
    expect(refused).toMatchObject({ applied: 1, changes: [1], rows: [[]], failure: { kind: "unique" } });
    expect(await ids(database)).toEqual([1, 2, 9]);
    expect(database.stats().commits).toBe(before + 1);
    const failed = database.write([insert(3), insert(1), last]);
    expect(await errorOf(failed)).toMatchObject({ outcome: "failed" });
    expect(await ids(database)).toEqual([1, 2, 9]);
  });

  test("a unit is stored whole or not at all", async () => {
    const { database } = await open();
    const result = await database.write([insert(1), [...insert(2), ...insert(1)]]);
    expect(result.applied).toBe(1);
    expect(await ids(database)).toEqual([1]);
  });

  test("a failed sequence does not touch the others of its commit", async () => {
    const { database } = await open();
    const before = database.stats().commits;
    const results = await Promise.all([
      database.write([insert(1)]),
      database.write([[...insert(2), ...insert(1)]]),
      database.write([insert(3)]),
    ]);
    expect(results.map(result => result.applied)).toEqual([1, 0, 1]);
    expect(await ids(database)).toEqual([1, 3]);
    expect(database.stats().commits).toBe(before + 1);
  });

  test("a unique index over expressions is reported by its name, columns by theirs", async () => {
    const { database } = await open();
    await database.exec(
      "CREATE TABLE u (a, b, doc, PRIMARY KEY (a, b)); CREATE UNIQUE INDEX by_name ON u (json_extract(doc, '$.n'))",
    );
    const row = (a: number, doc: string): Unit => [{ sql: "INSERT INTO u VALUES (?, 1, ?)", params: [a, doc] }];
    const returning = (a: number): Unit => [
      { sql: "INSERT INTO u VALUES (?, 1, '{}') RETURNING a", params: [a], returning: true },
    ];
    await database.write([row(1, '{"n":1}')]);
    expect((await database.write([row(1, "{}")])).failure).toMatchObject({ kind: "unique", constraint: "u.a, u.b" });
    expect((await database.write([row(2, '{"n":1}')])).failure).toMatchObject({
      kind: "unique",
      constraint: "by_name",
    });
    expect((await database.write([returning(1)])).failure).toMatchObject({ kind: "unique", constraint: "u.a, u.b" });
  });

  test("other refusals are told apart", async () => {
    const { database } = await open();
    expect((await database.write([insert(1, "bad")])).failure?.kind).toBe("check");
    expect((await database.write([[{ sql: "INSERT INTO missing VALUES (1)" }]])).failure?.kind).toBe("other");
    const wrong = { sql: "INSERT INTO t VALUES (?, ?)", params: [1, {} as never] };
    expect((await database.write([[wrong]])).failure?.kind).toBe("other");
    expect(await ids(database)).toEqual([]);
  });

  test("rows of RETURNING and numbers of changes come per unit", async () => {
    const { database } = await open();
    const statement = { sql: "INSERT INTO t VALUES (?, ?) RETURNING id, text", params: [7, "seven"], returning: true };
    const result = await database.write([[statement], [...insert(8), { sql: "UPDATE t SET text = 'y'" }]]);
    expect(result).toEqual({ applied: 2, changes: [1, 3], rows: [[{ id: 7, text: "seven" }], []] });
  });

  test("bytes, big integers and null survive", async () => {
    const { database } = await open();
    await database.exec("CREATE TABLE v (a, b, c)");
    await database.write([
      [{ sql: "INSERT INTO v VALUES (?, ?, ?)", params: [new Uint8Array([0, 255]), 2n ** 40n, null] }],
    ]);
    const row = await database.get<{ a: Uint8Array; b: number; c: null }>("SELECT * FROM v");
    expect([...(row?.a ?? [])]).toEqual([0, 255]);
    expect([row?.b, row?.c]).toEqual([2 ** 40, null]);
  });
});

describe("group commit", () => {
  test("writes that wait together share a commit and all are stored", async () => {
    const { database } = await open();
    const before = database.stats().commits;
    const seen: number[] = [];
    database.onCommit((_ms, statements) => seen.push(statements));
    await Promise.all(Array.from({ length: 500 }, (_, id) => database.write([insert(id)])));
    expect(await ids(database)).toHaveLength(500);
    expect(database.stats().commits - before).toBeLessThan(10);
    expect(seen.reduce((sum, n) => sum + n, 0)).toBe(500);
  });

  test("a read never sees half a unit, nor what is not committed yet", async () => {
    const { database } = await open();
    const wrong: number[] = [];
    const reads: Promise<void>[] = [];
    const writes = Array.from({ length: 200 }, async (_, n) => {
      if (n % 20 === 0) await new Promise(setImmediate);
      const write = database.write([[...insert(2 * n), ...insert(2 * n + 1)]]);
      reads.push(ids(database).then(found => void (found.length % 2 && wrong.push(found.length))));
      await write;
    });
    await Promise.all(writes);
    await Promise.all(reads);
    expect(reads).toHaveLength(200);
    expect(wrong).toEqual([]);

    const [, early] = await Promise.all([
      database.write([insert(1000)]),
      database.get("SELECT id FROM t WHERE id = 1000"),
    ]);
    expect(early).toBeUndefined();
    expect(await database.get("SELECT id FROM t WHERE id = 1000")).toEqual({ id: 1000 });
  });

  test("what is asked in many ticks of a busy worker travels together", async () => {
    const { database } = await open();
    const packets = jest.spyOn(Worker.prototype, "postMessage");
    // Longer than some ticks, on any machine.
    const busy = database.all(
      "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000) SELECT max(x) FROM c",
    );
    const writes: Promise<unknown>[] = [];
    for (let id = 1; id <= 20; id++) {
      await new Promise(resolve => setImmediate(resolve));
      writes.push(database.write([insert(id)]));
    }
    await Promise.all([busy, ...writes]);
    // Three, or a few more where this thread had to wait for its turn; not one for each tick.
    expect(packets.mock.calls.length).toBeLessThan(10);
    packets.mockRestore();
    expect(await ids(database)).toHaveLength(20);
    expect(database.stats().queue).toBe(0);
  });

  test("a turn comes at once while the worker is free, else when it is free again, or closed", async () => {
    // What is long may be very long where others are at work.
    const { database } = await open({ timeout: 60_000 });
    const tick = () => new Promise(resolve => setImmediate(resolve));
    // Longer than some ticks, on any machine.
    const long =
      "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000) SELECT max(x) FROM c";
    /** As many packets as may leave. */
    const fill = async (): Promise<Promise<unknown>[]> => {
      const reads: Promise<unknown>[] = [];
      for (let n = 0; n < 2; n++) {
        await database.turn();
        reads.push(database.all(long));
        await tick();
      }
      return reads;
    };
    for (const end of [() => undefined, () => database.close()]) {
      let called = false;
      const reads = await fill();
      const turn = database.turn().then(() => (called = true));
      await tick();
      expect(called).toBe(false);
      const ended = end();
      await Promise.all([turn, ended, ...reads]);
      expect(called).toBe(true);
    }
    await database.turn();
  });

  test("writes keep the order in which they were asked for", async () => {
    const { database } = await open();
    await database.write([insert(1, "0")]);
    const set = (n: number): Unit => [
      { sql: "UPDATE t SET text = ? WHERE id = 1 AND text = ?", params: [`${n}`, `${n - 1}`] },
    ];
    const results = await Promise.all(Array.from({ length: 300 }, (_, n) => database.write([set(n + 1)])));
    expect(results.every(result => result.changes[0] === 1)).toBe(true);
  });

  test("a script is all or nothing and holds its place among writes", async () => {
    const { database } = await open();
    const script = database.exec("CREATE TABLE s (a); INSERT INTO s VALUES (1); INSERT INTO nowhere VALUES (1)");
    await expect(script).rejects.toThrow(/nowhere/);
    expect(await database.all("SELECT name FROM sqlite_schema WHERE name = 's'")).toEqual([]);
    const [, , result] = await Promise.all([
      database.write([insert(1)]),
      database.exec("CREATE TABLE s AS SELECT * FROM t"),
      database.write([[{ sql: "INSERT INTO s VALUES (2, 'y')" }]]),
    ]);
    expect(result.failure).toBeUndefined();
    expect(await database.get("SELECT count(*) AS n FROM s")).toEqual({ n: 2 });
  });
});

describe("trouble", () => {
  test("on a full disk every write of the commit fails, nothing of it is stored, and later writes work", async () => {
    const { database } = await open();
    await database.write([insert(1)]);
    await database.get("PRAGMA max_page_count = 10");
    const errors = await Promise.all([
      errorOf(database.write([insert(2)])),
      errorOf(database.write([insert(3), insert(4, "x".repeat(100_000))])),
      errorOf(database.write([insert(5)])),
    ]);
    for (const error of errors) expect(error).toMatchObject({ outcome: "failed", reason: "full", type: "UNAVAILABLE" });
    expect(await ids(database)).toEqual([1]);
    await database.get("PRAGMA max_page_count = 1000000");
    await database.write([insert(4, "x".repeat(100_000))]);
    expect(await ids(database)).toEqual([1, 4]);
  });

  test("a commit that fails is unknown for all its writes, and the next write has a new connection", async () => {
    const { database } = await open();
    await database.exec("CREATE TABLE child (t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)");
    // Settings of a connection tell whether it is still the same one.
    await database.get("PRAGMA cache_size = -1000");
    const orphan: Unit = [{ sql: "INSERT INTO child VALUES (99)" }];
    const errors = await Promise.all([errorOf(database.write([insert(1)])), errorOf(database.write([orphan]))]);
    for (const error of errors) expect(error).toMatchObject({ outcome: "unknown", type: "UNKNOWN_OUTCOME" });
    expect((await database.write([insert(2)])).applied).toBe(1);
    expect(await ids(database)).toEqual([2]);
    expect(await database.get("PRAGMA cache_size")).toEqual({ cache_size: -32768 });
  });

  test("a write that finds the file locked by someone else fails and is not stored later", async () => {
    const { database, file } = await open();
    const other = connect(file);
    other.exec("BEGIN IMMEDIATE");
    expect(await errorOf(database.write([insert(1)]))).toMatchObject({ outcome: "failed", reason: "busy" });
    other.exec("ROLLBACK");
    other.close();
    expect((await database.write([insert(2)])).applied).toBe(1);
    expect(await ids(database)).toEqual([2]);
  });

  test("a write without an answer in time is unknown, and may be stored after that", async () => {
    const { database, file } = await open({ timeout: 1 });
    const other = connect(file);
    other.exec("BEGIN IMMEDIATE");
    const error = await errorOf(database.write([insert(1)]));
    other.exec("ROLLBACK");
    other.close();
    expect(error).toMatchObject({ outcome: "unknown", reason: "timeout" });
    await database.close();
    const after = connect(file);
    expect(after.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 1 });
    after.close();
  });

  test("beyond its bound the queue refuses, and what it took is stored", async () => {
    const { database } = await open({ queue: 10 });
    const taken = Array.from({ length: 10 }, (_, id) => database.write([insert(id)]));
    expect(await errorOf(database.write([insert(10)]))).toMatchObject({ outcome: "failed", reason: "overload" });
    await Promise.all(taken);
    expect(database.stats().queue).toBe(0);
    expect((await database.write([insert(11)])).applied).toBe(1);
    expect(await ids(database)).toEqual([...Array.from({ length: 10 }, (_, id) => id), 11]);
  });

  test("a wrong query rejects, and a query cannot write", async () => {
    const { database } = await open();
    await expect(database.all("SELECT nothing FROM t")).rejects.toThrow(/nothing/);
    await expect(database.all("INSERT INTO t VALUES (1, 'x') RETURNING id")).rejects.toThrow(/not a query/);
    expect(await ids(database)).toEqual([]);
  });

  test("when the worker dies, writes under way are unknown, reads failed, and it is told once", async () => {
    const { database } = await open();
    const fatal: Error[] = [];
    database.onFatal(error => fatal.push(error));
    const { worker } = database as unknown as { worker: Worker };
    const ended = new Promise(resolve => worker.once("exit", resolve));
    // Not by `terminate`: a thread that is ended within a query now and then takes the process with it.
    worker.postMessage(null);
    const read = errorOf(database.all("SELECT 1"));
    const sent = errorOf(database.write([insert(1)]));
    await ended;
    expect(await read).toMatchObject({ outcome: "failed", reason: "worker" });
    expect(await sent).toMatchObject({ outcome: "unknown", reason: "worker" });
    expect(await errorOf(database.write([insert(3)]))).toMatchObject({ outcome: "failed", reason: "closed" });
    expect(fatal).toHaveLength(1);
  });

  test("closing finishes what was asked before and refuses what comes after", async () => {
    const { database, file } = await open();
    const fatal: Error[] = [];
    database.onFatal(error => fatal.push(error));
    const writes = Array.from({ length: 50 }, (_, id) => database.write([insert(id)]));
    const closed = database.close();
    expect(await errorOf(database.write([insert(99)]))).toMatchObject({ outcome: "failed", reason: "closed" });
    await closed;
    await Promise.all(writes);
    expect(fatal).toEqual([]);
    const after = connect(file);
    expect(after.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 50 });
    after.close();
  });
});
