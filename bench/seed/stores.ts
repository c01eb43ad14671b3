import { join } from "node:path";
import { loadConfig, type Config } from "../../config/config";
import type { CollectionSpec } from "../../mixins/collection";
import { MongoAdapter } from "../../mixins/db.adapter.mongo";
import { SqliteAdapter } from "../../mixins/db.adapter.sqlite";
import { openDocuments, openMongoDocuments } from "../../mixins/documents";
import type { Entity } from "../../mixins/entity";
import { MongoConnection } from "../../mixins/mongo/connection";
import { REVISION } from "../../mixins/query";
import { SqliteDatabase } from "../../mixins/sqlite/database";
import { lockFolder } from "../../mixins/sqlite/lock";
import { REVOCATIONS, type RevocationEntry } from "../../services/auth/auth.store";
import { AccessTokens } from "../../services/core/tokens";
import type { MessageStore } from "../../services/messages/message.store";
import { MongoMessageStore } from "../../services/messages/message.store.mongo";
import { SqliteMessageStore } from "../../services/messages/message.store.sqlite";

/** Where the data of one installation are: those of a stopped process, or of a cluster that runs. */
export type Installation = { dataDir: string } | { mongoUrl: string; jwtSecret: string };

/** The stores of the services, opened by the modules of the services, and written in large batches. */
export interface Stores {
  readonly messages: MessageStore;
  readonly tokens: AccessTokens;
  /** Opens a collection, made if need be; resolves to what writes into it. */
  collection<T extends { id: string }>(spec: CollectionSpec): Promise<(docs: readonly T[]) => Promise<void>>;
  /** Number of the last revocation: a token made now is younger than it. */
  revision(): Promise<number>;
  close(): Promise<void>;
}

/** Rejects if the data folder belongs to a running process. */
export function openStores(installation: Installation): Promise<Stores> {
  return "dataDir" in installation ? openEmbedded(installation.dataDir) : openCluster(installation);
}

async function openEmbedded(dataDir: string): Promise<Stores> {
  const { jwt } = settings({ DATA_DIR: dataDir });
  const release = await lockFolder(dataDir);
  // Nothing was promised to anybody: what a crash takes away is seeded again.
  const database = await SqliteDatabase.open(join(dataDir, "rookery.db"), { synchronous: "OFF", timeout: 60_000 });
  return {
    messages: await SqliteMessageStore.open(database),
    tokens: new AccessTokens(jwt),
    collection: spec => into(new SqliteAdapter(spec, async () => database)),
    revision: async () => last(await (await openDocuments<RevocationEntry>(database, REVOCATIONS)).find(LATEST)),
    async close() {
      await database.close();
      await release();
    },
  };
}

async function openCluster({ mongoUrl, jwtSecret }: { mongoUrl: string; jwtSecret: string }): Promise<Stores> {
  // Nobody connects to NATS here; a cluster without it is none.
  const { jwt } = settings({ TRANSPORTER: "nats://nobody", MONGO_URL: mongoUrl, JWT_SECRET: jwtSecret });
  const connection = await MongoConnection.open(mongoUrl);
  const messages = await MongoMessageStore.open(connection);
  return {
    messages,
    tokens: new AccessTokens(jwt),
    collection: spec => into(new MongoAdapter(spec, async () => connection)),
    revision: async () => last(await (await openMongoDocuments<RevocationEntry>(connection, REVOCATIONS)).find(LATEST)),
    async close() {
      await messages.close();
      await connection.close();
    },
  };
}

async function into(adapter: SqliteAdapter | MongoAdapter) {
  await adapter.connect();
  return async <T extends { id: string }>(docs: readonly T[]): Promise<void> =>
    void (await adapter.insertMany(docs.map(entityOf)));
}

const LATEST = { sort: "-n", limit: 1 } as const;
const last = ([entry]: readonly RevocationEntry[]): number => entry?.n ?? 0;

/** As the documents of services are stored. */
function entityOf<T extends { id: string }>({ id, ...fields }: T): Entity {
  return { ...fields, [REVISION]: 1, _id: id };
}

/** Tokens hold for a day: a bench must not end with them. */
const settings = (environment: Record<string, string>): Config =>
  loadConfig({ ...environment, ACCESS_TOKEN_TTL: "86400" });

/** The secret of a local cluster, which it keeps in its folder. */
export const secretFile = (dataDir: string): string => join(dataDir, "jwt.secret");
