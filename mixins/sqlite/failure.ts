import type { StorageReason } from "../storage-errors";
import type { Failure } from "./sequence";

/** An error of SQLite, read. `failure`: the statement was refused. `reason`: the store itself is in trouble. */
export type Diagnosis = { failure: Failure; reason?: undefined } | { reason: StorageReason; failure?: undefined };

/** Primary result codes that concern only the statement: ERROR, TOOBIG, CONSTRAINT, MISMATCH, MISUSE, RANGE. */
const STATEMENT_CODES = new Set([1, 18, 19, 20, 21, 25]);
const CONSTRAINT = 19;
/** BUSY, LOCKED, NOMEM, FULL; every other code counts as an I/O error. */
const REASONS: Record<number, StorageReason> = { 5: "busy", 6: "busy", 7: "memory", 13: "full" };

/** The drivers leave the code out of errors from `all()`; SQLite's own texts then tell as much. */
const TEXTS: readonly [RegExp, number][] = [
  [/ constraint failed/, CONSTRAINT],
  [/database or disk is full/, 13],
  [/database (table )?is locked/, 5],
  [/out of memory/, 7],
  [/disk I\/O error|malformed|unable to open|readonly database|not a database|locking protocol/, 10],
];

/** Tells a refused statement from a store in trouble. */
export function diagnose(error: unknown): Diagnosis {
  const { code, errcode, message } = (error ?? {}) as { code?: unknown; errcode?: unknown; message?: unknown };
  const text = typeof message === "string" ? message : String(error);
  if (code !== "ERR_SQLITE_ERROR") return { failure: { kind: "other", message: text } };
  const result = typeof errcode === "number" ? errcode & 0xff : codeOf(text);
  if (!STATEMENT_CODES.has(result)) return { reason: REASONS[result] ?? "io" };
  return { failure: result === CONSTRAINT ? constraintFailure(text) : { kind: "other", message: text } };
}

function codeOf(text: string): number {
  return TEXTS.find(([pattern]) => pattern.test(text))?.[1] ?? 1;
}

function constraintFailure(message: string): Failure {
  const unique = /UNIQUE constraint failed: (?:index '(?<index>.*)'|(?<columns>.*))$/.exec(message)?.groups;
  if (!unique) return { kind: "check", message };
  return { kind: "unique", message, constraint: unique["index"] ?? unique["columns"] ?? "" };
}
