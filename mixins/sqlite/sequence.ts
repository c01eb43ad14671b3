import type { Param } from "./driver";

/** One statement. */
export interface Statement {
  sql: string;
  params?: readonly Param[];
  /** It has a RETURNING clause and its rows are wanted. */
  returning?: boolean;
  /** No constraint can refuse it, so a unit that goes on with it needs no savepoint. If one does, the whole group fails. */
  sure?: boolean;
  /** First of a unit that is done only if one before it was refused, for the sake of those that stay. It counts for nothing. */
  afterRefusal?: boolean;
}

/** Statements that are stored all or not at all. */
export type Unit = readonly Statement[];

/** Units applied in order until one fails; the ones before it stay, of the ones after it only those `afterRefusal` are done. */
export type Sequence = readonly Unit[];

export type Row = Record<string, unknown>;

/** Why a unit was refused. The store is fine: the same unit would be refused again. */
export interface Failure {
  /** `check` covers CHECK, NOT NULL and foreign keys; `other` is an error in the statement or its parameters. */
  kind: "unique" | "check" | "other";
  message: string;
  /** Of a unique constraint: its columns (`table.a, table.b`) or, for an index over expressions, the index's name. */
  constraint?: string;
}

/** What became of a sequence. `changes` and `rows` have one element per applied unit. */
export interface SequenceResult {
  /** Number of units stored: all, or those before the one that failed. */
  applied: number;
  /** Rows inserted, updated or deleted by the unit. */
  changes: number[];
  /** Rows returned by the unit's `returning` statements, in their order. */
  rows: Row[][];
  failure?: Failure;
}
