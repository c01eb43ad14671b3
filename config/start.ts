import { existsSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "./process";

/** What `npm start` runs: the services that SERVICES names, in this process. */
void runProcess((broker, config) => {
  for (const name of config.services) broker.loadService(serviceFile(name));
});

function serviceFile(name: string): string {
  const base = join(__dirname, "..", "services", name, `${name}.service`);
  return existsSync(`${base}.js`) ? `${base}.js` : `${base}.ts`;
}
