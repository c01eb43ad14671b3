import type { SqliteDatabase } from "./database";
import { fieldExpression } from "./query";

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

const NAME = /^[a-z][a-z0-9_]{0,62}$/;

/**
 * Makes the table and brings its indexes to what is declared: new ones are built, changed and undeclared ones dropped.
 * Safe to call at every start. Rejects if a new unique index meets documents that break it; then nothing changes.
 */
export async function prepareCollection(
  database: SqliteDatabase,
  { collection, indexes = [] }: CollectionSpec,
): Promise<void> {
  const table = tableOf(collection);
  const declared = new Map(indexes.map(index => [indexName(collection, index.name), indexSql(collection, index)]));
  const sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL";
  const existing = await database.all<{ name: string; sql: string }>(sql, [collection]);
  const kept = new Set(existing.filter(index => declared.get(index.name) === index.sql).map(({ name }) => name));
  await database.exec(
    [
      `CREATE TABLE IF NOT EXISTS ${table} (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL)`,
      ...existing.filter(({ name }) => !kept.has(name)).map(({ name }) => `DROP INDEX "${name.replaceAll('"', '""')}"`),
      ...[...declared].filter(([name]) => !kept.has(name)).map(([, create]) => create),
    ].join(";\n"),
  );
}

/** The quoted name of a collection's table. */
export function tableOf(collection: string): string {
  if (!NAME.test(collection) || collection === "migrations" || collection.startsWith("sqlite_"))
    throw new TypeError(`not a collection name: ${JSON.stringify(collection)}`);
  return `"${collection}"`;
}

/** The declared name behind what SQLite calls the constraint; `id` for the primary key. */
export function constraintName(collection: string, constraint: string): string {
  const prefix = indexName(collection, "");
  if (constraint.startsWith(prefix)) return constraint.slice(prefix.length);
  return constraint === `${collection}.id` ? "id" : constraint;
}

/** Index names are global in a file. A dot cannot be in either part, so two collections never meet. */
const indexName = (collection: string, name: string): string => `${collection}.${name}`;

function indexSql(collection: string, { name, fields, unique }: IndexSpec): string {
  if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) throw new TypeError(`not an index name: ${JSON.stringify(name)}`);
  const expressions = fields.map(fieldExpression).join(", ");
  return `CREATE ${unique ? "UNIQUE " : ""}INDEX "${indexName(collection, name)}" ON ${tableOf(collection)} (${expressions})`;
}
