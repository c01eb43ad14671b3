import { installed, startMongo, type MongoServer } from "../../../../deploy/local/servers";
import { openMongoDocuments } from "../../../../mixins/documents";
import { MongoConnection } from "../../../../mixins/mongo/connection";
import { StorageError } from "../../../../mixins/storage-errors";
import { eventually } from "../../../support/eventually";

interface Entry {
  id: string;
}

(installed.mongo ? describe : describe.skip)("a MongoDB server that is killed", () => {
  let server: MongoServer;
  let connection: MongoConnection;

  beforeAll(async () => {
    server = await startMongo();
    connection = await MongoConnection.open(`${server.url}/crash`);
  }, 90_000);
  afterAll(async () => {
    await connection.close();
    await server.stop();
  });

  test("keeps what was acknowledged and never has what failed; it is found again by itself", async () => {
    const entries = await openMongoDocuments<Entry>(connection, { collection: "entries" });
    const told: Record<string, string[]> = { done: [], failed: [], unknown: [] };
    let writing = true;
    let next = 0;
    const write = async (): Promise<void> => {
      while (writing) {
        const id = `${next++}`;
        const outcome = await entries.insert({ id }).then(
          () => "done",
          (error: unknown) => (error instanceof StorageError ? error.outcome : String(error)),
        );
        (told[outcome] ??= []).push(id);
      }
    };
    const writers = Array.from({ length: 8 }, write);
    const acknowledged = () => told.done?.length ?? 0;
    const more = async (): Promise<void> => {
      const before = acknowledged();
      await eventually("writes are acknowledged again", acknowledged, count => count > before + 100, 30_000);
    };
    await more();
    await server.killGateway();
    await server.startGateway();
    await more();
    await server.killStore();
    await server.startStore();
    await more();
    writing = false;
    await Promise.all(writers);

    expect(Object.keys(told).sort()).toEqual(["done", "failed", "unknown"]);
    expect(told.unknown).not.toEqual([]);
    const stored = new Set((await entries.find()).map(({ id }) => id));
    expect(told.done?.filter(id => !stored.has(id))).toEqual([]);
    expect(told.failed?.filter(id => stored.has(id))).toEqual([]);
  }, 120_000);
});
