import { Cluster, type ClusterOptions } from "../../deploy/local/local-cluster";
import { afterFile } from "./cleanup";
import type { Server } from "./server";
import { mongoUrl, ofRun } from "./servers";
import { testSettings } from "./settings";
import { temporaryFolder } from "./temp";

interface Addresses {
  url: string;
  gatewayUrls: string[];
  adminPassword: string;
  metricsUrls: string[];
  transporter: string;
}

/** The cluster that all files of the run share. */
export async function sharedCluster(): Promise<Server> {
  return serverOf(JSON.parse(await ofRun("cluster")) as Addresses, {
    output: "",
    end: () => Promise.reject(new Error("Others use this cluster too.")),
  });
}

/** A cluster of this file, with settings of its own. It has a NATS of its own and, on the run's MongoDB, a database. */
export async function ownCluster(env: Record<string, string>): Promise<Server> {
  const { cluster, output } = await startCluster({ env, mongoUrl: await mongoUrl() });
  return serverOf(addressesOf(cluster), {
    get output() {
      return output.join("\n");
    },
    end: async () => {
      const ends = await cluster.stop();
      return ends.map(exit => exit?.code ?? null);
    },
  });
}

/** A cluster that ends with the tests of this file, and every line its processes write. */
export async function startCluster(
  options: Partial<ClusterOptions> = {},
): Promise<{ cluster: Cluster; output: string[] }> {
  const output: string[] = [];
  const cluster = new Cluster({
    dataDir: temporaryFolder(),
    onLine: (name, line) => output.push(`${name}: ${line}`),
    ...options,
    env: { ...testSettings(), ...options.env },
  });
  afterFile(() => cluster.stop());
  await cluster.start();
  return { cluster, output };
}

export function addressesOf(cluster: Cluster): Addresses {
  const { url, gatewayUrls, adminPassword, natsUrl: transporter } = cluster;
  const metricsUrls = cluster.nodes.map(node => `${node.metricsUrl}/metrics`);
  return { url, gatewayUrls, adminPassword, metricsUrls, transporter };
}

/** A cluster as tests of the public API see it. Sockets take the origin and each gateway's own address in turn. */
export function serverOf(
  { url, gatewayUrls, adminPassword, metricsUrls, transporter }: Addresses,
  own: Pick<Server, "output" | "end">,
): Server {
  const doors = [...gatewayUrls, `${url.replace(/^http/, "ws")}/ws`];
  let next = 0;
  return {
    url,
    adminPassword,
    metricsUrls,
    transporter,
    get wsUrl() {
      return doors[next++ % doors.length] as string;
    },
    get output() {
      return own.output;
    },
    end: () => own.end(),
    get process(): never {
      throw new Error("A cluster is many processes.");
    },
  };
}
