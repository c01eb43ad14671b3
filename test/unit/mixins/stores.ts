import { join } from "node:path";
import type { CollectionSpec } from "../../../mixins/collection";
import { MongoAdapter } from "../../../mixins/db.adapter.mongo";
import { SqliteAdapter } from "../../../mixins/db.adapter.sqlite";
import { openDocuments, openMongoDocuments, type Documents } from "../../../mixins/documents";
import { MongoConnection } from "../../../mixins/mongo/connection";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { available, mongoUrl } from "../../support/servers";
import { temporaryFolder } from "../../support/temp";

/** A store of documents of its own, empty, and what its drivers make of it. */
export interface Store {
  documents<T extends { id: string }>(spec: CollectionSpec): Promise<Documents<T>>;
  adapter(spec: CollectionSpec): SqliteAdapter | MongoAdapter;
  /** The same store as another process, or this one after a start, has it. */
  again(): Promise<Store>;
  /** Opened once more beside this one; where the store is one process's own, the same. */
  beside(): Promise<Store>;
  close(): Promise<void>;
}

/** Every store that documents may be in; those that need a server only where there is one. */
export const stores: [string, () => Promise<Store>][] = [
  ["SQLite", () => sqlite(join(temporaryFolder(), "test.db"))],
  ...(available.mongo ? [["MongoDB", async () => mongo(await mongoUrl())] as [string, () => Promise<Store>]] : []),
];

async function sqlite(file: string): Promise<Store> {
  const database = await SqliteDatabase.open(file);
  const store: Store = {
    documents: spec => openDocuments(database, spec),
    adapter: spec => new SqliteAdapter(spec, async () => database),
    async again() {
      await database.close();
      return sqlite(file);
    },
    beside: async () => store,
    close: () => database.close(),
  };
  return store;
}

async function mongo(url: string): Promise<Store> {
  const connection = await MongoConnection.open(url);
  return {
    documents: spec => openMongoDocuments(connection, spec),
    adapter: spec => new MongoAdapter(spec, async () => connection),
    async again() {
      await connection.close();
      return mongo(url);
    },
    beside: () => mongo(url),
    close: () => connection.close(),
  };
}
