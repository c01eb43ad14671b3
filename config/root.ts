import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const here = dirname(__dirname);

/** The project's folder, from source and from `dist/` alike: where pages and package.json stand. */
export const projectRoot = basename(here) === "dist" ? dirname(here) : here;

const manifest = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as { version: string };

export const version = manifest.version;
