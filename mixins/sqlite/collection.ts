import { collectionName, indexName, type CollectionSpec, type IndexSpec } from "../collection";
import type { SqliteDatabase } from "./database";
import { fieldExpression } from "./query";

export type { IndexSpec } from "../collection";

/**
 * Makes the table and brings its indexes to what is declared: new ones are built, changed and undeclared ones dropped.
 * Safe to call at every start. Rejects if a new unique index meets documents that break it; then nothing changes.
 */
export async function prepareCollection(database: SqliteDatabase, spec: CollectionSpec): Promise<void> {
  const { collection, indexes = [] } = spec;
  const table = tableOf(spec);
  const declared = new Map(indexes.map(index => [fullName(collection, indexName(index)), indexSql(spec, index)]));
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
export const tableOf = (spec: CollectionSpec): string => `"${collectionName(spec)}"`;

/** The declared name behind what SQLite calls the constraint; `id` for the primary key. */
export function constraintName(collection: string, constraint: string): string {
  const prefix = fullName(collection, "");
  if (constraint.startsWith(prefix)) return constraint.slice(prefix.length);
  return constraint === `${collection}.id` ? "id" : constraint;
}

/** Index names are global in a file. A dot cannot be in either part, so two collections never meet. */
const fullName = (collection: string, name: string): string => `${collection}.${name}`;

function indexSql(spec: CollectionSpec, { name, fields, unique }: IndexSpec): string {
  const expressions = fields.map(fieldExpression).join(", ");
  return `CREATE ${unique ? "UNIQUE " : ""}INDEX "${fullName(spec.collection, name)}" ON ${tableOf(spec)} (${expressions})`;
}
