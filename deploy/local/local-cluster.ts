import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockFolder, type Release } from "../../mixins/sqlite/lock";
import { ClusterNode } from "./cluster-node";
import { layout, type NodeSpec } from "./layout";
import { MongoServer, NatsServer, Nginx, pingMongo } from "./servers";
import type { ChildExit } from "./servers/child";
import { freePort, mustBeFree } from "./servers/ports";
import { Supervisor } from "./supervisor";

export interface ClusterOptions {
  /** Kept after the end: the database, files, secret and password. One cluster's at a time. */
  dataDir: string;
  /** Of the origin; default: a free one. */
  port?: number;
  /** Every service in a process of its own. */
  each?: boolean;
  /** Two api-gateways. */
  twins?: boolean;
  /** Whether a process that died is started again; default true. */
  restart?: boolean;
  /** Settings of every process. */
  env?: Record<string, string>;
  /** Settings of one process, over those of all; asked before it starts first, when the servers run. */
  envOf?: (node: NodeSpec, servers: { natsUrl: string; mongoUrl: string }) => Promise<Record<string, string>>;
  /** Arguments of node for every process of the product; default: the product as it is built. */
  program?: readonly string[];
  /** Servers that run already. */
  natsUrl?: string;
  mongoUrl?: string;
  /** Every line that a process writes. */
  onLine?: (name: string, line: string) => void;
}

/** Milliseconds between two looks at the health of all. */
const PACE = 500;
/** Milliseconds in which a MongoDB from outside must answer. */
const MONGO_PATIENCE = 8_000;

/**
 * A real cluster on 127.0.0.1: NATS, MongoDB, the nodes of a layout as processes, and nginx for the one origin. Everything
 * dies with this process.
 */
export class Cluster {
  readonly nodes: ClusterNode[] = [];
  /** Null if it runs elsewhere, or not yet. */
  nats: NatsServer | null = null;
  mongo: MongoServer | null = null;
  nginx: Nginx | null = null;
  readonly adminPassword: string;
  private readonly env: Record<string, string>;
  private readonly supervisor: Supervisor;
  private release: Release | null = null;
  private stopped: Promise<(ChildExit | undefined)[]> | null = null;
  private port: number;

  constructor(private readonly options: ClusterOptions) {
    const { dataDir, env = {} } = options;
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    this.adminPassword = env.ADMIN_PASSWORD ?? kept(dataDir, "admin.password", 12);
    this.port = options.port ?? 0;
    this.supervisor = new Supervisor(options);
    this.env = {
      HOST: "127.0.0.1",
      JWT_SECRET: kept(dataDir, "jwt.secret", 48),
      DATA_DIR: join(dataDir, "files"),
      // The proxy; whoever else comes from here is this machine's owner.
      TRUSTED_PROXIES: "127.0.0.1",
      ...env,
      ADMIN_PASSWORD: this.adminPassword,
    };
  }

  /** The origin. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Own addresses of the ws-gateways. */
  get gatewayUrls(): string[] {
    return this.portsOf("ws-gateway").map(port => `ws://127.0.0.1:${port}/ws`);
  }

  get natsUrl(): string {
    return this.options.natsUrl ?? this.nats?.url ?? "";
  }

  get mongoUrl(): string {
    return this.options.mongoUrl ?? `${this.mongo?.url}/rookery`;
  }

  /** A process by its name. Throws if there is none. */
  node(name: string): ClusterNode {
    const node = this.nodes.find(one => one.name === name);
    if (!node) throw new Error(`no process named ${name}; there are ${this.nodes.map(one => one.name).join(", ")}`);
    return node;
  }

  /**
   * Starts everything and resolves when the origin is healthy. What was started is stopped again if it fails. Rejects in one
   * line if the data folder or the port is somebody else's.
   */
  async start(): Promise<this> {
    const { dataDir, port } = this.options;
    try {
      this.release = await lockFolder(dataDir);
      if (port) await mustBeFree(port);
      for (const step of [this.startServers, this.startNodes, this.startProxy, this.untilHealthy]) {
        if (this.stopped) throw new Error("stopped before it was ready");
        await step.call(this);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
    return this;
  }

  /** Resolves when the origin and every process say that they can work; rejects after `patience` milliseconds. */
  async untilHealthy(patience = 60_000): Promise<void> {
    for (const deadline = performance.now() + patience; ;) {
      const states = await Promise.all(
        this.nodes.map(async node => ({ name: node.name, missing: await node.missing() })),
      );
      const red = states.filter(({ missing }) => missing.length > 0);
      const health = await this.health();
      if (red.length === 0 && health.status === 200) return;
      if (performance.now() > deadline)
        throw new Error(`not healthy: ${JSON.stringify(red)}; the origin: ${JSON.stringify(health)}`);
      await new Promise(resolve => setTimeout(resolve, PACE));
    }
  }

  /** What `GET /api/health` of the origin answers; status 0 if its proxy does not. */
  async health(): Promise<{ status: number; body: string }> {
    try {
      if (!(await this.nginx?.answers())) return { status: 0, body: "the proxy does not answer" };
      const answer = await fetch(`${this.url}/api/health`, { signal: AbortSignal.timeout(3_000) });
      return { status: answer.status, body: await answer.text() };
    } catch (error) {
      return { status: 0, body: String(error) };
    }
  }

  /** In order: no new clients, then the gateways tell theirs, then the services, then what these stand on. How each node ended. */
  stop(): Promise<(ChildExit | undefined)[]> {
    this.stopped ??= this.stopAll();
    return this.stopped;
  }

  private async stopAll(): Promise<(ChildExit | undefined)[]> {
    this.supervisor.stop();
    await this.nginx?.stop();
    const isGateway = (node: ClusterNode): boolean => node.name.includes("gateway");
    await Promise.all(this.nodes.filter(isGateway).map(node => node.stop()));
    const exits = await Promise.all(this.nodes.map(node => node.stop()));
    await this.mongo?.stop();
    await this.nats?.stop();
    await this.release?.();
    return exits;
  }

  private async startServers(): Promise<void> {
    const { dataDir, natsUrl, mongoUrl } = this.options;
    const watched = (name: string) => ({
      onLine: (line: string) => this.options.onLine?.(name, line),
      onDeath: this.supervisor.died,
    });
    if (!natsUrl) this.nats = await NatsServer.create(watched("nats"));
    if (!mongoUrl) this.mongo = await MongoServer.create({ dataDir: join(dataDir, "mongo"), ...watched("mongo") });
    await Promise.all([this.nats?.start(), this.mongo?.start(), mongoUrl && mustAnswer(mongoUrl)]);
  }

  private async startNodes(): Promise<void> {
    const { each, twins, onLine, program, envOf } = this.options;
    const { natsUrl, mongoUrl } = this;
    this.port ||= await freePort();
    const env = {
      ...this.env,
      ALLOWED_ORIGINS: [this.url, this.env.ALLOWED_ORIGINS].filter(Boolean).join(","),
      TRANSPORTER: natsUrl,
      MONGO_URL: mongoUrl,
    };
    const nodes = await Promise.all(
      layout({ each, twins }).map(async spec =>
        ClusterNode.create(spec, {
          env: { ...env, ...(await envOf?.(spec, { natsUrl, mongoUrl })) },
          program,
          onLine: line => onLine?.(spec.name, line),
          onDeath: this.supervisor.died,
        }),
      ),
    );
    if (this.stopped) return;
    this.nodes.push(...nodes);
    await Promise.all(nodes.map(node => node.start()));
  }

  private async startProxy(): Promise<void> {
    const { onLine, dataDir } = this.options;
    this.nginx = new Nginx({
      port: this.port,
      sockets: this.portsOf("ws-gateway"),
      api: this.portsOf("api-gateway"),
      dir: join(dataDir, "nginx"),
      onLine: line => onLine?.("nginx", line),
      onDeath: this.supervisor.died,
    });
    await this.nginx.start();
  }

  private portsOf(service: "ws-gateway" | "api-gateway"): number[] {
    return this.nodes.filter(node => node.spec.services.includes(service)).map(node => node.port);
  }
}

/** A URL may carry a password: the message does not repeat it. */
async function mustAnswer(mongoUrl: string): Promise<void> {
  try {
    await pingMongo(mongoUrl, MONGO_PATIENCE);
  } catch (error) {
    throw new Error(`MONGO_URL cannot be used: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A random value of this installation: made once, readable by its owner only. */
function kept(dataDir: string, name: string, bytes: number): string {
  const file = join(dataDir, name);
  try {
    writeFileSync(file, randomBytes(bytes).toString("base64url"), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return readFileSync(file, "utf8");
}
