import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClusterNode } from "../../deploy/local/cluster-node";
import { Cluster } from "../../deploy/local/local-cluster";
import { installed } from "../../deploy/local/servers";
import { childrenOf } from "../../deploy/local/servers/child";
import type { Daemon } from "../../deploy/local/servers/daemon";
import { testSettings } from "../support/settings";
import { Toxiproxy } from "../support/toxiproxy";
import { ShiftedClock } from "./clock";
import type { Ground, Process } from "./ground";
import { TroubledLink } from "./link";
import { Output } from "./output";

export interface ClusterGroundOptions {
  /** Default: a temporary one, removed at the stop. */
  dataDir?: string;
  /** Arguments of node for every process of the product, in place of the product's own. */
  entry?: readonly string[];
  env?: Record<string, string>;
  /** Every service in a process of its own. */
  each?: boolean;
  /** Every line that a process writes. */
  onLine?: (name: string, line: string) => void;
}

/**
 * A cluster on servers of its own: what dies stays away until a test starts it. Between each node and NATS, and each node
 * and the store, stands a proxy, if toxiproxy is installed; else there are no links.
 */
export async function startClusterGround(options: ClusterGroundOptions = {}): Promise<Ground> {
  const { dataDir = mkdtempSync(join(tmpdir(), "rookery-chaos-")), entry, env, each, onLine } = options;
  const output = new Output();
  const clocks = new Map<string, ShiftedClock>();
  const links: TroubledLink[] = [];
  const clockDir = join(dataDir, "clocks");
  mkdirSync(clockDir, { recursive: true });
  const tell = (name: string, line: string): void => {
    output.add(`${name}: ${line}`);
    onLine?.(name, line);
  };
  if (!installed.toxiproxy) tell("chaos", "toxiproxy is not installed: no link is troubled");
  const toxiproxy = installed.toxiproxy ? await Toxiproxy.start() : null;

  const cluster = new Cluster({
    dataDir,
    each,
    program: entry,
    restart: false,
    onLine: tell,
    env: { ...testSettings(), ...env },
    async envOf({ name }, { natsUrl, mongoUrl }) {
      const clock = new ShiftedClock(clockDir, name);
      clocks.set(name, clock);
      if (!toxiproxy) return clock.env;
      const nats = await TroubledLink.open(toxiproxy, "nats", name, natsUrl);
      const store = await TroubledLink.open(toxiproxy, "store", name, mongoUrl);
      links.push(nats, store);
      return { ...clock.env, TRANSPORTER: nats.url, MONGO_URL: store.url };
    },
  });

  const stop = async (): Promise<void> => {
    await cluster.stop();
    for (const link of links) link.close();
    await toxiproxy?.stop();
    if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    await cluster.start();
  } catch (error) {
    await stop();
    throw error;
  }

  const processes = [
    ...cluster.nodes.map(node => new NodeProcess(node, clocks.get(node.name) as ShiftedClock)),
    ...serversOf(cluster),
  ];
  return {
    shape: "cluster",
    url: cluster.url,
    doors: [...cluster.gatewayUrls, `${cluster.url.replace(/^http/, "ws")}/ws`],
    adminPassword: cluster.adminPassword,
    metricsUrls: cluster.nodes.map(node => `${node.metricsUrl}/metrics`),
    processes,
    links: [...links].sort((a, b) => a.name.localeCompare(b.name)),
    dataDir: null,
    get output() {
      return output.text;
    },
    async untilHealthy(ms = 60_000) {
      const gone = processes.filter(one => !one.isRunning).map(one => one.name);
      if (gone.length > 0) throw new Error(`ended: ${gone.join(", ")}`);
      await cluster.untilHealthy(ms);
    },
    stop,
  };
}

/** Something that runs as processes of the machine. */
class DaemonProcess implements Process {
  constructor(
    protected readonly daemon: Daemon,
    readonly name: string,
    readonly role: Process["role"],
    /** All that stand still when it does. */
    private readonly pids: () => readonly number[] = () => [daemon.pid],
  ) {}

  get isRunning(): boolean {
    return this.daemon.isRunning;
  }

  get pid(): number {
    return this.pids()[0] ?? -1;
  }

  kill(): Promise<void> {
    return this.daemon.kill9();
  }

  stop(): Promise<unknown> {
    return this.daemon.stop();
  }

  start(): Promise<void> {
    return this.daemon.start();
  }

  freeze(): void {
    this.signal("SIGSTOP");
  }

  thaw(): void {
    this.signal("SIGCONT");
  }

  private signal(signal: NodeJS.Signals): void {
    if (!this.isRunning) return;
    process.kill(this.pid, signal);
    // Looked for only now: who stands still makes no more of them.
    for (const pid of this.pids().slice(1)) signalChild(pid, signal);
  }
}

/** One that has ended since is as good as still. */
function signalChild(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

class NodeProcess extends DaemonProcess {
  constructor(
    node: ClusterNode,
    private readonly clock: ShiftedClock,
  ) {
    super(node, node.name, roleOf(node));
  }

  shift(ms: number): Promise<void> {
    return this.clock.shift(ms);
  }
}

function roleOf({ spec: { services } }: ClusterNode): Process["role"] {
  if (services.includes("ws-gateway")) return "gateway";
  return services.includes("api-gateway") ? "api" : "services";
}

function serversOf({ nats, mongo, nginx }: Cluster): Process[] {
  const servers: Process[] = [];
  if (nats) servers.push(new DaemonProcess(nats, "nats-server", "nats"));
  if (mongo) {
    const { store, gateway } = mongo;
    servers.push(
      new DaemonProcess(gateway, "ferretdb", "store"),
      // Sessions of PostgreSQL are processes: all of them, or the postmaster would stand still and nobody else.
      new DaemonProcess(store, "postgres", "store", () =>
        store.postmaster().flatMap(postmaster => [postmaster, ...childrenOf(postmaster)]),
      ),
    );
  }
  if (nginx) servers.push(new DaemonProcess(nginx, "nginx", "proxy"));
  return servers;
}
