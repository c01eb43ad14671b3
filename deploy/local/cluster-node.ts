import { existsSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../config/root";
import type { NodeSpec } from "./layout";
import { Child, type ChildExit } from "./servers/child";
import { freePort } from "./servers/ports";

export interface ClusterNodeOptions {
  env: Readonly<Record<string, string>>;
  onLine: (line: string) => void;
  /** It ended and nobody here asked it to. */
  onDeath: (exit: ChildExit) => void;
}

/** Milliseconds a start may take: other processes start beside it. */
const START = 60_000;

/** The built product if it is there, else its source through tsx. */
function program(): string[] {
  const built = join(projectRoot, "dist", "config", "start.js");
  const args = existsSync(built) ? [built] : ["--import", "tsx", join(projectRoot, "config", "start.ts")];
  return ["--disable-proto=delete", ...args];
}

/** One process of the cluster. It keeps its ports through kills and starts. */
export class ClusterNode {
  private child: Child | null = null;
  private wanted = false;
  private told = false;

  private constructor(
    readonly spec: NodeSpec,
    /** The port that clients come to: REST of an api-gateway, sockets of a ws-gateway; nobody listens on others'. */
    readonly port: number,
    readonly metricsPort: number,
    private readonly options: ClusterNodeOptions,
  ) {}

  static async create(spec: NodeSpec, options: ClusterNodeOptions): Promise<ClusterNode> {
    return new ClusterNode(spec, await freePort(), await freePort(), options);
  }

  get name(): string {
    return this.spec.name;
  }

  get pid(): number {
    return this.child?.pid ?? -1;
  }

  get isRunning(): boolean {
    return this.child?.isRunning ?? false;
  }

  get metricsUrl(): string {
    return `http://127.0.0.1:${this.metricsPort}`;
  }

  /** Starts it and resolves at its ready line. Rejects with its last words if it ends before. */
  async start(): Promise<void> {
    if (this.isRunning) return;
    this.wanted = true;
    this.told = false;
    const child = Child.start(this.name, process.execPath, program(), {
      cwd: projectRoot,
      env: {
        ...this.options.env,
        SERVICES: this.spec.services.join(","),
        PORT: String(this.port),
        WS_PORT: String(this.port),
        METRICS_PORT: String(this.metricsPort),
      },
      onLine: line => {
        if (line.startsWith("ready ")) this.told = true;
        this.options.onLine(line);
      },
    });
    this.child = child;
    void child.ended.then(exit => {
      if (this.wanted && this.child === child) this.options.onDeath(exit);
    });
    await child.answers(() => (this.told ? Promise.resolve() : Promise.reject(new Error("not ready"))), START);
  }

  /** Whether it answers that it can work. */
  async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.metricsUrl}/health/ready`, { signal: AbortSignal.timeout(2_000) })).ok;
    } catch {
      return false;
    }
  }

  /** kill -9. It stays away until it is started, here or because its death is watched over. */
  async kill9(): Promise<void> {
    await this.child?.kill9();
  }

  /** SIGTERM, and its end. It is not started again by whoever watches. */
  async stop(): Promise<ChildExit | undefined> {
    this.wanted = false;
    return this.child?.stop();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }
}
