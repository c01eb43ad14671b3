import { MongoConnection } from "../../../../mixins/mongo/connection";
import { StorageError } from "../../../../mixins/storage-errors";
import { eventually } from "../../../support/eventually";
import { describeMongo, mongoUrl } from "../../../support/servers";
import { TcpProxy } from "../../../support/tcp-proxy";

interface Thing {
  _id: string;
  text?: string;
}

describeMongo("the connection to MongoDB", () => {
  let direct: MongoConnection;
  let proxy: TcpProxy;
  let url: string;
  let lines: string[];
  const log = {
    info: (line: string) => lines.push(`info ${line}`),
    warn: (line: string) => lines.push(`warn ${line}`),
  };

  beforeAll(async () => {
    const target = new URL(await mongoUrl());
    direct = await MongoConnection.open(target.href);
    proxy = await TcpProxy.start(target.host);
    target.host = proxy.address;
    url = target.href;
  });
  afterAll(async () => {
    await direct.close();
    await proxy.stop();
  });

  let connection: MongoConnection;
  beforeEach(async () => {
    lines = [];
    proxy.requests("pass");
    proxy.answers("pass");
    connection = await MongoConnection.open(url, log);
  });
  afterEach(() => connection.close());

  const insert = (_id: string, text = "", over = connection) =>
    over.write(db => db.collection<Thing>("things").insertOne({ _id, text }));
  const isStored = async (_id: string): Promise<boolean> =>
    (await direct.read(db => db.collection<Thing>("things").countDocuments({ _id }))) === 1;
  const outcome = async (write: Promise<unknown>): Promise<string> =>
    write.then(
      () => "done",
      (error: unknown) => (error instanceof StorageError ? `${error.outcome} ${error.reason}` : String(error)),
    );

  /** A connection that stands, idle. */
  const warm = async (): Promise<void> => {
    await eventually(
      "an answer",
      () => outcome(connection.ping()),
      answer => answer === "done",
    );
  };

  test("a write whose answer is cut off is unknown, and was stored", async () => {
    await warm();
    proxy.answers("cut");
    expect(await outcome(insert("answer cut"))).toBe("unknown network");
    expect(await isStored("answer cut")).toBe(true);
  });

  test("a write whose request is cut off is unknown, too: nobody can tell it from the other", async () => {
    await warm();
    proxy.requests("cut");
    expect(await outcome(insert("request cut"))).toBe("unknown network");
    expect(await isStored("request cut")).toBe(false);
  });

  test("the same goes for groups of writes, and reads are failed whatever happened", async () => {
    await warm();
    proxy.answers("cut");
    const many = connection.write(db => db.collection<Thing>("things").insertMany([{ _id: "m1" }, { _id: "m2" }]));
    expect(await outcome(many)).toBe("unknown network");
    expect([await isStored("m1"), await isStored("m2")]).toEqual([true, true]);
    proxy.answers("pass");
    await warm();
    proxy.answers("cut");
    expect(await outcome(connection.read(db => db.collection("things").findOne({})))).toBe("failed network");
  });

  test("while no server can be reached writes surely fail, and work again by themselves", async () => {
    await warm();
    await proxy.away();
    await eventually(
      "the loss is noticed",
      () => connection.up,
      up => !up,
    );
    expect(await outcome(insert("away"))).toBe("failed away");
    const many = connection.write(db => db.collection<Thing>("things").insertMany([{ _id: "away" }]));
    expect(await outcome(many)).toBe("failed away");
    expect(await isStored("away")).toBe(false);
    await proxy.listen();
    await eventually("the server is found", () => connection.up);
    expect(await outcome(insert("back"))).toBe("done");
    expect(lines.map(line => line.slice(0, 12))).toEqual(["info connect", "warn MongoDB", "info connect"]);
  });

  test("a server that comes after the start is found; what is asked before surely fails; it is told once", async () => {
    await proxy.away();
    const early = await MongoConnection.open(url.replace("mongodb://", "mongodb://user:secret@"), log);
    expect(await outcome(insert("early", "", early))).toBe("failed away");
    await early.close();
    await expect(early.whenFound()).rejects.toMatchObject({ outcome: "failed", reason: "closed" });
    // Its own: the connection of every test comes back too.
    const own: string[] = [];
    const patient = await MongoConnection.open(url, {
      info: line => void own.push(`info ${line}`),
      warn: line => void own.push(`warn ${line}`),
    });
    const prepared = patient.prepare(db => db.command({ ping: 1 }));
    expect(await outcome(patient.ping())).toBe("failed away");
    await proxy.listen();
    expect(await prepared).toMatchObject({ ok: 1 });
    expect(own.filter(line => line.startsWith("warn"))).toHaveLength(1);
    expect(own.filter(line => line.startsWith("info"))).toHaveLength(1);
    expect([...lines, ...own].join()).not.toContain("secret");
    await patient.close();
  });

  test("a start that takes long is told to the operator once, and is not ended for that", async () => {
    const told = () => lines.filter(line => line.includes("minutes"));
    await connection.prepare(() => eventually("a line", told, list => list.length > 0));
    expect(told()).toHaveLength(1);
    await connection.prepare(db => db.command({ ping: 1 }));
    expect(told()).toHaveLength(1);
  });

  test("a server that is silent makes writes unknown and reads failed, in bounded time", async () => {
    await warm();
    proxy.answers("hold");
    expect(await outcome(insert("silence"))).toMatch(/^unknown (timeout|network)$/);
    expect(await isStored("silence")).toBe(true);
    expect(await outcome(connection.ping())).toMatch(/^failed /);
    proxy.answers("pass");
    await warm();
  });

  test("a write too large for the buffers of a silent connection is bounded, too", async () => {
    await warm();
    proxy.requests("hold");
    expect(await outcome(insert("large", "x".repeat(15_000_000)))).toMatch(/^unknown /);
    proxy.requests("pass");
    await warm();
  });

  test("as many of them as there are connections give their places back once they have failed", async () => {
    await warm();
    const ask = () => Promise.all(Array.from({ length: 64 }, () => outcome(connection.ping())));
    const everyPlaceIsTaken = () =>
      eventually(
        "a connection in each place of the pool",
        async () => (await ask(), proxy.connections),
        connections => connections >= 16,
      );
    await everyPlaceIsTaken();
    proxy.requests("hold");
    const large = Array.from({ length: 32 }, (_, n) => outcome(insert(`large ${n}`, "x".repeat(5_000_000))));
    const found = await Promise.all(large);
    expect(found.filter(one => one.startsWith("unknown")).length).toBeGreaterThanOrEqual(8);
    proxy.requests("pass");
    await everyPlaceIsTaken();
  });

  // The driver passes on the socket's own error where a connection breaks while a command is being sent.
  test.each(["write", "read"] as const)("a connection that breaks in the middle of a large %s", async kind => {
    await warm();
    proxy.requests("cut");
    const text = "x".repeat(15_000_000);
    const find = () => connection.read(db => db.collection<Thing>("things").findOne({ text }));
    const isWrite = kind === "write";
    expect(await outcome(isWrite ? insert("torn", text) : find())).toBe(`${isWrite ? "unknown" : "failed"} network`);
    proxy.requests("pass");
    await warm();
  });

  test("a refused command surely did nothing, a duplicate names its index", async () => {
    const update = connection.write(db => db.collection("things").updateOne({}, { $nonsense: { a: 1 } }));
    expect(await outcome(update)).toBe("failed statement");
    await insert("twice");
    await expect(insert("twice")).rejects.toMatchObject({ name: "DuplicateKeyError", constraint: "id" });
    const again = connection.write(db =>
      db.collection<Thing>("things").insertMany([{ _id: "once" }, { _id: "twice" }]),
    );
    await expect(again).rejects.toMatchObject({ name: "DuplicateKeyError", constraint: "id" });
  });

  test("what BSON cannot hold never leaves the process", async () => {
    const write = connection.write(db => db.collection("things").insertOne({ "a\0b": 1 }));
    expect(await outcome(write)).toBe("failed statement");
  });

  test("the URL names the database and cannot weaken what a write promises", async () => {
    const { host } = new URL(url);
    const weak = await MongoConnection.open(
      `mongodb://${host}/?w=0&journal=false&retryWrites=true&readConcernLevel=local&readPreference=nearest`,
    );
    expect(weak.db.databaseName).toBe("rookery");
    expect(weak.db.writeConcern).toMatchObject({ w: "majority", journal: true });
    expect(weak.db.readConcern).toMatchObject({ level: "majority" });
    expect(weak.db.readPreference).toMatchObject({ mode: "primary" });
    await weak.close();
    await expect(MongoConnection.open("http://nowhere")).rejects.toThrow(/scheme/);
  });

  test("at most 20,000 reads and writes are under way: one more surely does nothing, and is never sent", async () => {
    const releases: (() => void)[] = [];
    const held = () => new Promise<void>(resolve => releases.push(resolve));
    const taken = Array.from({ length: 20_000 }, (_, n) => (n % 2 ? connection.read(held) : connection.write(held)));
    let sent = 0;
    const refused = [connection.write(async () => void sent++), connection.read(async () => void sent++)];
    expect(await Promise.all(refused.map(outcome))).toEqual(["failed overload", "failed overload"]);
    expect([sent, releases.length]).toEqual([0, 20_000]);
    for (const release of releases) release();
    await Promise.all(taken);
    await warm();
    expect(await outcome(insert("room again"))).toBe("done");
  });

  test("closing lets what is under way finish, and refuses what comes after", async () => {
    await warm();
    const writes = Array.from({ length: 40 }, (_, n) => outcome(insert(`closing ${n}`)));
    await connection.close();
    expect(new Set(await Promise.all(writes))).toEqual(new Set(["done"]));
    expect(await outcome(insert("closed"))).toBe("failed closed");
    expect(await isStored("closing 39")).toBe(true);
  });
});
