import { existsSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../config/root";
import type { NodeSpec } from "./layout";
import { Child, type ChildExit } from "./servers/child";
import { Daemon, type OnDeath } from "./servers/daemon";
import { freePort } from "./servers/ports";

export interface ClusterNodeOptions {
  env: Readonly<Record<string, string>>;
  /** Arguments of node; default: the product. */
  program?: readonly string[];
  onLine: (line: string) => void;
  onDeath: OnDeath;
}

/** Milliseconds between two words about what a node waits for before it is ready. */
const TELL = 10_000;

/** The built product if it is there, else its source through tsx. */
function product(): string[] {
  const built = join(projectRoot, "dist", "config", "start.js");
  const args = existsSync(built) ? [built] : ["--import", "tsx", join(projectRoot, "config", "start.ts")];
  return ["--disable-proto=delete", ...args];
}

/** One process of the cluster. It keeps its ports through kills and starts. */
export class ClusterNode extends Daemon {
  /** A node waits for its servers however long they take, and says so. */
  protected override readonly patience = Infinity;
  private told = false;

  private constructor(
    readonly spec: NodeSpec,
    /** The port that clients come to: REST of an api-gateway, sockets of a ws-gateway; nobody listens on others'. */
    readonly port: number,
    readonly metricsPort: number,
    private readonly options: ClusterNodeOptions,
  ) {
    super(spec.name, options.onDeath);
  }

  static async create(spec: NodeSpec, options: ClusterNodeOptions): Promise<ClusterNode> {
    return new ClusterNode(spec, await freePort(), await freePort(), options);
  }

  get metricsUrl(): string {
    return `http://127.0.0.1:${this.metricsPort}`;
  }

  /** Starts it and resolves at its ready line. Rejects with its last words if it ends before. */
  override async start(): Promise<void> {
    const teller = setInterval(() => void this.tell(), TELL);
    return super.start().finally(() => clearInterval(teller));
  }

  /** What keeps it from working, by its own word; empty if nothing does. */
  async missing(): Promise<string[]> {
    try {
      const answer = await fetch(`${this.metricsUrl}/health/ready`, { signal: AbortSignal.timeout(2_000) });
      if (answer.ok) return [];
      const { checks } = (await answer.json()) as { checks: Record<string, string> };
      return Object.keys(checks).filter(name => checks[name] !== "ok");
    } catch {
      return ["its process, which does not answer"];
    }
  }

  /** SIGTERM, and its end. It is not started again by whoever watches. */
  override stop(): Promise<ChildExit | undefined> {
    return super.stop("SIGTERM", 15_000);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  protected launch(): Child {
    this.told = false;
    return Child.start(this.name, process.execPath, this.options.program ?? product(), {
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
  }

  private async tell(): Promise<void> {
    const missing = await this.missing();
    const others = missing.filter(name => name !== "start");
    this.options.onLine(`not ready yet, waits for: ${(others.length > 0 ? others : missing).join(", ")}`);
  }

  protected async ask(): Promise<void> {
    if (!this.told) throw new Error("no ready line");
  }
}
