import { Umzug } from "umzug";
import { timestamp } from "../../services/core/clock";
import type { SqliteDatabase } from "./database";
import type { Unit } from "./sequence";

/** One step of a schema. Names are `<service>/<step>`, for example `messages/001-log`, and sort in their order. */
export interface Migration {
  name: string;
  /** A script, or a function that may read and returns the statements to run. Either is stored together with its record. */
  up: string | ((database: SqliteDatabase) => Promise<Unit>);
}

const NAME = /^(?<scope>[a-z][a-z0-9-]*)\/[a-z0-9][a-z0-9.-]*$/;

/** Services that start together take turns at one database. */
const turns = new WeakMap<SqliteDatabase, Promise<void>>();

/**
 * Brings the tables of one service up to date; safe to call at every start. Throws if the list is not in order, if a step
 * fails (nothing of it stays), or if the file has steps this version does not know: it was used by a newer one.
 */
export function migrate(database: SqliteDatabase, list: readonly Migration[]): Promise<void> {
  const turn = (turns.get(database) ?? Promise.resolve()).then(() => run(database, list));
  turns.set(
    database,
    turn.catch(() => undefined),
  );
  return turn;
}

async function run(database: SqliteDatabase, list: readonly Migration[]): Promise<void> {
  const scope = scopeOf(list);
  if (scope === undefined) return;
  await database.exec("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY NOT NULL, at TEXT NOT NULL)");
  const executed = await appliedNames(database, scope);
  executed.forEach((name, index) => {
    if (!list.some(migration => migration.name === name))
      throw new Error(
        `The database has migration ${name}, which this version does not know: it was used by a newer one`,
      );
    if (list[index]?.name !== name)
      throw new Error(`Migration ${list[index]?.name} was added before ${name}, which is applied`);
  });
  const umzug = new Umzug({
    migrations: list.map(migration => ({ name: migration.name, up: () => apply(database, migration) })),
    logger: undefined,
    storage: {
      executed: async () => executed,
      // The record is stored by the step itself, in its transaction.
      logMigration: async () => undefined,
      unlogMigration: ({ name }) => Promise.reject(new Error(`Migration ${name} cannot be taken back`)),
    },
  });
  await umzug.up();
}

/** The service all names begin with; undefined for an empty list. */
function scopeOf(list: readonly Migration[]): string | undefined {
  const scopes = list.map(({ name }, index) => {
    const scope = NAME.exec(name)?.groups?.["scope"];
    if (!scope) throw new Error(`Migration name "${name}" is not <service>/<step>`);
    const before = list[index - 1]?.name;
    if (before !== undefined && before >= name) throw new Error(`Migration ${name} must sort after ${before}`);
    return scope;
  });
  if (new Set(scopes).size > 1) throw new Error(`Migrations of one list must share one service: ${scopes.join(", ")}`);
  return scopes[0];
}

async function appliedNames(database: SqliteDatabase, scope: string): Promise<string[]> {
  const sql = "SELECT name FROM migrations WHERE name >= ? AND name < ? ORDER BY name";
  // "0" is the character after "/".
  return (await database.all<{ name: string }>(sql, [`${scope}/`, `${scope}0`])).map(({ name }) => name);
}

async function apply(database: SqliteDatabase, { name, up }: Migration): Promise<void> {
  const at = timestamp(database.clock);
  if (typeof up === "string") {
    // Both values are of our own making: a checked name and a timestamp. The line break ends a trailing comment.
    await database.exec(`${up}\n;INSERT INTO migrations (name, at) VALUES ('${name}', '${at}')`);
    return;
  }
  const record = { sql: "INSERT INTO migrations (name, at) VALUES (?, ?)", params: [name, at] };
  const { failure } = await database.write([[...(await up(database)), record]]);
  if (failure) throw new Error(failure.message);
}
