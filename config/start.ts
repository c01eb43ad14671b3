import { existsSync } from "node:fs";
import { join } from "node:path";
import { ServiceBroker } from "moleculer";
import { ConfigError, describeConfig, loadConfig, type Config } from "./config";
import { nodeOptions } from "./node";
import { platformOf } from "./platform";

/** Starts one process: reads the configuration, loads the services it names, and says when it is ready. */
async function start(): Promise<void> {
  const config = loadConfig(process.env);
  const broker = new ServiceBroker(nodeOptions(config));
  broker.logger.info("configuration", describeConfig(config));
  for (const name of config.services) broker.loadService(serviceFile(name));
  try {
    await broker.start();
  } catch (error) {
    await Promise.race([
      broker.stop().catch(() => undefined),
      new Promise(resolve => setTimeout(resolve, 2_000).unref()),
    ]);
    throw error;
  }
  console.log(`ready ${readyUrl(config)}`);
  const password = platformOf(broker).madeAdminPassword;
  if (password) console.log(`admin password: ${password}`);
}

function serviceFile(name: string): string {
  const base = join(__dirname, "..", "services", name, `${name}.service`);
  return existsSync(`${base}.js`) ? `${base}.js` : `${base}.ts`;
}

const readyUrl = ({ host, port }: Config): string => `http://${host.includes(":") ? `[${host}]` : host}:${port}`;

start().catch((error: unknown) => {
  const expected = error instanceof ConfigError || (error as { expected?: unknown }).expected === true;
  console.error(expected ? (error as Error).message : error);
  process.exit(1);
});
