/** An index over fields. Where a field is null or missing, a unique index never conflicts. */
export interface IndexSpec {
  /** Reported as `constraint` when a unique index refuses a document. */
  name: string;
  fields: readonly string[];
  unique?: boolean;
}

export interface CollectionSpec {
  /** Name of the table. */
  collection: string;
  indexes?: readonly IndexSpec[];
}

const COLLECTION = /^[a-z][a-z0-9_]{0,62}$/;
const INDEX = /^[A-Za-z][A-Za-z0-9_]*$/;

/** Throws TypeError for what a store keeps for itself or could not name. */
export function collectionName({ collection }: CollectionSpec): string {
  if (!COLLECTION.test(collection) || collection === "migrations" || /^(sqlite|system)_/.test(collection))
    throw new TypeError(`not a collection name: ${JSON.stringify(collection)}`);
  return collection;
}

/** Throws TypeError for a name that is not plain. */
export function indexName({ name }: IndexSpec): string {
  if (!INDEX.test(name)) throw new TypeError(`not an index name: ${JSON.stringify(name)}`);
  return name;
}
