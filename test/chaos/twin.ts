import { join } from "node:path";
import { ServiceBroker } from "moleculer";
import { loadConfig } from "../../config/config";
import { nodeOptions } from "../../config/node";
import { projectRoot } from "../../config/root";

/** A node as `npm start` makes it, but under the id of another: `node --import tsx test/chaos/twin.ts ID`. */
async function main(nodeID: string | undefined): Promise<void> {
  if (!nodeID) throw new Error("give the id of a node");
  const config = loadConfig(process.env);
  const broker = new ServiceBroker({ ...nodeOptions(config), nodeID, skipProcessEventRegistration: true });
  for (const name of config.services) broker.loadService(join(projectRoot, "services", name, `${name}.service.ts`));
  await broker.start();
  console.log(`ready ${nodeID}`);
}

main(process.argv[2]).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
