import { execFile } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { MongoClient } from "mongodb";
import { DOCUMENTDB, program } from "./cache";
import { Child, childrenOf, type ChildExit } from "./child";
import { Daemon, type OnDeath } from "./daemon";
import { freePort } from "./ports";

const run = promisify(execFile);

export interface MongoOptions {
  /** Kept after the end. Default: a temporary one, removed at the stop. */
  dataDir?: string;
  /** Default: a free one. */
  port?: number;
  onLine?: (line: string) => void;
  /** Of the gateway or of the store. */
  onDeath?: OnDeath;
}

const SCRIPT = join(__dirname, "postgres.sh");
const NAMESPACES = ["--mount", "--pid", "--ipc", "--fork", "--kill-child"];

/** PostgreSQL with DocumentDB, in namespaces of its own. */
class Store extends Daemon {
  /** A first start makes the database. */
  protected override readonly patience = 60_000;

  constructor(
    private readonly dataDir: string,
    readonly port: number,
    private readonly options: MongoOptions,
  ) {
    super("postgres", options.onDeath);
  }

  /** unshare -> the shell of postgres.sh -> the postmaster, once it runs. */
  postmaster(): number[] {
    return this.isRunning ? childrenOf(this.pid).flatMap(childrenOf) : [];
  }

  override async kill9(): Promise<void> {
    for (const pid of this.postmaster()) process.kill(pid, "SIGKILL");
    await this.ended();
  }

  /** A fast shutdown: transactions are rolled back, a checkpoint is written. */
  override async stop(): Promise<ChildExit | undefined> {
    // The guard ends with its postmaster; a signal it ignores makes it wait for that.
    const end = super.stop("SIGCHLD", 10_000);
    for (const pid of this.postmaster()) process.kill(pid, "SIGINT");
    return end;
  }

  protected launch(): Child {
    const { uid, gid } = owner();
    mkdirSync(this.dataDir, { recursive: true });
    chownSync(this.dataDir, uid, gid);
    const args = [...NAMESPACES, "bash", SCRIPT, DOCUMENTDB, this.dataDir, String(this.port)];
    return Child.start(this.name, "unshare", args, { onLine: this.options.onLine });
  }

  protected async ask(): Promise<void> {
    const psql = ["/usr/lib/postgresql/18/bin/psql", "-h", "127.0.0.1", "-p", String(this.port), "-U", "postgres"];
    await run("chroot", [DOCUMENTDB, ...psql, "-qc", "CREATE EXTENSION IF NOT EXISTS documentdb CASCADE"], {
      env: { ...process.env, PGCONNECT_TIMEOUT: "2" },
      timeout: 20_000,
    });
  }
}

/** FerretDB before a store. */
class Gateway extends Daemon {
  constructor(
    private readonly store: Store,
    private readonly dataDir: string,
    private readonly port: number,
    private readonly options: MongoOptions,
  ) {
    super("ferretdb", options.onDeath);
  }

  get url(): string {
    return `mongodb://127.0.0.1:${this.port}`;
  }

  protected launch(): Child {
    const args = [
      `--listen-addr=127.0.0.1:${this.port}`,
      `--postgresql-url=postgres://postgres@127.0.0.1:${this.store.port}/postgres`,
      `--state-dir=${this.dataDir}`,
      "--no-auth",
      "--telemetry=disable",
      "--debug-addr=-",
      "--log-level=WARN",
    ];
    return Child.start(this.name, program("ferretdb"), args, { onLine: this.options.onLine });
  }

  protected ask(): Promise<void> {
    return pingMongo(this.url);
  }
}

/**
 * A server of the MongoDB protocol: FerretDB (the gateway) over PostgreSQL with DocumentDB (the store). Each can be killed
 * and started again on the same data and ports. The data folder is one server's at a time.
 */
export class MongoServer {
  readonly store: Store;
  readonly gateway: Gateway;

  private constructor(
    private readonly dataDir: string,
    port: number,
    storePort: number,
    private readonly options: MongoOptions,
  ) {
    this.store = new Store(dataDir, storePort, options);
    this.gateway = new Gateway(this.store, dataDir, port, options);
  }

  static async create(options: MongoOptions = {}): Promise<MongoServer> {
    const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "rookery-mongo-"));
    return new MongoServer(dataDir, options.port ?? (await freePort()), await freePort(), options);
  }

  /** Resolves when both answer. Rejects if the data folder is in use. */
  async start(): Promise<void> {
    await this.store.start();
    await this.gateway.start();
  }

  /** Without the name of a database. */
  get url(): string {
    return this.gateway.url;
  }

  /** Processes of ours that run: the gateway, the store's guard, its postmaster. */
  get pids(): number[] {
    const { store, gateway } = this;
    return [
      ...(gateway.isRunning ? [gateway.pid] : []),
      ...(store.isRunning ? [store.pid, ...childrenOf(store.pid), ...store.postmaster()] : []),
    ];
  }

  /** Starts the store again after a kill; resolves when it answers queries. */
  startStore(): Promise<void> {
    return this.store.start();
  }

  /** Starts the gateway again after a kill; resolves when it answers. */
  startGateway(): Promise<void> {
    return this.gateway.start();
  }

  killGateway(): Promise<void> {
    return this.gateway.kill9();
  }

  /** kill -9 of the postmaster. */
  killStore(): Promise<void> {
    return this.store.kill9();
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    await this.store.stop();
    if (!this.options.dataDir) rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** A MongoDB server on 127.0.0.1. Rejects if it is not installed or does not start. */
export async function startMongo(options?: MongoOptions): Promise<MongoServer> {
  const server = await MongoServer.create(options);
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

/** Resolves if a server of the MongoDB protocol answers within `patience` milliseconds, and its store does. */
export async function pingMongo(url: string, patience = 1_000): Promise<void> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: patience, retryReads: false });
  try {
    await client.db().listCollections().toArray();
  } finally {
    await client.close();
  }
}

/** Whom the data belong to inside the tree. */
function owner(): { uid: number; gid: number } {
  const line = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync(join(DOCUMENTDB, "etc", "passwd"), "utf8"));
  if (!line) throw new Error(`no user postgres in ${DOCUMENTDB}: remove it and run npm run servers`);
  return { uid: Number(line[1]), gid: Number(line[2]) };
}
