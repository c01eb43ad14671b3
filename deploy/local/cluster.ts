import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { projectRoot } from "../../config/root";
import { Cluster } from "./local-cluster";

/** Of the cluster itself, or different in every process. */
const NOT_PASSED_ON = [
  "PORT",
  "WS_PORT",
  "METRICS_PORT",
  "SERVICES",
  "DATA_DIR",
  "TRANSPORTER",
  "NATS_URL",
  "MONGO_URL",
];
const COLOURS = [36, 32, 33, 35, 34, 96, 92, 93, 95, 94];
const USAGE = `npm run cluster -- [--each] [--no-restart]
  --each        every service is a process of its own
  --no-restart  a process that died stays away
Settings come from the environment: PORT is the origin's; NATS_URL and MONGO_URL name servers that run already;
the data are kept in DATA_DIR/cluster; every other setting goes to all processes.`;

/** What `npm run cluster` runs. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      each: { type: "boolean", default: false },
      "no-restart": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  const built = spawnSync("npm", ["run", "-s", "build"], { cwd: projectRoot, stdio: "inherit" });
  if (built.status !== 0) throw new Error("the build failed");

  const { env } = process;
  const cluster = new Cluster({
    dataDir: resolve(env.DATA_DIR ?? join(projectRoot, "data"), "cluster"),
    port: Number(env.PORT ?? 3000),
    each: values.each,
    restart: !values["no-restart"],
    env: Object.fromEntries(
      Object.entries(env).filter((pair): pair is [string, string] => !NOT_PASSED_ON.includes(pair[0]) && !!pair[1]),
    ),
    natsUrl: env.NATS_URL ?? env.TRANSPORTER,
    mongoUrl: env.MONGO_URL,
    onLine: printer(),
  });
  stopOnSignals(cluster);
  await cluster.start();
  console.log(
    [
      "",
      `ready ${cluster.url}`,
      ...cluster.gatewayUrls.map(url => `  gateway         ${url}`),
      `  NATS            ${cluster.natsUrl}`,
      `  MongoDB         ${cluster.mongoUrl}`,
      ...cluster.nodes.map(node => `  ${node.name.padEnd(15)} pid ${node.pid}, metrics ${node.metricsUrl}/metrics`),
      `admin password: ${cluster.adminPassword}`,
      "",
    ].join("\n"),
  );
}

/** Lines with the name of their process, in a colour of its own on a terminal. */
function printer(): (name: string, line: string) => void {
  const colours = new Map<string, number>();
  return (name, line) => {
    if (!colours.has(name)) colours.set(name, COLOURS[colours.size % COLOURS.length] as number);
    const label = name.padEnd(13);
    console.log(process.stdout.isTTY ? `\x1b[${colours.get(name)}m${label}\x1b[0m ${line}` : `${label} ${line}`);
  };
}

/** First signal: everything stops in order. Second: at once; the kernel takes the children along. */
function stopOnSignals(cluster: Cluster): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    void cluster.stop().then(() => process.exit(0));
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
