import { connect, type Connection } from "../../mixins/sqlite/driver";

/** Names of an embedded store in its DATA_DIR, and of its copies in a backup. */
export const STORE = "rookery.db";
export const SECRET = "jwt.secret";
export const FILES = "files";

/** Milliseconds to wait for a lock that the server holds for a moment. */
const PATIENCE = 10_000;

/** What is in a store: rows by table. */
export type Counts = Record<string, number>;

/**
 * Copies the store as it is at one moment, while its server reads and writes on: a reader holds up nobody in WAL mode, and one
 * statement has one view of everything. The incremental backup of SQLite would begin anew with every commit of the server.
 */
export function copyStore(file: string, to: string): void {
  using(file, connection => connection.prepare("VACUUM INTO ?").run(to));
}

/** Rows of each table, after a check of the whole file; null if it is damaged. */
export function inspectStore(file: string): Counts | null {
  return using(file, connection => {
    const check = connection.prepare("PRAGMA quick_check(1)").get() as { quick_check?: string };
    if (check.quick_check !== "ok") return null;
    const sql =
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name";
    const tables = connection.prepare(sql).all() as { name: string }[];
    return Object.fromEntries(tables.map(({ name }) => [name, rowsOf(connection, name)]));
  });
}

function rowsOf(connection: Connection, table: string): number {
  const { rows } = connection.prepare(`SELECT count(*) AS rows FROM "${table.replaceAll('"', '""')}"`).get() as {
    rows: number | bigint;
  };
  return Number(rows);
}

function using<T>(file: string, work: (connection: Connection) => T): T {
  const connection = connect(file);
  try {
    connection.exec(`PRAGMA busy_timeout = ${PATIENCE}`);
    return work(connection);
  } finally {
    connection.close();
  }
}
