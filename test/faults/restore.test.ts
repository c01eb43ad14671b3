import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { MongoClient, type Document } from "mongodb";
import { Stage, say, type Client } from "../support/client";
import { serverOf, addressesOf, startCluster } from "../support/cluster";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { baseEnvironment, describeEmbedded, freePorts, ROOT, ServerProcess, type Server } from "../support/server";
import { describeCluster, mongoUrl } from "../support/servers";
import { temporaryFolder } from "../support/temp";
import { Sender, wholeHistory } from "./traffic";

/** Runs one of the commands as an operator does; resolves to what it printed. */
async function operate(command: "backup" | "restore", args: string[], env: Record<string, string>): Promise<string> {
  const program = ["--import", "tsx", join("config", "backup", `${command}.ts`), ...args];
  const { stdout } = await promisify(execFile)(process.execPath, program, {
    cwd: ROOT,
    env: { ...baseEnvironment(), ...env },
  });
  return stdout;
}

/** Somebody with a room, an epoch and an offset from before the restore, and messages that the restored log does not have. */
interface Memory {
  epoch: string;
  room: string;
  /** Acknowledged before the backup, and after it. */
  kept: Body[];
  lost: Body[];
}

/** What clients find after a restore: told to begin anew, they end up with the log as it is. */
async function comeBack(stage: Stage, client: Client, { epoch, room, kept, lost }: Memory): Promise<void> {
  // Nobody is signed in: not with tokens from before the restore, whatever the store knows of their session.
  expect((await client.get("/api/users/me")).status).toBe(401);
  expect((await stage.nobody.post("/api/auth/refresh", { refreshToken: client.refreshToken })).status).toBe(401);
  const again = await stage.login(client);

  const history = await wholeHistory(again, room);
  const byClientId = new Map(history.map(message => [message.clientId, message]));
  for (const message of kept) expect(byClientId.get(message.clientId)).toEqual(message);
  expect(history.map(message => message.seq)).toEqual(history.map((_, n) => n + 1));
  const last = history.at(-1) as Body;

  // Whatever offset somebody comes back with: below the restored head, at it, beyond it.
  const offsets = [0, kept[0]?.offset - 1, last.offset, (lost.at(-1) as Body).offset, 1_000_000];
  for (const offset of offsets) {
    // A gateway that has come up a moment later than the others asks to be tried again.
    const welcome = await eventually(
      "a gateway lets him in",
      async () => (await again.connect()).hello(again.token as string, { [room]: offset }, { epoch }),
      answer => answer.code !== "UNAVAILABLE",
    );
    expect(welcome).toMatchObject({ t: "welcome", rooms: { [room]: { state: "reset", seq: last.seq } } });
    expect(welcome.epoch).not.toBe(epoch);
  }

  // What was lost is said again under the same clientId: stored once more, after the last number; what was not is there.
  const socket = await again.socket([room]);
  const own = (message: Body): boolean => message.senderId === client.id;
  const missing = lost.filter(message => own(message) && !byClientId.has(message.clientId));
  expect(missing.length).toBeGreaterThan(0);
  for (const { clientId, text } of missing) {
    const frame = { t: "send", room, clientId, text };
    const first = await socket.request(frame);
    expect(first).toMatchObject({
      t: "ok",
      message: { clientId, seq: last.seq + 1 + missing.findIndex(one => one.clientId === clientId) },
    });
    expect(await socket.request(frame)).toMatchObject({ t: "ok", duplicate: true, message: { id: first.message.id } });
  }
  const [{ clientId, text }] = kept.filter(own) as [Body];
  expect(await socket.request({ t: "send", room, clientId, text })).toMatchObject({ t: "ok", duplicate: true });
  const now = await wholeHistory(again, room);
  expect(now.map(message => message.seq)).toEqual(now.map((_, n) => n + 1));
  await socket.event(room, now.at(-1)?.offset as number);
  expect(socket.events(room).map(event => event.data.clientId)).toEqual(missing.map(message => message.clientId));
}

describeEmbedded("a store put back from a backup", () => {
  test("was copied while people went on talking; they sign in anew, are told to begin anew, and end up with the log (S66: inside)", async () => {
    const server = new ServerProcess(temporaryFolder(), await freePorts(), {});
    await server.start();
    const stage = await Stage.on(Object.assign(server, { process: server }) as Server);
    const people = await stage.users("ann", "ben", "cat");
    const [ann, ben, cat] = people as [Client, Client, Client];
    const room = await stage.channel(people);
    const file = await upload(ann, "before");
    const { epoch } = (await (await ann.connect()).hello(ann.token as string)) as Body;
    const settings = { DATA_DIR: server.dataDir };
    const backup = join(temporaryFolder(), "backup");

    const senders = [ben, cat].map((client, n) => new Sender(client, room, `s${n}`, n % 2 ? "socket" : "rest"));
    const acked = (): Body[] => senders.flatMap(sender => sender.acknowledged.map(({ message }) => message));
    const running = senders.map(sender => sender.run());
    await eventually("traffic", () => acked().length >= 50);
    const kept = acked();
    const began = performance.now();
    expect(await operate("backup", ["--to", backup], settings)).toMatch(
      /^backup of .* in .*\n  store  .*: .* entries of /,
    );
    const during = { messages: acked().length - kept.length, ms: performance.now() - began };
    const soFar = acked().length;
    await eventually("more traffic", () => acked().length >= soFar + 30);
    for (const sender of senders) sender.stop();
    await Promise.all(running);
    const late = await upload(ann, "after");
    // Ended after the backup, which does not know of it.
    expect((await cat.post("/api/auth/logout", { refreshToken: cat.refreshToken })).status).toBe(204);
    console.log(`${during.messages} messages were acknowledged in the ${Math.round(during.ms)} ms of the backup`);

    await expect(operate("restore", ["--from", backup, "--replace"], settings)).rejects.toThrow(
      /in use by process \d+/,
    );
    await server.stop();
    await expect(operate("restore", ["--from", backup], settings)).rejects.toThrow(/holds a store already/);
    expect(await operate("restore", ["--from", backup, "--replace"], settings)).toMatch(/ new epoch [0-9a-f]{32}/);
    await server.start();

    const lost = acked().slice(soFar);
    await comeBack(stage, cat, { epoch, room, kept, lost });
    const again = await stage.login(ann);
    expect(await textOf(again, file)).toBe("before");
    expect((await again.get(late)).status).toBe(404);
    await stage.end();
    await server.stop();
  }, 90_000);
});

async function upload(client: Client, text: string): Promise<string> {
  const form = new FormData();
  form.append("file", new Blob([text]), "note.txt");
  return (await client.raw("POST", "/api/files", form)).body.url as string;
}

const textOf = async (client: Client, path: string): Promise<string> => (await client.get(path)).body as string;

describeCluster("a cluster whose MongoDB was put back from a dump", () => {
  test("has a new epoch after `npm run restore -- --new-epoch`: the same for everybody who comes back", async () => {
    const url = await mongoUrl();
    const client = new MongoClient(url);
    try {
      const { cluster } = await startCluster({ mongoUrl: url });
      const server = serverOf(addressesOf(cluster), { output: "", end: async () => [] });
      const stage = await Stage.on(server);
      const ann = await stage.user("ann");
      const room = await stage.channel([ann]);
      const { epoch } = (await (await ann.connect()).hello(ann.token as string)) as Body;
      const kept: Body[] = [];
      for (let n = 0; n < 5; n++) kept.push(await say(ann, room, `kept ${n}`, { clientId: `kept-${n}` }));
      const dump = await dumpOf(client);
      const lost: Body[] = [];
      for (let n = 0; n < 5; n++) lost.push(await say(ann, room, `lost ${n}`, { clientId: `lost-${n}` }));

      for (const node of cluster.nodes) await node.stop();
      await restoreDump(client, dump);
      expect(await operate("restore", ["--new-epoch"], { MONGO_URL: url })).toMatch(/ new epoch [0-9a-f]{32}/);
      await Promise.all(cluster.nodes.map(node => node.start()));
      await eventually(
        "health",
        async () => (await stage.nobody.get("/api/health").catch(() => null))?.status === 200,
        Boolean,
        60_000,
      );
      await comeBack(stage, ann, { epoch, room, kept, lost });

      // Put back under nodes that nobody stopped: those that knew the old store end by themselves, and are started again.
      const ben = await stage.login(ann);
      const socket = await ben.socket([room]);
      const { epoch: second } = (await (await ben.connect()).hello(ben.token as string)) as Body;
      const gone: Body[] = [];
      for (let n = 0; n < 5; n++) gone.push(await say(ben, room, `gone ${n}`, { clientId: `gone-${n}` }));
      const pids = new Map(cluster.nodes.map(node => [node, node.pid]));
      await restoreDump(client, dump);
      await operate("restore", ["--new-epoch"], { MONGO_URL: url });
      const concerned = cluster.nodes.filter(({ name }) => !/api-gateway|presence/.test(name));
      await eventually(
        "other processes",
        () => concerned.filter(node => node.pid !== pids.get(node)).length === concerned.length,
        Boolean,
        60_000,
      );
      await eventually(
        "health",
        async () => (await stage.nobody.get("/api/health").catch(() => null))?.status === 200,
        Boolean,
        60_000,
      );
      expect(socket.closed).not.toBeNull();
      await comeBack(stage, ben, { epoch: second, room, kept, lost: gone });
      await stage.end();
    } finally {
      await client.close();
    }
  }, 180_000);
});

type Dump = Map<string, Document[]>;

/** As `mongodump` at a quiet hour. */
async function dumpOf(client: MongoClient): Promise<Dump> {
  const dump: Dump = new Map();
  for (const { name } of await client.db().listCollections().toArray())
    dump.set(name, await client.db().collection(name).find().toArray());
  return dump;
}

/** As `mongorestore --drop`; indexes are made when services start. */
async function restoreDump(client: MongoClient, dump: Dump): Promise<void> {
  for (const { name } of await client.db().listCollections().toArray()) await client.db().dropCollection(name);
  for (const [name, docs] of dump) if (docs.length > 0) await client.db().collection(name).insertMany(docs);
}
