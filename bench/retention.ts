import { join } from "node:path";
import { parseArgs } from "node:util";
import { SqliteDatabase } from "../mixins/sqlite/database";
import { newId } from "../services/core/ids";
import { SqliteMessageStore } from "../services/messages/message.store.sqlite";
import { ADMIN_PASSWORD } from "../test/support/settings";
import { Rest, type Body } from "../test/support/rest";
import { SocketClient } from "../test/support/socket";
import { quantile } from "./load/meter";
import { fillRoom } from "./seed/messages";
import { startEmbedded, type Embedded } from "./subjects/embedded";
import { mustBeBuilt } from "./subjects/product";
import { moveAway, pinServers } from "./support/cores";
import { temporaryFolder } from "./support/ground";
import { count, fixed, printTable } from "./support/table";
import { run } from "./support/undo";

const USAGE = `node --import tsx bench/retention.ts [--messages 1000000] [--keep 10000] [--clients 8] [--rate 200] [--seconds 20]
What senders notice while what is too old is removed: the built product as one process, and a room that is full of messages
of two years ago but for the newest. Clients send into it over the socket at a fixed rate, before, during and after.`;

/** Days: by it the worker looks every two seconds, and the room's own setting says what goes. */
const EVERYWHERE = "0.002";
const OLD = 730 * 86_400_000;
/** Milliseconds between looks at the metrics. */
const LOOK = 1_000;

interface Phase {
  name: string;
  latencies: number[];
  seconds: number;
  refused: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      messages: { type: "string", default: "1000000" },
      keep: { type: "string", default: "10000" },
      clients: { type: "string", default: "8" },
      rate: { type: "string", default: "200" },
      seconds: { type: "string", default: "20" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return console.log(USAGE);
  const [messages, keep, clients, rate, seconds] = [
    values.messages,
    values.keep,
    values.clients,
    values.rate,
    values.seconds,
  ].map(Number) as [number, number, number, number, number];
  mustBeBuilt();
  pinServers();
  const dataDir = join(temporaryFolder("retention"), "data");
  const env = { ADMIN_PASSWORD, RETENTION_DAYS: EVERYWHERE };
  let server = await startEmbedded({ dataDir, env });
  const room = await makeRoom(server);
  await server.stop();
  await fill(dataDir, room, messages, keep);
  server = await startEmbedded({ dataDir, env });
  moveAway(process.pid);
  const rest = await admin(server);
  const sockets = await Promise.all(Array.from({ length: clients }, () => connect(server, rest.token as string)));
  const load = new Load(sockets, room, rate);

  await load.phase("warming up", () => wait(5_000));
  const before = await load.phase("before", () => wait(seconds * 1_000));
  const during = await load.phase("during", async () => {
    await setDays(rest, room, 365);
    await removedAll(server, messages - keep);
  });
  const after = await load.phase("after", () => wait(seconds * 1_000));
  load.end();

  const { total } = (await rest.get(`/api/channels/${room}/messages?pageSize=1`)).body;
  const sent = [before, during, after].reduce((sum, { latencies }) => sum + latencies.length, 0);
  printTable(
    `sends into a room of ${count(messages)} messages while all but the newest ${count(keep)} are removed, milliseconds to the ack`,
    ["", "seconds", "sends/s", "p50", "p95", "p99", "max", "refused", "removed/s"],
    [before, during, after].map(({ name, latencies, seconds: took, refused }) => [
      name,
      fixed(took, 0),
      count(latencies.length / took),
      ...[0.5, 0.95, 0.99, 1].map(share => fixed(quantile(latencies, share), 1)),
      String(refused),
      name === "during" ? count((messages - keep) / took) : "-",
    ]),
  );
  console.log(`${count(total)} messages are left; ${count(sent)} were sent while it was measured`);
}

async function makeRoom(server: Embedded): Promise<string> {
  const rest = await admin(server);
  const { status, body } = await rest.post("/api/channels", { name: "retention" });
  if (status !== 201) throw new Error(`channel: ${status} ${JSON.stringify(body)}`);
  await setDays(rest, body.id, 0);
  return body.id;
}

async function setDays(rest: Rest, room: string, retentionDays: number): Promise<void> {
  const { status, body } = await rest.patch(`/api/channels/${room}`, { retentionDays });
  if (status !== 200) throw new Error(`settings: ${status} ${JSON.stringify(body)}`);
}

async function admin({ port }: Embedded): Promise<Rest> {
  const rest = new Rest(`http://127.0.0.1:${port}`);
  const { status, body } = await rest.post("/api/auth/login", { username: "admin", password: ADMIN_PASSWORD });
  if (status !== 200) throw new Error(`login: ${status}`);
  return rest.as((body as Body).accessToken);
}

async function connect({ port }: Embedded, token: string): Promise<SocketClient> {
  const socket = await SocketClient.open(`ws://127.0.0.1:${port}/ws`);
  await socket.hello(token);
  return socket;
}

/** Messages of several senders, all but the newest made long ago. */
async function fill(dataDir: string, room: string, messages: number, keep: number): Promise<void> {
  const database = await SqliteDatabase.open(join(dataDir, "rookery.db"));
  const store = await SqliteMessageStore.open(database);
  const began = performance.now();
  await fillRoom(store, room, {
    senders: Array.from({ length: 50 }, () => newId()),
    messages,
    at: seq => new Date(Date.now() - (seq <= messages - keep ? OLD : 0)),
  });
  await database.close();
  console.log(`${count(messages)} messages stored in ${fixed((performance.now() - began) / 1_000, 0)} s`);
}

/** Sends at a fixed rate, whatever the answers take. */
class Load {
  private current: Phase | null = null;
  private readonly timers: NodeJS.Timeout[];

  constructor(sockets: readonly SocketClient[], room: string, rate: number) {
    const every = (1_000 * sockets.length) / rate;
    this.timers = sockets.map(socket => setInterval(() => void this.send(socket, room), every));
  }

  async phase(name: string, work: () => Promise<unknown>): Promise<Phase> {
    console.log(name);
    const phase: Phase = { name, latencies: [], seconds: 0, refused: 0 };
    this.current = phase;
    const began = performance.now();
    await work();
    phase.seconds = (performance.now() - began) / 1_000;
    return phase;
  }

  end(): void {
    this.timers.forEach(clearInterval);
  }

  private async send(socket: SocketClient, room: string): Promise<void> {
    const phase = this.current;
    const began = performance.now();
    const { t } = await socket.request({ t: "send", room, clientId: newId(), text: "one more, of average length" });
    phase?.latencies.push(performance.now() - began);
    if (t !== "ok" && phase) phase.refused++;
    // Acks alone: of a long run they would be all that is in memory.
    socket.frames.length = 0;
  }
}

/** Until so many entries have left. */
async function removedAll({ metricsUrls: [url = ""] }: Embedded, entries: number): Promise<void> {
  for (let told = performance.now(), removed = 0; removed < entries; await wait(LOOK)) {
    const text = await (await fetch(url)).text();
    removed = Number(/^rookery_retention_entries_removed_total(?:\{.*\})? (\d+)/m.exec(text)?.[1] ?? 0);
    if (performance.now() - told < 30_000) continue;
    told = performance.now();
    console.log(`${count(removed)} removed`);
  }
}

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

run(main);
