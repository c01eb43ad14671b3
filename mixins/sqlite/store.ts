import { connect, type Connection, type Param, type Prepared } from "./driver";
import type { Outcome, StorageReason } from "../storage-errors";
import { diagnose } from "./failure";
import type { Failure, Row, Sequence, SequenceResult, Statement, Unit } from "./sequence";

/** How a commit reaches the disk. Anything but FULL may lose acknowledged writes and is for fault-control runs only. */
export type Synchronous = "FULL" | "NORMAL" | "OFF";

export interface StoreOptions {
  file: string;
  synchronous: Synchronous;
}

/** Prepared statements kept per connection. */
const STATEMENTS = 256;

const READ_ONLY = /^\s*(?:SELECT|WITH|VALUES|PRAGMA|EXPLAIN)\b/i;

/** Nothing of a group is acknowledged: it failed as a whole, or its commit did and nobody knows. */
export class StoreFailure extends Error {
  constructor(
    readonly outcome: Outcome,
    readonly reason: StorageReason,
    message: string,
  ) {
    super(message);
  }
}

/** The SQLite file with one connection, synchronous; lives in the worker. */
export class Store {
  private connection: Connection | undefined;
  private readonly statements = new Map<string, Prepared>();
  private broken = false;

  constructor(private readonly options: StoreOptions) {
    this.open();
  }

  /** Rows of a query. Between two groups, so it sees committed state only. Throws the driver's error, or a StoreFailure. */
  read(sql: string, params: readonly Param[]): Row[] {
    this.open();
    if (!READ_ONLY.test(sql)) throw new Error(`not a query: ${sql.slice(0, 60)}`);
    try {
      return this.prepare(sql).all(...params) as Row[];
    } catch (error) {
      const { reason } = diagnose(error);
      if (reason) throw new StoreFailure("failed", reason, messageOf(error));
      throw error;
    }
  }

  /**
   * Stores a group of sequences in one transaction; returns after the commit is durable. Throws StoreFailure when the store
   * is in trouble, and then nothing of the group is kept, or (`unknown`) nobody knows.
   */
  write(group: readonly Sequence[]): SequenceResult[] {
    this.open();
    let results: SequenceResult[];
    try {
      this.run("BEGIN IMMEDIATE");
      results = group.map(sequence => this.applySequence(sequence));
    } catch (error) {
      const { reason = "io" } = diagnose(error);
      if (reason === "io") this.discard();
      else this.rollback();
      throw new StoreFailure("failed", reason, messageOf(error));
    }
    try {
      this.run("COMMIT");
    } catch (error) {
      // The commit record may or may not be on the disk. What this connection still believes must not be built upon:
      // a new one reads from the file what is true.
      this.discard();
      throw new StoreFailure("unknown", diagnose(error).reason ?? "io", messageOf(error));
    }
    return results;
  }

  /** Runs a script of several statements in one transaction of its own, all or nothing. */
  script(sql: string): Failure | undefined {
    return this.write([[[{ sql, script: true } as Statement]]])[0]?.failure;
  }

  close(): void {
    this.statements.clear();
    try {
      this.connection?.close();
    } catch {
      // A connection that cannot close is dropped all the same.
    }
    this.connection = undefined;
  }

  /** Drops a connection after trouble with the disk; the next use opens a new one. */
  private discard(): void {
    // Rolled back first: the packaged driver finalizes statements only when they are collected, and until then a closed
    // connection would keep its locks.
    this.rollback();
    this.close();
    this.broken = true;
  }

  private open(): void {
    if (this.connection) return;
    const { file, synchronous } = this.options;
    try {
      this.connection = connect(file);
      // No mmap: a read error on mapped pages kills the process, on a read call it is an error like any other.
      this.connection.exec(`
        PRAGMA busy_timeout = 1000;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = ${synchronous};
        PRAGMA foreign_keys = ON;
        PRAGMA temp_store = MEMORY;
        PRAGMA cache_size = -32768;
        PRAGMA wal_autocheckpoint = 16000;
        PRAGMA journal_size_limit = 67108864;
      `);
      if (this.broken) this.checkpoint();
      this.connection.function("fold", { deterministic: true }, fold);
    } catch (error) {
      this.close();
      throw new StoreFailure("failed", diagnose(error).reason ?? "io", `${file}: ${messageOf(error)}`);
    }
  }

  /** Moves what is committed from the log to the database: the log starts afresh and its space is free again. */
  private checkpoint(): void {
    try {
      this.connection?.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      this.broken = false;
    } catch {
      // No room for that either: the next write fails by itself, and the next opening tries again.
    }
  }

  private applySequence(sequence: Sequence): SequenceResult {
    const result: SequenceResult = { applied: 0, changes: [], rows: [] };
    for (const unit of sequence) {
      if (unit[0]?.afterRefusal === true) this.makeGood(unit, result);
      else if (!result.failure) this.applyUnit(unit, result);
    }
    return result;
  }

  /** Nothing may refuse it: what stays would be without it. */
  private makeGood(unit: Unit, { failure }: SequenceResult): void {
    if (failure) for (const statement of unit) this.applyStatement(statement, []);
  }

  private applyUnit(unit: Unit, result: SequenceResult): void {
    // A single statement is all or nothing by itself, and so is one that only sure ones follow.
    const savepoint = isScript(unit[0]) || unit.some((statement, index) => index > 0 && !statement.sure);
    const rows: Row[] = [];
    let changes = 0;
    if (savepoint) this.run("SAVEPOINT unit");
    try {
      for (const statement of unit) changes += this.applyStatement(statement, rows);
    } catch (error) {
      const { failure } = diagnose(error);
      // SQLite ends the transaction itself on some errors; going on would store the rest statement by statement.
      if (!failure || this.connection?.isTransaction === false) throw error;
      if (!savepoint && changes > 0) throw error;
      if (savepoint) this.run("ROLLBACK TO unit");
      if (savepoint) this.run("RELEASE unit");
      result.failure = failure;
      return;
    }
    if (savepoint) this.run("RELEASE unit");
    result.applied++;
    result.changes.push(changes);
    result.rows.push(rows);
  }

  private applyStatement(statement: Statement, rows: Row[]): number {
    const { sql, params = [], returning } = statement;
    if (isScript(statement)) {
      this.connection?.exec(sql);
      return 0;
    }
    const prepared = this.prepare(sql);
    if (!returning) return Number(prepared.run(...params).changes);
    const returned = prepared.all(...params) as Row[];
    rows.push(...returned);
    return returned.length;
  }

  private rollback(): void {
    try {
      this.run("ROLLBACK");
    } catch {
      // Already rolled back by SQLite, or the connection is beyond use: either way a new one starts clean.
      this.close();
    }
  }

  private run(sql: string): void {
    this.prepare(sql).run();
  }

  /** Least recently used statements go first; Map keeps the order of insertion. */
  private prepare(sql: string): Prepared {
    let prepared = this.statements.get(sql);
    if (prepared) this.statements.delete(sql);
    else prepared = (this.connection as Connection).prepare(sql);
    this.statements.set(sql, prepared);
    if (this.statements.size > STATEMENTS) this.statements.delete(this.statements.keys().next().value as string);
    return prepared;
  }
}

function isScript(statement: Statement | undefined): boolean {
  return (statement as { script?: boolean } | undefined)?.script === true;
}

/** SQLite folds ASCII only; search must find every alphabet ignoring case. */
function fold(value: unknown): unknown {
  return typeof value === "string" ? value.toLowerCase() : value;
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
