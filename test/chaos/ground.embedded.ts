import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../../config/root";
import { Child } from "../../deploy/local/servers/child";
import { Daemon } from "../../deploy/local/servers/daemon";
import { freePort } from "../../deploy/local/servers/ports";
import { RecordedDisk } from "../support/powerloss/disk";
import { powerlossLibrary } from "../support/powerloss/library";
import { testSettings } from "../support/settings";
import { ShiftedClock } from "./clock";
import type { Ground, Process } from "./ground";
import { Output } from "./output";

export interface EmbeddedGroundOptions {
  /** Default: a temporary one, removed at the stop. */
  dataDir?: string;
  /** Arguments of node, in place of the product's own. */
  entry?: readonly string[];
  env?: Record<string, string>;
  /** Program and arguments before node. */
  wrap?: readonly string[];
  /** Writes and syncs of the server are recorded, so that its disk can lose power. Left out without a C compiler. */
  recorded?: boolean;
  /** Every line that the server writes. */
  onLine?: (name: string, line: string) => void;
}

const ENTRY = ["--disable-proto=delete", join(projectRoot, "dist", "config", "start.js")];

/** The product as one process on its own store; it stays away when it dies, until a test starts it. */
export async function startEmbeddedGround(options: EmbeddedGroundOptions = {}): Promise<Ground> {
  const { onLine } = options;
  if (options.dataDir) mkdirSync(options.dataDir, { recursive: true });
  const dataDir = realpathSync(options.dataDir ?? mkdtempSync(join(tmpdir(), "rookery-chaos-")));
  const library = options.recorded ? powerlossLibrary() : null;
  const recordDir = library && mkdtempSync(join(tmpdir(), "rookery-record-"));
  const disk = recordDir ? new RecordedDisk(dataDir, recordDir, library) : undefined;
  const clockDir = mkdtempSync(join(tmpdir(), "rookery-clock-"));
  const output = new Output();
  const ports = { port: await freePort(), wsPort: await freePort(), metricsPort: await freePort() };
  const settings: Record<string, string> = {
    ...testSettings(),
    PORT: String(ports.port),
    WS_PORT: String(ports.wsPort),
    METRICS_PORT: String(ports.metricsPort),
    DATA_DIR: dataDir,
    ...disk?.environment,
    ...options.env,
  };
  const clock = new ShiftedClock(clockDir, "server");
  const server = new ServerProcess({ ...options, env: { ...settings, ...clock.env } }, clock, line => {
    output.add(line);
    onLine?.("server", line);
  });

  const stop = async (): Promise<void> => {
    await server.stop("SIGTERM", 20_000);
    rmSync(clockDir, { recursive: true, force: true });
    if (recordDir) rmSync(recordDir, { recursive: true, force: true });
    if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    await server.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    shape: "embedded",
    url: server.url,
    doors: [`ws://127.0.0.1:${ports.port}/ws`, `ws://127.0.0.1:${ports.wsPort}/ws`],
    adminPassword: settings.ADMIN_PASSWORD as string,
    metricsUrls: [`http://127.0.0.1:${ports.metricsPort}/metrics`],
    processes: [server],
    links: [],
    dataDir,
    disk,
    get output() {
      return output.text;
    },
    untilHealthy: ms => server.untilHealthy(ms),
    stop,
  };
}

class ServerProcess extends Daemon implements Process {
  override readonly name = "server";
  readonly role = "server";

  constructor(
    private readonly options: EmbeddedGroundOptions & { env: Record<string, string> },
    private readonly clock: ShiftedClock,
    private readonly onLine: (line: string) => void,
  ) {
    super("server");
  }

  get url(): string {
    return `http://127.0.0.1:${this.options.env.PORT}`;
  }

  async kill(): Promise<void> {
    // What is before node goes with it.
    if (this.isRunning) process.kill(-this.pid, "SIGKILL");
    await this.kill9();
  }

  freeze(): void {
    if (this.isRunning) process.kill(-this.pid, "SIGSTOP");
  }

  thaw(): void {
    if (this.isRunning) process.kill(-this.pid, "SIGCONT");
  }

  shift(ms: number): Promise<void> {
    return this.clock.shift(ms);
  }

  async untilHealthy(ms = 30_000): Promise<void> {
    if (!this.isRunning) throw new Error("ended: server");
    for (const deadline = performance.now() + ms; ; await new Promise(resolve => setTimeout(resolve, 50))) {
      const wrong = await this.ask().then(
        () => null,
        (error: unknown) => error,
      );
      if (wrong === null) return;
      if (performance.now() > deadline) throw new Error(`not healthy within ${ms} ms: ${String(wrong)}`);
    }
  }

  protected launch(): Child {
    const { wrap = [], entry = ENTRY, env } = this.options;
    const [program, ...args] = [...wrap, process.execPath, ...entry];
    return Child.start(this.name, program as string, args, { env, cwd: projectRoot, onLine: this.onLine });
  }

  protected async ask(): Promise<void> {
    const response = await fetch(`${this.url}/api/health`, { signal: AbortSignal.timeout(2_000) });
    const text = await response.text();
    if (!response.ok) throw new Error(`health ${response.status}: ${text.slice(0, 200)}`);
  }
}
