import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { systemClock, type Clock } from "../../services/core/clock";
import type { Param } from "./driver";
import { StorageError } from "../storage-errors";
import { statementsIn, type Answer, type Request } from "./messages";
import type { Row, Sequence, SequenceResult } from "./sequence";
import type { StoreOptions, Synchronous } from "./store";
import { RequestPacker, unpackAnswers } from "./wire";

export interface DatabaseOptions {
  clock?: Clock;
  /** Default FULL. Anything else is for fault-control runs only. */
  synchronous?: Synchronous;
  /** Milliseconds a read or write may take; default 5,000. */
  timeout?: number;
  /** Statements that may wait or be under way; default 20,000. */
  queue?: number;
}

export interface DatabaseStats {
  /** Statements waiting or under way. */
  queue: number;
  /** Milliseconds the last group took, commit included. */
  lastCommitMs: number;
  commits: number;
}

/** Requests that travelled together and are not answered yet. */
interface Packet {
  open: number;
}

interface Pending {
  write: boolean;
  /** Null until it has left. */
  packet: Packet | null;
  weight: number;
  /** Tick at which the caller is told; the entry stays until the worker answers, because the work does. */
  expires: number;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * Packets that the worker has: one it works on, and the next. What is asked meanwhile travels together when the first is
 * answered. A packet for each tick cost a fifth of this thread's time with 6,000 writes a second.
 */
const PACKETS = 2;
/** Milliseconds between looks at the timeouts. */
const TICK = 250;
/** Milliseconds a script may take: a migration may build an index over a large log. */
const SCRIPT_TIMEOUT = 600_000;
/** Milliseconds given to the worker to finish its queue and close the file. */
const CLOSE_TIMEOUT = 10_000;

/**
 * The embedded store, as seen from the main thread: one SQLite file owned by one worker. Requests of one tick travel
 * together, writes that wait together share one commit, and a write is answered when it is durable.
 */
export class SqliteDatabase {
  private readonly pending = new Map<number, Pending>();
  private readonly packer = new RequestPacker();
  private outbox: Request[] = [];
  private packets = 0;
  private turns: (() => void)[] = [];
  private flushing = false;
  private readonly commitListeners: ((ms: number, statements: number) => void)[] = [];
  private readonly fatalListeners: ((error: Error) => void)[] = [];
  private nextId = 1;
  private weight = 0;
  private commits = 0;
  private lastCommitMs = 0;
  private state: "open" | "closing" | "closed" = "open";
  private death: Error | undefined;
  private readonly ended: Promise<void>;
  /** Timeouts are counted in ticks of this thread: while it stands still nothing expires, answers may be waiting in its port. */
  private now = 0;
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly worker: Worker,
    readonly clock: Clock,
    private readonly timeout: number,
    private readonly limit: number,
  ) {
    worker.on("message", (message: string | Answer[]) => unpackAnswers(message).forEach(answer => this.settle(answer)));
    worker.on("error", error => (this.death = error));
    this.ended = new Promise(resolve => worker.once("exit", () => resolve(this.onExit())));
    this.timer = setInterval(() => this.expire(), TICK).unref();
  }

  /** Opens or makes `file`; its folder must exist. Throws if it cannot be opened. */
  static async open(file: string, options: DatabaseOptions = {}): Promise<SqliteDatabase> {
    const { clock = systemClock, synchronous = "FULL", timeout = 5_000, queue = 20_000 } = options;
    const worker = startWorker({ file, synchronous });
    await new Promise<void>((resolve, reject) => {
      const onExit = (code: number) =>
        reject(new Error(`The storage worker ended with code ${code} before it was ready`));
      worker.once("error", reject).once("exit", onExit);
      worker.once("message", ([answer]: Answer[]) => {
        worker.off("error", reject).off("exit", onExit);
        if (answer?.kind === "refused") reject(new Error(answer.message));
        else resolve();
      });
    });
    return new SqliteDatabase(worker, clock, timeout, queue);
  }

  /** Rows of a query; committed state only. Rejects with StorageError, or Error if the query is wrong. */
  async all<T extends object = Row>(sql: string, params: readonly Param[] = []): Promise<T[]> {
    return (await this.request({ kind: "read", id: this.nextId++, sql, params }, 1, this.timeout)) as T[];
  }

  /** The first row of a query. */
  async get<T extends object = Row>(sql: string, params: readonly Param[] = []): Promise<T | undefined> {
    return (await this.all<T>(sql, params))[0];
  }

  /**
   * Stores a sequence; resolves when it is durable, also if a unit was refused (`failure`). Rejects with StorageError:
   * `failed` means that nothing of it is stored, `unknown` that it may be.
   */
  async write(sequence: Sequence): Promise<SequenceResult> {
    const request: Request = { kind: "write", id: this.nextId++, sequence };
    return (await this.request(request, statementsIn(sequence), this.timeout)) as SequenceResult;
  }

  /** Runs a script in one transaction, all or nothing; for schema changes. Rejects with Error if SQLite refuses it. */
  async exec(sql: string): Promise<void> {
    await this.request({ kind: "script", id: this.nextId++, sql }, 1, SCRIPT_TIMEOUT);
  }

  /**
   * Resolves when what is written next leaves at once. Until then it would only wait here: who can join what still comes
   * to it does so meanwhile.
   */
  turn(): Promise<void> {
    return this.mayLeave ? Promise.resolve() : new Promise(resolve => this.turns.push(resolve));
  }

  stats(): DatabaseStats {
    return { queue: this.weight, lastCommitMs: this.lastCommitMs, commits: this.commits };
  }

  /** Told of every commit: milliseconds the group took, statements in it. */
  onCommit(listener: (ms: number, statements: number) => void): void {
    this.commitListeners.push(listener);
  }

  /** Told once if the worker ends without being asked to; nothing can be read or stored after that. */
  onFatal(listener: (error: Error) => void): void {
    this.fatalListeners.push(listener);
  }

  /** Finishes what was asked before, then closes the file. May be called again. */
  async close(): Promise<void> {
    if (this.state === "open") {
      this.state = "closing";
      this.send({ kind: "close" });
      this.callTurns();
    }
    const timer = setTimeout(() => void this.worker.terminate(), CLOSE_TIMEOUT);
    await this.ended;
    clearTimeout(timer);
  }

  private request(request: Extract<Request, { id: number }>, weight: number, timeout: number): Promise<unknown> {
    if (this.state !== "open") return Promise.reject(new StorageError("failed", "closed"));
    if (this.weight + weight > this.limit) return Promise.reject(new StorageError("failed", "overload"));
    this.weight += weight;
    return new Promise((resolve, reject) => {
      const expires = this.now + Math.ceil(timeout / TICK);
      this.pending.set(request.id, { write: request.kind !== "read", packet: null, weight, expires, resolve, reject });
      this.send(request);
    });
  }

  private get mayLeave(): boolean {
    return this.packets < PACKETS || this.state !== "open";
  }

  private callTurns(): void {
    for (const resolve of this.turns.splice(0)) resolve();
  }

  private send(request: Request): void {
    this.outbox.push(request);
    this.flushSoon();
  }

  /** At the end of the tick, or when the worker has answered one of the packets it has. */
  private flushSoon(): void {
    if (this.flushing || this.outbox.length === 0 || !this.mayLeave) return;
    this.flushing = true;
    setImmediate(() => this.flush());
  }

  private flush(): void {
    this.flushing = false;
    const requests = this.outbox;
    this.outbox = [];
    if (this.state === "closed") return;
    const packet: Packet = { open: 0 };
    for (const request of requests) {
      const pending = request.kind === "close" ? undefined : this.pending.get(request.id);
      if (!pending) continue;
      pending.packet = packet;
      packet.open++;
    }
    if (packet.open > 0) this.packets++;
    this.worker.postMessage(this.packer.pack(requests));
  }

  private settle(answer: Answer): void {
    if (answer.kind === "commit") {
      this.commits++;
      this.lastCommitMs = answer.ms;
      for (const listener of this.commitListeners) listener(answer.ms, answer.statements);
      return;
    }
    if (answer.kind === "ready" || answer.kind === "refused") return;
    const pending = this.pending.get(answer.id);
    if (!pending) return;
    this.pending.delete(answer.id);
    this.weight -= pending.weight;
    if (answer.kind === "rows") pending.resolve(answer.rows);
    else if (answer.kind === "result") pending.resolve(answer.result);
    else if (answer.kind === "error") pending.reject(new Error(answer.message));
    else if (answer.kind === "failure") pending.reject(new StorageError(answer.outcome, answer.reason, answer.message));
    else if (answer.failure) pending.reject(new Error(answer.failure.message));
    else pending.resolve(undefined);
    // After the answers: who waits for these comes before who asks next.
    if (!pending.packet || --pending.packet.open > 0) return;
    this.packets--;
    this.callTurns();
    this.flushSoon();
  }

  private expire(): void {
    this.now++;
    for (const { write, expires, reject } of this.pending.values()) {
      if (expires <= this.now) reject(new StorageError(write ? "unknown" : "failed", "timeout"));
    }
  }

  private onExit(): void {
    clearInterval(this.timer);
    const asked = this.state === "closing" && this.pending.size === 0;
    this.state = "closed";
    for (const { write, reject } of this.pending.values()) {
      reject(new StorageError(write ? "unknown" : "failed", "worker", this.death));
    }
    this.pending.clear();
    this.weight = 0;
    this.callTurns();
    if (asked) return;
    const error = this.death ?? new Error("The storage worker ended unexpectedly");
    for (const listener of this.fatalListeners) listener(error);
  }
}

/** Compiled, the worker is plain JavaScript; from source (tsx, jest) the thread loads tsx first. */
function startWorker(workerData: StoreOptions): Worker {
  const extension = extname(__filename);
  const file = join(__dirname, `sqlite.worker${extension}`);
  if (extension === ".js") return new Worker(file, { workerData });
  const [tsx, source] = [require.resolve("tsx/cjs"), file].map(path => JSON.stringify(path));
  return new Worker(`require(${tsx}); require(${source});`, { workerData, eval: true, execArgv: [] });
}
