import { createWriteStream } from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cluster } from "../../deploy/local/local-cluster";
import { startMongo, startNats } from "../../deploy/local/servers";
import { testSettings } from "./settings";

export type ServerName = "nats" | "mongo";

interface Started {
  /** The answer to who asks for it. */
  told: string;
  stop(): Promise<unknown>;
}

/**
 * The servers that the files of one run of jest share, started when the first asks. They belong to jest's own process;
 * its workers ask over HTTP at `ROOKERY_RUN_SERVERS`.
 */
export class RunServers {
  private readonly started = new Map<string, Promise<Started>>();
  private readonly starters: Record<string, () => Promise<Started>> = {
    nats: async () => {
      const nats = await startNats();
      return { told: nats.url, stop: () => nats.stop() };
    },
    mongo: async () => {
      const mongo = await startMongo();
      return { told: mongo.url, stop: () => mongo.stop() };
    },
    cluster: async () => startCluster(process.env.MONGO_URL || `${(await this.get("mongo")).told}/rookery`),
  };

  private constructor(private readonly server: Server) {}

  /** The variables that name servers from outside, which then are used. */
  static readonly variables: Readonly<Record<string, string>> = { nats: "NATS_URL", mongo: "MONGO_URL" };

  static async listen(): Promise<RunServers> {
    const server = createServer();
    const run = new RunServers(server);
    server.on("request", (request, response) => {
      run.get(request.url?.slice(1) ?? "").then(
        ({ told }) => response.end(told),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
    // A cluster takes longer to start than Node lets a request wait.
    server.requestTimeout = 0;
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    process.env.ROOKERY_RUN_SERVERS = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return run;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    // The cluster stands on the others.
    for (const name of ["cluster", "nats", "mongo"]) await (await this.started.get(name)?.catch(() => null))?.stop();
  }

  private get(name: string): Promise<Started> {
    const start = this.starters[name];
    if (!start) return Promise.reject(new Error(`no server named ${name}`));
    let started = this.started.get(name);
    if (!started) this.started.set(name, (started = start()));
    return started;
  }
}

/** The cluster that the acceptance suite shares. `ROOKERY_CLUSTER_LOG` names a file for what its processes write. */
async function startCluster(mongoUrl: string): Promise<Started> {
  const dataDir = mkdtempSync(join(tmpdir(), "rookery-cluster-"));
  const log = process.env.ROOKERY_CLUSTER_LOG ? createWriteStream(process.env.ROOKERY_CLUSTER_LOG) : null;
  const cluster = new Cluster({
    dataDir,
    env: testSettings(),
    natsUrl: process.env.NATS_URL,
    mongoUrl,
    onLine: (name, line) => log?.write(`${name.padEnd(13)} ${line}\n`),
  });
  await cluster.start();
  const { url, gatewayUrls, adminPassword, natsUrl: transporter } = cluster;
  const metricsUrls = cluster.nodes.map(node => `${node.metricsUrl}/metrics`);
  return {
    told: JSON.stringify({ url, gatewayUrls, adminPassword, metricsUrls, transporter }),
    async stop() {
      await cluster.stop();
      log?.end();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
