import { execFile } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { MongoClient } from "mongodb";
import { DOCUMENTDB, program } from "./cache";
import { Child, childrenOf } from "./child";
import { freePort } from "./ports";

const run = promisify(execFile);

export interface MongoOptions {
  /** Kept after the end. Default: a temporary one, removed at the stop. */
  dataDir?: string;
  /** Default: a free one. */
  port?: number;
  onLine?: (line: string) => void;
}

const STORE = join(__dirname, "postgres.sh");
const NAMESPACES = ["--mount", "--pid", "--ipc", "--fork", "--kill-child"];
/** Milliseconds a first start may take: it makes the database. */
const START = 60_000;

/**
 * A server of the MongoDB protocol: FerretDB (the gateway) over PostgreSQL with DocumentDB (the store). Each can be killed
 * and started again on the same data and ports.
 */
export class MongoServer {
  private store: Child | null = null;
  private gateway: Child | null = null;

  private constructor(
    private readonly dataDir: string,
    private readonly port: number,
    private readonly storePort: number,
    private readonly options: MongoOptions,
  ) {}

  static async start(options: MongoOptions = {}): Promise<MongoServer> {
    const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "rookery-mongo-"));
    const server = new MongoServer(dataDir, options.port ?? (await freePort()), await freePort(), options);
    try {
      await server.startStore();
      await server.startGateway();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** Without the name of a database. */
  get url(): string {
    return `mongodb://127.0.0.1:${this.port}`;
  }

  /** Processes of ours that run: the gateway, the store's guard, its postmaster. */
  get pids(): number[] {
    const { store, gateway } = this;
    return [
      ...(gateway?.isRunning ? [gateway.pid] : []),
      ...(store?.isRunning ? [store.pid, ...childrenOf(store.pid), ...this.postmaster()] : []),
    ];
  }

  /** Starts the store again after a kill; resolves when it answers queries. */
  async startStore(): Promise<void> {
    if (this.store?.isRunning) return;
    const { uid, gid } = owner();
    mkdirSync(this.dataDir, { recursive: true });
    chownSync(this.dataDir, uid, gid);
    const args = [...NAMESPACES, "bash", STORE, DOCUMENTDB, this.dataDir, String(this.storePort)];
    this.store = Child.start("postgres", "unshare", args, { onLine: this.options.onLine });
    await this.store.answers(() => this.query("CREATE EXTENSION IF NOT EXISTS documentdb CASCADE"), START);
  }

  /** Starts the gateway again after a kill; resolves when it answers. */
  async startGateway(): Promise<void> {
    if (this.gateway?.isRunning) return;
    this.gateway = Child.start(
      "ferretdb",
      program("ferretdb"),
      [
        `--listen-addr=127.0.0.1:${this.port}`,
        `--postgresql-url=postgres://postgres@127.0.0.1:${this.storePort}/postgres`,
        `--state-dir=${this.dataDir}`,
        "--no-auth",
        "--telemetry=disable",
        "--debug-addr=-",
        "--log-level=WARN",
      ],
      { onLine: this.options.onLine },
    );
    await this.gateway.answers(() => ping(this.url));
  }

  async killGateway(): Promise<void> {
    await this.gateway?.kill9();
  }

  /** kill -9 of the postmaster. */
  async killStore(): Promise<void> {
    for (const pid of this.postmaster()) process.kill(pid, "SIGKILL");
    await this.store?.ended;
  }

  async stop(): Promise<void> {
    await this.gateway?.stop("SIGTERM", 5_000);
    // A fast shutdown: transactions are rolled back, a checkpoint is written.
    for (const pid of this.postmaster()) process.kill(pid, "SIGINT");
    await this.store?.stop("SIGCHLD", 10_000);
    if (!this.options.dataDir) rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** unshare -> the shell of postgres.sh -> the postmaster, once it runs. */
  private postmaster(): number[] {
    return this.store?.isRunning ? childrenOf(this.store.pid).flatMap(childrenOf) : [];
  }

  private async query(sql: string): Promise<void> {
    const psql = ["/usr/lib/postgresql/18/bin/psql", "-h", "127.0.0.1", "-p", String(this.storePort), "-U", "postgres"];
    await run("chroot", [DOCUMENTDB, ...psql, "-qc", sql], {
      env: { ...process.env, PGCONNECT_TIMEOUT: "2" },
      timeout: 20_000,
    });
  }
}

/** A MongoDB server on 127.0.0.1. Rejects if it is not installed or does not start. */
export const startMongo = (options?: MongoOptions): Promise<MongoServer> => MongoServer.start(options);

/** Resolves if a server of the MongoDB protocol answers and its store does. */
async function ping(url: string): Promise<void> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 1_000, retryReads: false });
  try {
    await client.db("rookery").listCollections().toArray();
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
