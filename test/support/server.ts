import { spawn, type ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { ownCluster, sharedCluster } from "./cluster";
import { within } from "./eventually";
import { ADMIN_PASSWORD, baseEnvironment, testSettings } from "./settings";
import { temporaryFolder } from "./temp";

export { ADMIN_PASSWORD, baseEnvironment };

/**
 * The product, built, as a real process; with `ROOKERY_SHAPE=cluster` as many; or one that runs already, which
 * `ROOKERY_URL` and `ADMIN_PASSWORD` name.
 */
export interface Server {
  readonly url: string;
  /** Where the next socket connects to: in a cluster each gateway in turn, and the origin. */
  readonly wsUrl: string;
  readonly adminPassword: string;
  /** Of every process. Empty if it was started elsewhere. */
  readonly metricsUrls: readonly string[];
  /** Of a cluster: its NATS. */
  readonly transporter?: string;
  /** What a server of this file wrote, over all its processes. */
  readonly output: string;
  /** Ends a server of this file in order; the codes its processes ended with. */
  end(): Promise<(number | null)[]>;
  /** In the embedded shape: the one process. Throws otherwise. */
  readonly process: ServerProcess;
}

export interface ServerOptions {
  env?: Record<string, string>;
  /** A new temporary one unless given. */
  dataDir?: string;
  ports?: Ports;
  /** Program before node and its arguments, for limits of the process. */
  wrap?: string[];
}

export interface Ports {
  port: number;
  wsPort: number;
  metricsPort: number;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Milliseconds from the signal to the end. */
  ms: number;
}

export const ROOT = join(__dirname, "..", "..");
const ENTRY = ["--disable-proto=delete", join(ROOT, "dist", "config", "start.js")];
/** Milliseconds a start and a stop may take. */
const START = 50_000;
const STOP = 15_000;

/** True if the suite runs against something that was started elsewhere: what needs a server of its own is left out. */
export const external = Boolean(process.env.ROOKERY_URL);
const clustered = process.env.ROOKERY_SHAPE === "cluster";
export const describeOwn = external ? describe.skip : describe;
/** What is about the one process of the embedded shape. */
export const describeEmbedded = external || clustered ? describe.skip : describe;

const children = new Set<ServerProcess>();

afterAll(async () => {
  for (const child of [...children]) await child.kill();
});
process.on("exit", () => {
  for (const child of children) child.child?.kill("SIGKILL");
});

/** Starts the product with free ports and a fixed admin password, and waits until it says that it is ready. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  if (external) return runningServer();
  if (clustered) return options.env ? ownCluster(options.env) : sharedCluster();
  const server = new ServerProcess(
    options.dataDir ?? temporaryFolder(),
    options.ports ?? (await freePorts()),
    options.env ?? {},
    options.wrap ?? [],
  );
  await server.start();
  return Object.assign(server, { process: server });
}

function runningServer(): Server {
  const url = (process.env.ROOKERY_URL as string).replace(/\/$/, "");
  return {
    url,
    wsUrl: `${url.replace(/^http/, "ws")}/ws`,
    adminPassword: process.env.ADMIN_PASSWORD ?? ADMIN_PASSWORD,
    metricsUrls: [],
    output: "",
    end: () => Promise.reject(new Error("This test needs a server of its own.")),
    get process(): ServerProcess {
      throw new Error("This test needs a server of its own.");
    },
  };
}

export class ServerProcess {
  child: ChildProcess | null = null;
  readonly adminPassword: string;
  private written = "";
  private closed = true;
  private readonly waiting = new Set<() => void>();

  constructor(
    readonly dataDir: string,
    readonly ports: Ports,
    private readonly env: Record<string, string>,
    private readonly wrap: string[] = [],
  ) {
    this.adminPassword = env.ADMIN_PASSWORD ?? ADMIN_PASSWORD;
  }

  get url(): string {
    return `http://127.0.0.1:${this.ports.port}`;
  }

  get wsUrl(): string {
    return `ws://127.0.0.1:${this.ports.port}/ws`;
  }

  get metricsUrls(): string[] {
    return [`http://127.0.0.1:${this.ports.metricsPort}/metrics`];
  }

  get pid(): number {
    return this.child?.pid ?? -1;
  }

  /** Everything of stdout and stderr, over all starts. */
  get output(): string {
    return this.written;
  }

  /** Starts it and resolves at its ready line. Rejects with what it wrote if it ends before. */
  async start(): Promise<void> {
    this.launch();
    const from = this.written.length;
    const ready = (): boolean => /^ready http:\/\//m.test(this.written.slice(from));
    await within(
      START,
      "the ready line",
      this.until(() => ready() || this.ended),
    );
    if (!ready()) throw new Error(`The server ended before it was ready:\n${this.written.slice(from)}`);
  }

  /** Starts it and resolves when it ends by itself. A start that succeeds is ended and has code null. */
  async startAndEnd(): Promise<Exit & { output: string }> {
    this.launch();
    const from = this.written.length;
    const ready = (): boolean => /^ready http:\/\//m.test(this.written.slice(from));
    await within(
      START,
      "the end",
      this.until(() => ready() || this.ended),
    );
    await this.kill();
    return { ...(await this.exit(START)), output: this.written.slice(from) };
  }

  /** SIGTERM. */
  async stop(): Promise<Exit> {
    this.child?.kill("SIGTERM");
    return this.exit(STOP + 5_000);
  }

  async end(): Promise<(number | null)[]> {
    return [(await this.stop()).code];
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    if (!this.child || this.ended) return;
    this.child.kill("SIGKILL");
    await this.exit(STOP);
  }

  /** Starts again on the same data and ports, after SIGTERM if it still runs. */
  async restart(): Promise<void> {
    if (!this.ended) await this.stop();
    await this.start();
  }

  /** Resolves when the condition holds, looked at after every line and at the end. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => this.waiting.add(resolve));
  }

  /** Over, and all that it wrote is read. */
  get ended(): boolean {
    return this.closed;
  }

  private launch(): void {
    if (!this.ended) throw new Error("It runs already.");
    const [program, ...args] = [...this.wrap, process.execPath, ...ENTRY] as [string, ...string[]];
    const child = spawn(program, args, { cwd: ROOT, env: this.environment(), stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    this.closed = false;
    children.add(this);
    const take = (data: Buffer): void => {
      this.written += data.toString();
      this.wake();
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    child.on("close", () => {
      children.delete(this);
      this.closed = true;
      this.wake();
    });
  }

  environment(): Record<string, string> {
    return {
      ...testSettings(),
      PORT: String(this.ports.port),
      WS_PORT: String(this.ports.wsPort),
      METRICS_PORT: String(this.ports.metricsPort),
      DATA_DIR: this.dataDir,
      ...this.env,
    };
  }

  private async exit(patience: number): Promise<Exit> {
    const { child } = this;
    if (!child) throw new Error("It was never started.");
    const began = performance.now();
    await within(
      patience,
      "the end of the process",
      this.until(() => this.ended),
    );
    return { code: child.exitCode, signal: child.signalCode, ms: performance.now() - began };
  }

  private wake(): void {
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

/** Three ports that nobody listens on, below the range that outgoing connections take theirs from. */
export async function freePorts(): Promise<Ports> {
  const [port, wsPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  return { port, wsPort, metricsPort };
}

const BASE = 20_000;
let next = Math.floor(Math.random() * 1_000);

async function freePort(): Promise<number> {
  for (;;) {
    const worker = Number(process.env.JEST_WORKER_ID ?? 1);
    const port = BASE + (worker % 10) * 1_000 + (next++ % 1_000);
    if (await isFree(port)) return port;
  }
}

/** Whether somebody could listen on the port. */
export function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
