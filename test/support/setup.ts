import build from "./build";
import { RunServers } from "./run-servers";

declare global {
  var runServers: RunServers | undefined;
}

/** Jest's global setup: the product is built, and servers of this run are there for whoever asks. */
export default async function setup(run: Parameters<typeof build>[0]): Promise<void> {
  build(run);
  globalThis.runServers = await RunServers.listen();
}
