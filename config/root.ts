import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const here = dirname(__dirname);

/** The project's folder, from source and from `dist/` alike: where pages and package.json stand. */
export const projectRoot = basename(here) === "dist" ? dirname(here) : here;

/** Where the schema of a service stands, from source and from `dist/` alike. */
export function serviceFile(name: string): string {
  const base = join(here, "services", name, `${name}.service`);
  return existsSync(`${base}.js`) ? `${base}.js` : `${base}.ts`;
}

const manifest = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as { version: string };

export const version = manifest.version;
