import { projectRoot } from "../../config/root";
import { Child } from "../../deploy/local/servers/child";
import { freePort } from "../../deploy/local/servers/ports";
import { onEnd } from "../support/undo";
import { PRODUCT, productSettings, TEXT_BYTES } from "./product";
import type { Subject } from "./subject";

export interface Embedded extends Subject {
  readonly port: number;
  readonly pid: number;
  readonly metricsUrls: readonly string[];
}

export interface EmbeddedOptions {
  dataDir: string;
  ground?: string;
  /** Of node, before the product's own. */
  nodeArguments?: readonly string[];
  env?: Record<string, string>;
}

/** Milliseconds a start may take: a large store is looked through. */
const PATIENCE = 60_000;
/** Milliseconds a stop may take: profiles of a long run are large. */
const STOP = 30_000;

/** The product as `npm start` runs it, on a store of its own. */
export async function startEmbedded({ dataDir, ground, nodeArguments = [], env }: EmbeddedOptions): Promise<Embedded> {
  const [port, wsPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const server = Child.start("rookery", process.execPath, [...nodeArguments, ...PRODUCT], {
    cwd: projectRoot,
    env: {
      ...productSettings(),
      ...{ PORT: String(port), WS_PORT: String(wsPort), METRICS_PORT: String(metricsPort), DATA_DIR: dataDir },
      ...env,
    },
  });
  const stop = async (): Promise<void> => void (await server.stop("SIGTERM", STOP));
  onEnd(stop);
  await server.answers(async () => {
    const health = await fetch(`http://127.0.0.1:${port}/api/health`, { signal: AbortSignal.timeout(2_000) });
    if (!health.ok) throw new Error(`health ${health.status}`);
  }, PATIENCE);
  return {
    name: "Rookery, embedded",
    protocol: "rookery",
    ...{ port, ground, stop },
    pid: server.pid,
    ports: [port],
    metricsUrls: [`http://127.0.0.1:${metricsPort}/metrics`],
    textBytes: TEXT_BYTES,
    idleRooms: 5,
    watched: () => [{ role: "server", pid: server.pid }],
  };
}
