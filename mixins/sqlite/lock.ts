import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDurableFolder } from "../durable-folder";
import { connect, type Connection } from "./driver";
import { diagnose } from "./failure";

/** Gives the folder back. May be called again. */
export type Release = () => Promise<void>;

/** The folder belongs to a running process. */
export class FolderInUseError extends Error {
  /** An operator's mistake, not a defect: shown without a stack. */
  readonly expected = true;

  constructor(dir: string, holder: string) {
    super(`DATA_DIR ${dir} is in use by ${holder}`);
    this.name = "FolderInUseError";
  }
}

/**
 * Takes a data folder (made if need be) for this process. The lock is the operating system's, held by an open SQLite
 * transaction: it ends with the process however that ends, so there is nothing stale to judge by age or pid. The pid file
 * beside it is only for the message. Throws FolderInUseError.
 */
export async function lockFolder(dir: string): Promise<Release> {
  makeDurableFolder(dir);
  const pidFile = join(dir, "lock.pid");
  const connection = connect(join(dir, "lock.db"));
  try {
    connection.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
  } catch (error) {
    connection.close();
    throw diagnose(error).reason === "busy" ? new FolderInUseError(dir, holderOf(pidFile)) : error;
  }
  held.add(connection);
  writeFileSync(pidFile, `${process.pid}\n`);
  return async () => release(connection, pidFile);
}

/** A connection that nothing refers to is collected, and its lock with it. */
const held = new Set<Connection>();

function release(connection: Connection, pidFile: string): void {
  if (!held.delete(connection)) return;
  rmSync(pidFile, { force: true });
  connection.close();
}

function holderOf(pidFile: string): string {
  try {
    const pid = readFileSync(pidFile, "utf8").trim();
    return /^\d+$/.test(pid) ? `process ${pid}` : "another process";
  } catch {
    return "another process";
  }
}
