import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where deploy/servers/install.sh puts the servers. */
export const CACHE =
  process.env.ROOKERY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rookery");

/** PostgreSQL with DocumentDB, a tree to chroot into. */
export const DOCUMENTDB = join(CACHE, "documentdb");

/** The path of an installed program. Throws with what to do if it is not there. */
export function program(name: string): string {
  const path = join(CACHE, "bin", name);
  if (!existsSync(path)) throw new Error(`${name} is not installed: run npm run servers`);
  return path;
}

const isThere = (...names: string[]): boolean => names.every(name => existsSync(join(CACHE, name)));
const isRoot = process.getuid?.() === 0;

/** What can be started here; looked up once, because tests decide by it what they leave out. */
export const installed = {
  nats: isThere("bin/nats-server"),
  /** Its store runs in a chroot and a namespace of its own. */
  mongo: isRoot && isThere("bin/ferretdb", "documentdb/usr/share/postgresql/18/extension/documentdb.control"),
  s3: isThere("bin/versitygw"),
  toxiproxy: isThere("bin/toxiproxy"),
  nginx: (process.env.PATH ?? "")
    .split(":")
    .concat("/usr/sbin")
    .some(dir => existsSync(join(dir, "nginx"))),
} as const;
