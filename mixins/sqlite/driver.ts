import { createRequire } from "node:module";
import type { DatabaseSync } from "@photostructure/sqlite";

/** The part of `node:sqlite` that we use; the built-in module and `@photostructure/sqlite` both have it. */
export interface Connection {
  /** Runs a script of one or more statements. */
  exec(sql: string): void;
  prepare(sql: string): Prepared;
  function(name: string, options: { deterministic: boolean }, body: (value: unknown) => unknown): void;
  /** Absent in early releases of Node 22. */
  readonly isTransaction?: boolean;
  close(): void;
}

export interface Prepared {
  run(...params: Param[]): { changes: number | bigint };
  all(...params: Param[]): unknown[];
  get(...params: Param[]): unknown;
}

/** What SQLite can bind. */
export type Param = string | number | bigint | null | Uint8Array;

type Driver = { DatabaseSync: typeof DatabaseSync };

let driver: Driver | undefined;

/** Opens `file`, made if it is not there. Node's own module is taken where it is stable (22.13 and later). */
export function connect(file: string): Connection {
  driver ??= builtin() ?? (createRequire(__filename)("@photostructure/sqlite") as Driver);
  return new driver.DatabaseSync(file) as unknown as Connection;
}

function builtin(): Driver | undefined {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 22 || (major === 22 && minor < 13)) return undefined;
  return process.getBuiltinModule("node:sqlite") as Driver | undefined;
}
