import { join } from "node:path";
import { program } from "./cache";
import { Child, type ChildExit } from "./child";
import { freePort, greeting } from "./ports";

export interface NatsOptions {
  /** Default: a free one. */
  port?: number;
  /** A configuration file in place of ours, for users and permissions. */
  config?: string;
  onLine?: (line: string) => void;
}

const CONFIG = join(__dirname, "nats.conf");

/** A nats-server of ours. It keeps its port through kills and starts. */
export class NatsServer {
  private child: Child | null = null;

  private constructor(
    readonly port: number,
    private readonly options: NatsOptions,
  ) {}

  static async start(options: NatsOptions = {}): Promise<NatsServer> {
    const server = new NatsServer(options.port ?? (await freePort()), options);
    await server.start();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.child?.pid ?? -1;
  }

  get isRunning(): boolean {
    return this.child?.isRunning ?? false;
  }

  /** Starts it again after a kill or a stop. */
  async start(): Promise<void> {
    if (this.isRunning) return;
    const { config = CONFIG, onLine } = this.options;
    const args = ["-a", "127.0.0.1", "-p", String(this.port), "-c", config];
    this.child = Child.start("nats-server", program("nats-server"), args, { onLine });
    await this.child.answers(() => greeting(this.port, { speaks: true }));
  }

  async kill9(): Promise<void> {
    await this.child?.kill9();
  }

  /** Resolves when the running one ends, whoever ended it. */
  async ended(): Promise<ChildExit | undefined> {
    return this.child?.ended;
  }

  async stop(): Promise<void> {
    await this.child?.stop("SIGTERM", 5_000);
  }
}

/** A nats-server on 127.0.0.1. Rejects if it is not installed or does not start. */
export const startNats = (options?: NatsOptions): Promise<NatsServer> => NatsServer.start(options);
