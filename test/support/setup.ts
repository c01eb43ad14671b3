import { installed } from "../../deploy/local/servers";
import build from "./build";
import { RunServers } from "./run-servers";

declare global {
  var runServers: RunServers | undefined;
}

/** Jest's global setup: the product is built, and servers of this run are there for whoever asks. */
export default async function setup(run: Parameters<typeof build>[0]): Promise<void> {
  build(run);
  const missing = (["nats", "mongo"] as const).filter(
    name => !process.env[RunServers.variable(name)] && !installed[name],
  );
  if (missing.length > 0)
    console.log(
      `\nNot installed: ${missing.join(", ")}. Tests of the cluster are left out; npm run servers installs them.`,
    );
  globalThis.runServers = await RunServers.listen();
}
