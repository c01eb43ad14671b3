import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { MongoClient } from "mongodb";
import { installed, startMongo, startNats } from "../../deploy/local/servers";
import { eventually } from "../support/eventually";
import { ROOT } from "../support/server";
import { temporaryFolder } from "../support/temp";
import { available, describeCluster, mongoUrl, natsUrl } from "../support/servers";

const describeInstalled = installed.nats && installed.mongo && installed.s3 ? describe : describe.skip;

describeInstalled("servers of this machine", () => {
  test("die with the process that started them, also when that is killed", async () => {
    const starter = spawn(
      process.execPath,
      ["--import", "tsx", "test/integration/children/servers.ts", temporaryFolder()],
      {
        cwd: ROOT,
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const line = await new Promise<string>(resolve => createInterface({ input: starter.stdout }).once("line", resolve));
    const pids = JSON.parse(line) as number[];
    expect(pids.length).toBeGreaterThanOrEqual(5);
    expect(pids.filter(isAlive)).toEqual(pids);
    starter.kill("SIGKILL");
    await eventually(
      "nobody is left",
      () => pids.filter(isAlive),
      left => left.length === 0,
    );
  });

  test("what MongoDB acknowledged outlives kill -9 of its store and of its gateway", async () => {
    const mongo = await startMongo();
    const client = new MongoClient(`${mongo.url}/kept`, { serverSelectionTimeoutMS: 5_000 });
    const things = client.db().collection<{ _id: number }>("things");
    try {
      for (const round of [1, 2]) {
        await things.insertOne({ _id: round }, { writeConcern: { w: "majority", journal: true } });
        await (round === 1 ? mongo.killStore() : mongo.killGateway());
        await expect(things.insertOne({ _id: 10 + round }, { timeoutMS: 2_000 })).rejects.toThrow();
        await (round === 1 ? mongo.startStore() : mongo.startGateway());
        const ids = await eventually(
          "reads again",
          () =>
            things
              .find()
              .toArray()
              .catch(() => null),
          found => found !== null,
        );
        expect(ids?.map(({ _id }) => _id)).toEqual(round === 1 ? [1] : [1, 2]);
      }
    } finally {
      await client.close();
      await mongo.stop();
    }
    expect(mongo.pids).toEqual([]);
  });

  test("a data folder of MongoDB is one server's: a second is refused by name and harms nothing", async () => {
    const dataDir = temporaryFolder();
    const mongo = await startMongo({ dataDir });
    const client = new MongoClient(`${mongo.url}/kept`);
    const things = client.db().collection<{ _id: number }>("things");
    try {
      await things.insertOne({ _id: 1 });
      await expect(startMongo({ dataDir })).rejects.toThrow(/is in use by another postmaster/);
      await things.insertOne({ _id: 2 });
      await mongo.killStore();
      await mongo.startStore();
      await eventually(
        "both are kept",
        () => things.countDocuments().catch(() => null),
        found => found === 2,
      );
    } finally {
      await client.close();
      await mongo.stop();
    }
  });

  test("NATS comes back on its port after kill -9", async () => {
    const nats = await startNats();
    const { url, pid } = nats;
    await nats.kill9();
    expect(isAlive(pid)).toBe(false);
    await nats.start();
    expect(nats.url).toBe(url);
    expect(nats.pid).not.toBe(pid);
    await nats.stop();
  });
});

describeCluster("servers of the run", () => {
  test("are one for all who ask, with a database each", async () => {
    expect(await natsUrl()).toBe(await natsUrl());
    const [one, other] = [new URL(await mongoUrl()), new URL(await mongoUrl())];
    expect(one.host).toBe(other.host);
    expect(one.pathname).not.toBe(other.pathname);
    expect(available).toEqual({ nats: true, mongo: true, cluster: true });
  });
});

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);
