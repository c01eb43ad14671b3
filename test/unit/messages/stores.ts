import { join } from "node:path";
import { MongoConnection } from "../../../mixins/mongo/connection";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { StorageError } from "../../../mixins/storage-errors";
import type { MessageStore } from "../../../services/messages/message.store";
import { MongoMessageStore } from "../../../services/messages/message.store.mongo";
import { SqliteMessageStore } from "../../../services/messages/message.store.sqlite";
import { afterFile } from "../../support/cleanup";
import { available, mongoUrl } from "../../support/servers";
import { temporaryFolder } from "../../support/temp";

export type FaultyStore = MessageStore & {
  /** What the next appends do instead of storing, first in first out. */
  faults: ("none" | "failed" | "unknown-not-stored" | "unknown-partly" | "unknown-stored")[];
};

export interface StoreOfTests {
  /** The same log through another connection, where the store knows more than one. */
  beside(): Promise<FaultyStore>;
  store: FaultyStore;
}

/** Every store that a room's log may be in; one that needs a server only where there is one. */
export const stores: [string, () => Promise<StoreOfTests>][] = [
  ["SQLite", sqlite],
  ...(available.mongo ? [["MongoDB", mongo] as [string, () => Promise<StoreOfTests>]] : []),
];

/** Opened once for all tests of a file: each takes a room of its own. */
export function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | null = null;
  return () => (opened ??= open());
}

export async function openMongo(url: string): Promise<MongoMessageStore> {
  const connection = await MongoConnection.open(url);
  afterFile(() => connection.close());
  const store = await MongoMessageStore.open(connection);
  afterFile(() => store.close());
  return store;
}

/** An embedded store of its own. */
export const openStore = async (): Promise<FaultyStore> => (await sqlite()).store;

async function sqlite(): Promise<StoreOfTests> {
  const database = await SqliteDatabase.open(join(temporaryFolder(), "log.db"));
  afterFile(() => database.close());
  const open = async () => faulty(await SqliteMessageStore.open(database));
  return { store: await open(), beside: open };
}

async function mongo(): Promise<StoreOfTests> {
  const url = await mongoUrl();
  return { store: faulty(await openMongo(url)), beside: async () => faulty(await openMongo(url)) };
}

/** The store, with faults that a test plants in front of it. */
export function faulty(store: MessageStore): FaultyStore {
  const before: FaultyStore = Object.create(store);
  before.faults = [];
  before.append = async (room, entries) => {
    const fault = before.faults.shift();
    if (fault === "unknown-stored") await store.append(room, entries);
    if (fault === "unknown-partly") await store.append(room, entries.slice(0, -1));
    if (fault && fault !== "none") throw new StorageError(fault === "failed" ? "failed" : "unknown", "io");
    return store.append(room, entries);
  };
  return before;
}
