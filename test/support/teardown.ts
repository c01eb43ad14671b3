import { installed } from "../../deploy/local/servers";
import { RunServers } from "./run-servers";

/** Jest's global teardown. The last line says what was left out. */
export default async function teardown(): Promise<void> {
  await globalThis.runServers?.close();
  const missing = Object.entries(installed)
    .filter(([name, isThere]) => !isThere && !process.env[RunServers.variables[name] ?? ""])
    .map(([name]) => name);
  if (missing.length > 0)
    console.log(`Left out: tests that need ${missing.join(", ")}, not installed here; npm run servers installs them.`);
}
