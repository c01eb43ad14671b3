import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { keepAnew } from "../../mixins/mongo/once";
import { within } from "../../services/core/deadline";
import { newId } from "../../services/core/ids";
import type { Config } from "../config";
import { Platform } from "../platform";
import { Mistake } from "./mistake";

/** Milliseconds in which MongoDB must be found. */
const PATIENCE = 10_000;

interface Restored {
  restored(platform: Platform): Promise<string>;
}

/**
 * Makes a store of what was put back from a backup: each service that has a `restored.ts` does its part on its own data.
 * Nobody else may be using the store. May be repeated. Resolves to what they tell.
 */
export async function renewStore(config: Config): Promise<string[]> {
  const platform = new Platform(config);
  try {
    if (config.cluster) await renewCluster(platform);
    const told: string[] = [];
    for (const { restored } of servicesConcerned()) told.push(await restored(platform));
    return told;
  } finally {
    await platform.close();
  }
}

/** A copy is another store: nodes that still use the old one must not take it for theirs. */
async function renewCluster(platform: Platform): Promise<void> {
  const connection = await platform.mongo();
  const late = (): Error => new Mistake("MongoDB does not answer at MONGO_URL");
  await within(PATIENCE, connection.whenFound(), late);
  await keepAnew(connection, "store", "id", newId());
}

/** Compiled or from source, as this file is. */
function servicesConcerned(): Restored[] {
  const services = join(__dirname, "..", "..", "services");
  return readdirSync(services)
    .map(name => join(services, name, `restored${extname(__filename)}`))
    .filter(file => existsSync(file))
    .map(file => createRequire(__filename)(file) as Restored);
}
