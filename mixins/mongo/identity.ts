import { randomUUID } from "node:crypto";
import { DuplicateKeyError } from "../storage-errors";
import type { MongoConnection } from "./connection";

/** The id of the store behind a connection, given once by whoever asks first. Rejects with StorageError. */
export async function storeIdOf(connection: MongoConnection): Promise<string> {
  const stores = (db: MongoConnection["db"]) => db.collection<{ _id: "store"; id: string }>("store");
  try {
    await connection.write(db =>
      stores(db).updateOne({ _id: "store" }, { $setOnInsert: { id: randomUUID() } }, { upsert: true }),
    );
  } catch (error) {
    // Two who are first at once: one of them has made it.
    if (!(error instanceof DuplicateKeyError)) throw error;
  }
  const found = await connection.read(db => stores(db).findOne({ _id: "store" }));
  if (!found) throw new Error("The store has no id");
  return found.id;
}
