import { setTimeout as pause } from "node:timers/promises";
import {
  MongoClient,
  ReadConcern,
  type Db,
  type DbOptions,
  type MongoClientOptions,
  type RunCommandOptions,
  type TopologyDescriptionChangedEvent,
} from "mongodb";
import { within } from "../../services/core/deadline";
import { StorageError, type StorageReason } from "../storage-errors";
import { DriverConnection } from "./driver-connection";
import { storageError, type Kind } from "./errors";

/** What a node tells its operator of the store. */
export interface MongoLog {
  info(message: string): void;
  warn(message: string): void;
}

/** Milliseconds a read or write may take, from the call to the answer; the steps below stay under it together. */
const TIMEOUT = 8_000;
/** Milliseconds one preparation may take: it may build an index over a large log. */
const PREPARE_TIMEOUT = 600_000;
/** Milliseconds between attempts to find a server, and to prepare it. */
const PAUSE = 250;
const PREPARE_PAUSE = 500;
/** Milliseconds after which the operator is told that a preparation takes so long. */
const PREPARE_PATIENCE = 5_000;
/** Times a server may fail at a preparation, which is other than being away. */
const ATTEMPTS = 6;
const LONG_PREPARATION = "MongoDB is being prepared; this takes minutes where an index is made over much";
/** Trouble that does not pass. */
const PERMANENT: ReadonlySet<StorageReason> = new Set(["statement", "closed"]);
/** Reads and writes that may wait or be under way. */
const QUEUE = 20_000;
/** The database when the URL names none. */
const DATABASE = "rookery";

/**
 * The URL cannot weaken these. The driver repeats nothing: a write carries its id, so whoever asked knows better whether to
 * repeat it, and servers without a replica set refuse its retries.
 */
const OPTIONS: MongoClientOptions = {
  appName: "rookery",
  maxPoolSize: 16,
  serverSelectionTimeoutMS: 2_000,
  connectTimeoutMS: 2_000,
  waitQueueTimeoutMS: 2_000,
  socketTimeoutMS: 5_000,
  heartbeatFrequencyMS: 2_000,
  retryWrites: false,
  retryReads: false,
  ignoreUndefined: true,
  ...{ connectionType: DriverConnection },
};
const PROMISES: DbOptions = {
  writeConcern: { w: "majority", journal: true, wtimeoutMS: 4_000 },
  readConcern: new ReadConcern("majority"),
  readPreference: "primary",
};

/**
 * The one connection of a process to MongoDB. The server need not be there: until it is found, and whenever it is away, reads
 * and writes reject with StorageError `failed` within seconds, and work again by themselves.
 */
export class MongoConnection {
  readonly db: Db;
  private readonly found: Promise<void>;
  private reachable = false;
  private told: "nothing" | "away" | "found" = "nothing";
  private closed = false;
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly ending = new AbortController();

  private constructor(
    private readonly client: MongoClient,
    name: string,
    private readonly log: MongoLog | null,
  ) {
    this.db = client.db(name, PROMISES);
    client.on("topologyDescriptionChanged", ({ newDescription }: TopologyDescriptionChangedEvent) => {
      const servers = [...newDescription.servers.values()];
      this.mark(
        servers.some(server => server.isWritable),
        servers.find(server => server.error)?.error?.message,
      );
    });
    this.found = this.find();
    // Who waits is told; nobody may be waiting when it is closed.
    this.found.catch(() => undefined);
  }

  /** Resolves at once, whether a server is there or not. Rejects if the URL is none. */
  static async open(url: string, log: MongoLog | null = null): Promise<MongoConnection> {
    return new MongoConnection(new MongoClient(url, OPTIONS), databaseIn(url), log);
  }

  /** Whether a server that takes writes is known now. */
  get up(): boolean {
    return this.reachable;
  }

  /** Resolves when the first server was found, however long that takes. Rejects with StorageError once closed. */
  whenFound(): Promise<void> {
    return this.found;
  }

  /** Rejects with StorageError `failed`, whatever happened: a read changes nothing. */
  read<T>(work: (db: Db) => Promise<T>, timeout = TIMEOUT): Promise<T> {
    return this.run("read", work, timeout);
  }

  /**
   * One command that writes. Rejects with DuplicateKeyError, or with StorageError: `failed` means that surely nothing was
   * written, `unknown` that it may have been, also when it takes longer than `timeout` milliseconds.
   */
  write<T>(work: (db: Db) => Promise<T>, timeout = TIMEOUT): Promise<T> {
    return this.run("write", work, timeout);
  }

  /**
   * Work of a start that may be repeated, as making indexes: waits for the server and begins anew while the store is in
   * trouble. `options` belong to its commands: an index over much takes longer than a request may. Rejects with
   * DuplicateKeyError, or StorageError if it is refused for what it says, fails again and again, or the connection is closed.
   */
  async prepare<T>(work: (db: Db, options: RunCommandOptions) => Promise<T>): Promise<T> {
    const options = { socketTimeoutMS: PREPARE_TIMEOUT } as RunCommandOptions;
    await this.found;
    const told = setTimeout(() => this.log?.info(LONG_PREPARATION), PREPARE_PATIENCE).unref();
    try {
      return await this.prepared(db => work(db, options));
    } finally {
      clearTimeout(told);
    }
  }

  private async prepared<T>(work: (db: Db) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.write(work, PREPARE_TIMEOUT);
      } catch (error) {
        if (!(error instanceof StorageError) || PERMANENT.has(error.reason)) throw error;
        if (error.reason === "io" && attempt >= ATTEMPTS) throw error;
        if (attempt === 1) this.log?.warn(`MongoDB is not ready for this start: ${messageOf(error.cause ?? error)}`);
        await pause(PREPARE_PAUSE, undefined, { signal: this.ending.signal }).catch(() => undefined);
      }
    }
  }

  /** Rejects with StorageError if no server answers. */
  async ping(): Promise<void> {
    await this.read(db => db.command({ ping: 1 }));
  }

  /** Gives what is under way the time of a request, then closes the connections. May be called again. */
  async close(): Promise<void> {
    this.closed = true;
    this.ending.abort();
    await Promise.race([Promise.allSettled(this.underWay), pause(TIMEOUT, undefined, { ref: false })]);
    await this.client.close();
    await this.found.catch(() => undefined);
  }

  private async run<T>(kind: Kind, work: (db: Db) => Promise<T>, timeout: number): Promise<T> {
    if (this.closed) throw new StorageError("failed", "closed");
    if (this.underWay.size >= QUEUE) throw new StorageError("failed", "overload");
    // The bounds of the driver do not hold while a command larger than the buffers of the socket is being sent: it waits for
    // ever.
    const late = (): Error => new StorageError(kind === "read" ? "failed" : "unknown", "timeout");
    const answer = within(timeout, work(this.db), late);
    this.underWay.add(answer);
    try {
      return await answer;
    } catch (error) {
      throw storageError(error, kind);
    } finally {
      this.underWay.delete(answer);
    }
  }

  private async find(): Promise<void> {
    for (;;) {
      if (this.closed) throw new StorageError("failed", "closed");
      try {
        await this.client.connect();
        return;
      } catch (error) {
        this.mark(false, messageOf(error));
        await pause(PAUSE, undefined, { signal: this.ending.signal }).catch(() => undefined);
      }
    }
  }

  /** Told once when it goes and once when it is back; the first look of a start is not a loss. */
  private mark(reachable: boolean, why: string | undefined): void {
    this.reachable = reachable;
    if (this.closed) return;
    if (reachable && this.told !== "found") {
      this.told = "found";
      this.log?.info(`connected to MongoDB at ${this.hosts}, database ${this.db.databaseName}`);
    } else if (!reachable && why !== undefined && this.told !== "away") {
      this.told = "away";
      this.log?.warn(`MongoDB at ${this.hosts} is away: ${why}`);
    }
  }

  /** Without the credentials of the URL. */
  private get hosts(): string {
    return this.client.options.srvHost ?? this.client.options.hosts.join(",");
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function databaseIn(url: string): string {
  const path = /^mongodb(?:\+srv)?:\/\/[^/]+\/(?<path>[^?]+)/.exec(url)?.groups?.["path"];
  return path === undefined ? DATABASE : decodeURIComponent(path);
}
