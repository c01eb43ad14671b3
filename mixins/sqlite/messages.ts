import type { Param } from "./driver";
import type { Outcome, StorageReason } from "../storage-errors";
import type { Failure, Row, Sequence, SequenceResult } from "./sequence";

/** What goes to the worker; what waits together crosses as one message, see `wire.ts`. */
export type Request =
  | { kind: "read"; id: number; sql: string; params: readonly Param[] }
  | { kind: "write"; id: number; sequence: Sequence }
  | { kind: "script"; id: number; sql: string }
  | { kind: "close" };

/** What comes back, in arrays too. */
export type Answer =
  | { kind: "ready" }
  | { kind: "refused"; message: string }
  | { kind: "rows"; id: number; rows: Row[] }
  | { kind: "result"; id: number; result: SequenceResult }
  | { kind: "script"; id: number; failure?: Failure }
  /** The query or its parameters are wrong. */
  | { kind: "error"; id: number; message: string }
  /** The store is in trouble. */
  | { kind: "failure"; id: number; outcome: Outcome; reason: StorageReason; message: string }
  | { kind: "commit"; ms: number; statements: number };

/** What a sequence counts against a bound; never nothing. */
export function statementsIn(sequence: Sequence): number {
  return sequence.reduce((sum, unit) => sum + unit.length, 0) || 1;
}
