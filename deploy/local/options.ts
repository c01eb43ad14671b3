import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { projectRoot } from "../../config/root";
import type { ClusterOptions } from "./local-cluster";

export const USAGE = `npm run cluster -- [--each] [--no-restart]
  --each        every service is a process of its own
  --no-restart  a process that died stays away
Settings come from the environment: PORT is the origin's; NATS_URL and MONGO_URL name servers that run already;
the data are kept in DATA_DIR/cluster; every other setting goes to all processes.`;

/** Of the cluster itself, or different in every process. */
const NOT_PASSED_ON = new Set([
  "HOST",
  "PORT",
  "WS_PORT",
  "METRICS_PORT",
  "SERVICES",
  "DATA_DIR",
  "TRANSPORTER",
  "NATS_URL",
  "MONGO_URL",
]);

/** What a command line and an environment ask for; "help" if that. Throws in one line if it is not understood. */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): ClusterOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      each: { type: "boolean", default: false },
      "no-restart": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return "help";
  return {
    dataDir: resolve(env.DATA_DIR || join(projectRoot, "data"), "cluster"),
    port: portOf(env.PORT || "3000"),
    each: values.each,
    restart: !values["no-restart"],
    env: Object.fromEntries(
      Object.entries(env).filter((pair): pair is [string, string] => !NOT_PASSED_ON.has(pair[0]) && !!pair[1]),
    ),
    natsUrl: env.NATS_URL || env.TRANSPORTER || undefined,
    mongoUrl: env.MONGO_URL || undefined,
  };
}

function portOf(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw new Error(`PORT must be a number from 0 (any free port) to 65535, not "${text}"`);
  return port;
}
