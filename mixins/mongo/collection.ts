import type { IndexDescription } from "mongodb";
import { collectionName, indexName, type CollectionSpec, type IndexSpec } from "../collection";
import { queryField } from "../query";
import type { MongoConnection } from "./connection";
import { held } from "./query";

/**
 * Makes the indexes that are declared; waits for the server, and several nodes may do it at once. Indexes are only added:
 * nodes of another version may rely on theirs, so one that is declared otherwise needs a new name. Rejects if an index of
 * that name is another one, or if a new unique one meets documents that break it.
 */
export async function prepareCollection(connection: MongoConnection, spec: CollectionSpec): Promise<void> {
  const collection = collectionName(spec);
  const indexes = (spec.indexes ?? []).map(descriptionOf);
  await connection.prepare(async (db, options) => {
    if (indexes.length > 0) await db.command({ createIndexes: collection, indexes }, options);
  });
}

function descriptionOf(index: IndexSpec): IndexDescription {
  const key = new Map(index.fields.map(field => [queryField(field), 1 as const]));
  const description = { name: indexName(index), key };
  return index.unique ? { ...description, unique: true, partialFilterExpression: held(index) } : description;
}
