import { Cluster } from "../../deploy/local/local-cluster";
import type { ClusterNode } from "../../deploy/local/cluster-node";
import { installed } from "../../deploy/local/servers";
import type { Watched } from "../load/order";
import { onEnd } from "../support/undo";
import { productSettings, TEXT_BYTES } from "./product";
import { DATABASE, type Subject } from "./subject";

export interface RunningCluster {
  readonly cluster: Cluster;
  /** It with its sockets at so many of its gateways; all its processes run and are counted all the same. */
  through(gateways: number, ground?: string): Subject;
}

/** Why there can be no cluster here; undefined if there can. */
export const clusterMissing: string | undefined =
  installed.nats && installed.mongo && installed.nginx ? undefined : "no servers for it: npm run servers";

/** Starts a cluster as `npm run cluster` does. */
export async function startCluster(
  dataDir: string,
  /** Arguments of node for every process of the product. */
  program?: readonly string[],
): Promise<RunningCluster> {
  const cluster = new Cluster({ dataDir, restart: false, env: productSettings(), program });
  const stop = async (): Promise<void> => void (await cluster.stop());
  onEnd(stop);
  await cluster.start();
  return {
    cluster,
    through: (gateways, ground) => ({
      name: `Rookery, cluster, ${gateways} ${gateways === 1 ? "gateway" : "gateways"}`,
      protocol: "rookery",
      // The gateways' own ports: what a proxy costs is the proxy's.
      ports: gatewayPorts(cluster).slice(0, gateways),
      textBytes: TEXT_BYTES,
      idleRooms: 5,
      // All of it shares a core with its database: fifty at a time would wait for longer than a hello may take.
      opening: 10,
      ground,
      watched: () => watchedOf(cluster),
      stop,
    }),
  };
}

const gatewayPorts = ({ gatewayUrls }: Cluster): number[] => gatewayUrls.map(url => Number(new URL(url).port));

const roleOf = ({ spec: { services } }: ClusterNode): string =>
  services.length > 1 ? "services" : (services[0] as string);

/** Everything but the proxy, which no socket of the bench passes. */
function watchedOf({ nodes, nats, mongo }: Cluster): Watched[] {
  return [
    ...nodes.map((node): Watched => ({ role: roleOf(node), pid: node.pid })),
    ...(nats ? [{ role: "nats", pid: nats.pid }] : []),
    ...(mongo ? databasePids(mongo).map((pid): Watched => ({ role: DATABASE, pid, tree: true })) : []),
  ];
}

/** The gateway of the database, and the guard over its store: below it is the rest. */
export const databasePids = ({ gateway, store }: NonNullable<Cluster["mongo"]>): number[] => [gateway.pid, store.pid];
