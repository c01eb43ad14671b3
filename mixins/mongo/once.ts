import { DuplicateKeyError, StorageError } from "../storage-errors";
import type { MongoConnection } from "./connection";

/** Times a group of upserts is tried: each time it gets past one at least that another was faster with. */
const TRIES = 10;

/**
 * Two upserts of a new document at once: one may be refused, and finds the other's the next time. Rejects with StorageError
 * `unknown` where others are faster every time.
 */
export async function upserted(write: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof DuplicateKeyError)) throw error;
      if (tries >= TRIES) throw new StorageError("unknown", "busy", error);
    }
  }
}

/**
 * What the store keeps under `name`, in the `field` of the one document of that collection: `first`, if nobody gave it
 * before. Waits for the server; rejects with StorageError as `connection.prepare` does.
 */
export async function keptOnce(
  connection: MongoConnection,
  name: string,
  field: string,
  first: string,
): Promise<string> {
  await upserted(async () => {
    await connection.prepare(db =>
      kept(db, name).updateOne({ _id: name }, { $setOnInsert: { [field]: first } } as object, { upsert: true }),
    );
  });
  const found = (await connection.prepare(db => kept(db, name).findOne({ _id: name })))?.[field];
  if (typeof found !== "string") throw new Error(`The store keeps no ${field} of its ${name}`);
  return found;
}

/** Puts another value in its place. For stores that nobody uses: whoever has read the old one goes on with it. */
export async function keepAnew(connection: MongoConnection, name: string, field: string, value: string): Promise<void> {
  await connection.prepare(db =>
    kept(db, name).updateOne({ _id: name }, { $set: { [field]: value } } as object, { upsert: true }),
  );
}

const kept = (db: MongoConnection["db"], name: string) => db.collection<{ _id: string } & Record<string, string>>(name);
