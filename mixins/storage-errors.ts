import { RookeryError } from "../services/core/errors";

/** `failed`: surely not stored, may be tried again. `unknown`: may have been stored. */
export type Outcome = "failed" | "unknown";

/**
 * For logs and metrics: what went wrong in the store. `away`: no server was reached; `network`: the connection ended before
 * the answer; `unconfirmed`: written, but not by enough members in time; `statement`: refused for what it says.
 */
export type StorageReason =
  | "full"
  | "io"
  | "busy"
  | "memory"
  | "timeout"
  | "overload"
  | "closed"
  | "worker"
  | "conflict"
  | "statement"
  | "away"
  | "network"
  | "unconfirmed";

/** The store could not do its work. Clients see UNAVAILABLE or UNKNOWN_OUTCOME by `outcome`; the cause is for logs only. */
export class StorageError extends RookeryError {
  readonly outcome: Outcome;
  readonly reason: StorageReason;

  constructor(outcome: Outcome, reason: StorageReason, cause?: unknown) {
    super(outcome === "failed" ? "UNAVAILABLE" : "UNKNOWN_OUTCOME");
    this.outcome = outcome;
    this.reason = reason;
    if (cause !== undefined) this.cause = cause;
  }
}

/** A unique index refused a document. */
export class DuplicateKeyError extends Error {
  override readonly name = "DuplicateKeyError";
  readonly duplicate = true;

  /** @param constraint name of the index as declared; `id` for the document's own id. */
  constructor(readonly constraint: string) {
    super(`There is a document with the same ${constraint}`);
  }
}

/** SQLite refused a statement for what it says: a defect of ours, not of the store. Nothing was changed. */
export class StatementRefusedError extends Error {
  override readonly name = "StatementRefusedError";
}
