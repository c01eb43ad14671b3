import { spawnSync } from "node:child_process";
import { projectRoot } from "../../config/root";
import { onStopSignal } from "../../config/signals";
import { Cluster } from "./local-cluster";
import { readOptions, USAGE } from "./options";

const COLOURS = [36, 32, 33, 35, 34, 96, 92, 93, 95, 94];

/** What `npm run cluster` runs. */
async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === "help") return console.log(USAGE);
  const built = spawnSync("npm", ["run", "-s", "build"], { cwd: projectRoot, stdio: "inherit" });
  if (built.status !== 0) throw new Error("the build failed");

  const cluster = new Cluster({ ...options, onLine: printer() });
  // In order; whoever signals twice ends all at once: the kernel takes the children along.
  onStopSignal(() => void cluster.stop().then(() => process.exit(0)));
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

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
