import { existsSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../config/root";

/** Bytes of a text with which a delivered event has about 420. */
export const TEXT_BYTES = 61;

const KEPT = ["PATH", "HOME", "TMPDIR", "ROOKERY_ENGINE"];

/** Settings of every process of the product: as in service, but that nobody is refused for being too many. */
export const productSettings = (): Record<string, string> => ({
  ...Object.fromEntries(KEPT.flatMap(name => (process.env[name] ? [[name, process.env[name]]] : []))),
  HOST: "127.0.0.1",
  RATE_LIMIT: "count",
  LOG_LEVEL: "warn",
  ROOKERY_DEMO: "false",
  // Of the seed's tokens: a long run must not end with them.
  ACCESS_TOKEN_TTL: "86400",
});

/** What node runs, as `npm start` does. */
export const PRODUCT = ["--disable-proto=delete", join(projectRoot, "dist", "config", "start.js")];

/** Throws in one line where there is nothing to measure. */
export function mustBeBuilt(): void {
  if (!existsSync(PRODUCT.at(-1) as string)) throw new Error("the product is not built: npm run build");
}
