import { join } from "node:path";
import { program } from "./cache";
import { Child } from "./child";
import { Daemon, type OnDeath } from "./daemon";
import { freePort, greeting } from "./ports";

export interface NatsOptions {
  /** Default: a free one. */
  port?: number;
  /** A configuration file in place of ours, for users and permissions. */
  config?: string;
  onLine?: (line: string) => void;
  onDeath?: OnDeath;
}

const CONFIG = join(__dirname, "nats.conf");

/** A nats-server of ours. It keeps its port through kills and starts. */
export class NatsServer extends Daemon {
  private constructor(
    readonly port: number,
    private readonly options: NatsOptions,
  ) {
    super("nats-server", options.onDeath);
  }

  static async create(options: NatsOptions = {}): Promise<NatsServer> {
    return new NatsServer(options.port ?? (await freePort()), options);
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  protected launch(): Child {
    const { config = CONFIG, onLine } = this.options;
    const args = ["-a", "127.0.0.1", "-p", String(this.port), "-c", config];
    return Child.start(this.name, program("nats-server"), args, { onLine });
  }

  protected ask(): Promise<unknown> {
    return greeting(this.port);
  }
}

/** A nats-server on 127.0.0.1. Rejects if it is not installed or does not start. */
export async function startNats(options?: NatsOptions): Promise<NatsServer> {
  const server = await NatsServer.create(options);
  await server.start();
  return server;
}
