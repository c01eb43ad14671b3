import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cluster } from "../deploy/local/local-cluster";
import { MongoConnection } from "../mixins/mongo/connection";
import { SqliteDatabase } from "../mixins/sqlite/database";
import { newId } from "../services/core/ids";
import type { MessageStore } from "../services/messages/message.store";
import { MongoMessageStore } from "../services/messages/message.store.mongo";
import { SqliteMessageStore } from "../services/messages/message.store.sqlite";
import { startEmbeddedGround } from "../test/chaos/ground.embedded";
import { Rest } from "../test/support/rest";
import { SocketClient } from "../test/support/socket";
import { fillRoom } from "./seed/messages";

/**
 * What a room costs to open by its length, over the public API: `npx tsx bench/opening.ts [shape] [messages]`, of a built
 * product. A small room of 1,000 messages and a large one are asked in turn; printed are medians and their ratio, which
 * should be about one.
 */

const [shape = "embedded", messages = "1000000"] = process.argv.slice(2);
const SMALL = 1_000;
const LARGE = Number(messages);
/** Times each thing is asked of each room. */
const ROUNDS = 40;

interface Product {
  url: string;
  wsUrl: string;
  adminPassword: string;
  stop(): Promise<void>;
}

interface Rooms {
  small: string;
  large: string;
}

interface Reader {
  product: Product;
  rest: Rest;
  token: string;
}

/** Signs the reader in, who stays unread from the first message on. */
async function signIn(product: Product): Promise<Reader> {
  const rest = new Rest(product.url);
  const { status, body } = await rest.post("/api/auth/login", { username: "admin", password: product.adminPassword });
  if (status !== 200) throw new Error(`login: ${status} ${JSON.stringify(body)}`);
  return { product, rest: rest.as(body.accessToken), token: body.accessToken };
}

async function makeRooms({ rest }: Reader): Promise<Rooms> {
  const make = async (name: string): Promise<string> => {
    const { status, body } = await rest.post("/api/channels", { name });
    if (status !== 201) throw new Error(`channel: ${status} ${JSON.stringify(body)}`);
    return body.id;
  };
  return { small: await make("small"), large: await make("large") };
}

/** Up to so many messages. */
async function fill(store: MessageStore, room: string, count: number): Promise<void> {
  const { seq } = (await store.takeOver(room)).head;
  const began = performance.now();
  await fillRoom(store, room, { senders: [newId()], messages: count - seq });
  console.log(`${count} messages stored in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
}

async function fillBoth(store: MessageStore, { small, large }: Rooms): Promise<void> {
  await fill(store, small, SMALL);
  await fill(store, large, LARGE);
}

/** What is asked of a room with so many messages. */
type Question = (reader: Reader, room: string, count: number) => Promise<unknown>;

const history =
  (query: (count: number) => string): Question =>
  async ({ rest }, room, count) => {
    const { status, body } = await rest.get(`/api/channels/${room}/messages?${query(count)}`);
    if (status !== 200 || body.items.length !== 50) throw new Error(`history: ${status}, ${body.items?.length} items`);
  };

const questions: Record<string, Question> = {
  "hello and subscribe": async ({ product, token }, room) => {
    const socket = await SocketClient.open(product.wsUrl);
    const welcome = await socket.hello(token, { [room]: null });
    if (welcome.rooms?.[room]?.state !== "live") throw new Error(JSON.stringify(welcome));
    await socket.close();
  },
  "newest page": history(() => "limit=50"),
  "before the middle": history(count => `before=${count / 2}&limit=50`),
  "after the middle": history(count => `after=${count / 2}&limit=50`),
  "around the middle": history(count => `around=${count / 2}&limit=50`),
  "after the first": history(() => "after=1&limit=50"),
  "numbered page in the middle": history(count => `page=${count / 100}&pageSize=50`),
  "a message, sent": async ({ rest }, room) => {
    const { status } = await rest.post(`/api/channels/${room}/messages`, { text: "one more" });
    if (status !== 201) throw new Error(`send: ${status}`);
  },
};

async function measure(reader: Reader, { small, large }: Rooms): Promise<void> {
  const print = (what: string, one: number[], other: number[]) => {
    const [a, b] = [median(one), median(other)];
    console.log(
      `${what.padEnd(30)} ${a.toFixed(2).padStart(8)} ms ${b.toFixed(2).padStart(8)} ms  ${(b / a).toFixed(2)}`,
    );
  };
  console.log(`${"".padEnd(30)} ${String(SMALL).padStart(11)} ${String(LARGE).padStart(11)}  ratio`);
  for (const [what, ask] of Object.entries(questions)) {
    const times: [number[], number[]] = [[], []];
    // The first rounds warm everything up.
    for (let round = -5; round < ROUNDS; round++) {
      const first = await timed(() => ask(reader, small, SMALL));
      const second = await timed(() => ask(reader, large, LARGE));
      if (round >= 0) times[0].push(first);
      if (round >= 0) times[1].push(second);
    }
    print(what, ...times);
  }
}

/**
 * Unread of all rooms is one question: asked while the large room is as long as the small one, and when it is filled, each
 * time against a question that has nothing to do with rooms, since the machine may be busier then. Returns that ratio.
 */
async function unread({ rest }: Reader): Promise<number> {
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    times[0].push(await timed(() => rest.get("/api/users/me")));
    times[1].push(await timed(() => rest.get("/api/unread")));
  }
  const { body } = await rest.get("/api/unread");
  const counts = (body.items as { unread: number }[]).map(({ unread: count }) => count).join(", ");
  const [reference, asked] = [median(times[0]), median(times[1])];
  console.log(`unread counts [${counts}]: ${asked.toFixed(2)} ms; users/me: ${reference.toFixed(2)} ms`);
  return asked / reference;
}

async function timed(ask: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await ask();
  return performance.now() - began;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

async function embedded(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), "rookery-opening-"));
  const start = async (): Promise<Product> => {
    const ground = await startEmbeddedGround({ dataDir });
    return {
      url: ground.url,
      wsUrl: ground.doors[0] as string,
      adminPassword: ground.adminPassword,
      stop: ground.stop,
    };
  };
  const filling = async (work: (store: MessageStore) => Promise<void>) => {
    const database = await SqliteDatabase.open(join(dataDir, "rookery.db"));
    await work(await SqliteMessageStore.open(database));
    await database.close();
  };
  try {
    let product = await start();
    const rooms = await makeRooms(await signIn(product));
    await product.stop();
    await filling(async store => {
      await fill(store, rooms.small, SMALL);
      await fill(store, rooms.large, SMALL);
    });
    product = await start();
    const before = await unread(await signIn(product));
    await product.stop();
    await filling(store => fill(store, rooms.large, LARGE));
    product = await start();
    const reader = await signIn(product);
    console.log(`unread, ratio ${((await unread(reader)) / before).toFixed(2)}`);
    await measure(reader, rooms);
    await product.stop();
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function cluster(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), "rookery-opening-"));
  const running = new Cluster({ dataDir, env: { RATE_LIMIT: "count" } });
  try {
    await running.start();
    const product: Product = {
      url: running.url,
      wsUrl: `${running.url.replace("http", "ws")}/ws`,
      adminPassword: running.adminPassword,
      stop: async () => void (await running.stop()),
    };
    const reader = await signIn(product);
    const rooms = await makeRooms(reader);
    const connection = await MongoConnection.open(running.mongoUrl);
    const store = await MongoMessageStore.open(connection);
    await fill(store, rooms.large, SMALL);
    const before = await unread(reader);
    await fillBoth(store, rooms);
    await store.close();
    await connection.close();
    console.log(`unread, ratio ${((await unread(reader)) / before).toFixed(2)}`);
    await measure(reader, rooms);
  } finally {
    await running.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

(shape === "cluster" ? cluster() : embedded()).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
