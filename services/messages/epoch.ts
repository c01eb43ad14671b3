import { randomBytes } from "node:crypto";
import type { MongoConnection } from "../../mixins/mongo/connection";
import type { SqliteDatabase } from "../../mixins/sqlite/database";

/**
 * The epoch of a log changes when entries that were acknowledged are gone, that is when a store was put back from a backup:
 * their offsets are given again, so nobody may resume by what he knew.
 */
const newEpoch = (): string => randomBytes(16).toString("hex");

/** Gives the embedded log a new epoch; resolves to it. */
export async function renewSqliteEpoch(database: SqliteDatabase): Promise<string> {
  const epoch = newEpoch();
  const { failure } = await database.write([[{ sql: "UPDATE log SET epoch = ?", params: [epoch] }]]);
  if (failure) throw new Error(failure.message);
  return epoch;
}

/** Gives the cluster's log a new epoch; resolves to it. */
export async function renewMongoEpoch(connection: MongoConnection): Promise<string> {
  const epoch = newEpoch();
  await connection.prepare(db =>
    db
      .collection<{ _id: string; epoch: string }>("log")
      .updateOne({ _id: "log" }, { $set: { epoch } }, { upsert: true }),
  );
  return epoch;
}
