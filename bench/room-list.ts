import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cluster } from "../deploy/local/local-cluster";
import { MongoConnection } from "../mixins/mongo/connection";
import { SqliteDatabase } from "../mixins/sqlite/database";
import { newId } from "../services/core/ids";
import type { Entry, MessageStore } from "../services/messages/message.store";
import { MongoMessageStore } from "../services/messages/message.store.mongo";
import { SqliteMessageStore } from "../services/messages/message.store.sqlite";
import { startEmbeddedGround } from "../test/chaos/ground.embedded";
import { Rest } from "../test/support/rest";

/**
 * What the room list, unread, opening a room and marking all as read cost a user with many rooms, over the public API of a
 * built product, and what that asks of the store: `npx tsx bench/room-list.ts [embedded|cluster] [rooms]`.
 */

const [shape = "embedded", rooms = "500"] = process.argv.slice(2);
const ROOMS = Number(rooms);
/** Messages of each room, of which some name the reader and some are deleted. */
const MESSAGES = 20;
const ROUNDS = 15;

interface Reader {
  rest: Rest;
  user: string;
}

async function signIn(url: string, password: string): Promise<Reader> {
  const { body } = await new Rest(url).post("/api/auth/login", { username: "admin", password });
  return { rest: new Rest(url, body.accessToken), user: body.user.id };
}

async function makeRooms({ rest }: Reader): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < ROOMS) {
    const made = await Promise.all(
      Array.from({ length: 10 }, (_, n) => rest.post("/api/channels", { name: `room ${ids.length + n}` })),
    );
    for (const { status, body } of made) {
      if (status !== 201) throw new Error(`channel: ${status} ${JSON.stringify(body)}`);
      ids.push(body.id);
    }
  }
  return ids;
}

async function fill(store: MessageStore, ids: readonly string[], reader: string): Promise<void> {
  const sender = newId();
  await inTens(ids, async channelId => {
    const { offset: last, seq: before } = (await store.takeOver(channelId)).head;
    const entries = Array.from({ length: MESSAGES }, (_, n): Entry => {
      const [id, offset, seq] = [newId(), last + n + 1, before + n + 1];
      const text = `message ${seq} of this room, as long as what people write`;
      const createdAt = new Date().toISOString();
      const data = JSON.stringify({ id, channelId, senderId: sender, text, attachments: [], createdAt, seq, offset });
      const mentions = n % 5 === 0 ? [reader] : [];
      return { offset, seq, kind: "message", id, sender, clientId: id, hash: null, batch: last + 1, data, mentions };
    });
    await store.append(channelId, entries);
    const gone = entries[2] as Entry;
    const change = { offset: gone.offset, data: gone.data as string, deleted: true as const };
    const at = { offset: last + MESSAGES + 1, seq: before + MESSAGES, batch: last + MESSAGES + 1 };
    const blank = { id: null, sender, clientId: newId(), hash: null, data: null };
    await store.append(channelId, [{ ...at, ...blank, kind: "delete", change }]);
  });
}

async function inTens<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += 10) await Promise.all(items.slice(from, from + 10).map(work));
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

async function timed(what: string, ask: () => Promise<unknown>, rounds = ROUNDS): Promise<void> {
  const times: number[] = [];
  for (let round = -3; round < rounds; round++) {
    const began = performance.now();
    await ask();
    if (round >= 0) times.push(performance.now() - began);
  }
  console.log(`${what.padEnd(34)} ${median(times).toFixed(1).padStart(8)} ms`);
}

/** What a list asks of the store, with the number of its queries. */
async function ofStore(store: MessageStore, ids: readonly string[], user: string, count: () => number): Promise<void> {
  const places = ids.map(room => ({ room, visibleFrom: 0 }));
  const asked = count();
  const rows = await store.unread(user, places);
  const counted = count();
  await store.messagesAt(rows.map(({ room, lastSeq }) => ({ room, seq: lastSeq })));
  console.log(`queries: unread ${counted - asked}, last messages ${count() - counted}`);
  await timed("store: unread", () => store.unread(user, places));
  await timed("store: last messages", () => store.messagesAt(rows.map(({ room, lastSeq: seq }) => ({ room, seq }))));
}

async function overApi({ rest }: Reader, room: string): Promise<void> {
  const ask = (path: string, right: (body: Record<string, unknown[]>) => boolean) => async () => {
    const { status, body } = await rest.get(path);
    if (status !== 200 || !right(body)) throw new Error(`${path}: ${status}`);
  };
  await timed(
    "GET /api/users/me",
    ask("/api/users/me", () => true),
  );
  await timed(
    "GET /api/unread",
    ask("/api/unread", ({ items }) => (items?.length ?? 0) >= ROOMS),
  );
  await timed(
    "GET /api/rooms",
    ask("/api/rooms", ({ items }) => (items?.length ?? 0) >= Math.min(ROOMS, 500)),
  );
  await timed(
    "GET /api/channels/{id}/open",
    ask(`/api/channels/${room}/open`, ({ history }) => history !== undefined),
  );
  const began = performance.now();
  const { status } = await rest.post("/api/read", {});
  console.log(`POST /api/read (${status}), all unread: ${(performance.now() - began).toFixed(0)} ms`);
  await timed("POST /api/read, nothing unread", () => rest.post("/api/read", {}));
}

async function embedded(dataDir: string): Promise<void> {
  let ground = await startEmbeddedGround({ dataDir });
  const ids = await makeRooms(await signIn(ground.url, ground.adminPassword));
  const { user } = await signIn(ground.url, ground.adminPassword);
  await ground.stop();
  const database = await SqliteDatabase.open(join(dataDir, "rookery.db"));
  let asked = 0;
  const watched = new Proxy(database, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        if (name === "all" || name === "get") asked++;
        return value.apply(target, args);
      };
    },
  });
  const store = await SqliteMessageStore.open(watched);
  await fill(store, ids, user);
  await ofStore(store, ids, user, () => asked);
  await database.close();
  ground = await startEmbeddedGround({ dataDir });
  await overApi(await signIn(ground.url, ground.adminPassword), ids[0] as string);
  await ground.stop();
}

async function cluster(dataDir: string): Promise<void> {
  const running = new Cluster({ dataDir, env: { RATE_LIMIT: "count" } });
  try {
    await running.start();
    const reader = await signIn(running.url, running.adminPassword);
    const ids = await makeRooms(reader);
    const url = new URL(running.mongoUrl);
    url.searchParams.set("monitorCommands", "true");
    const connection = await MongoConnection.open(url.href);
    const store = await MongoMessageStore.open(connection);
    await fill(store, ids, reader.user);
    let asked = 0;
    connection.db.client.on("commandStarted", ({ commandName }) => {
      if (commandName === "find" || commandName === "aggregate") asked++;
    });
    await ofStore(store, ids, reader.user, () => asked);
    await store.close();
    await connection.close();
    await overApi(reader, ids[0] as string);
  } finally {
    await running.stop();
  }
}

async function main(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), "rookery-room-list-"));
  try {
    console.log(`${shape}, ${ROOMS} rooms of ${MESSAGES} messages`);
    await (shape === "cluster" ? cluster(dataDir) : embedded(dataDir));
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
