import { basename, dirname, join } from "node:path";

const here = dirname(__dirname);

/** The project's folder, from source and from `dist/` alike: where pages and package.json stand. */
export const projectRoot = basename(here) === "dist" ? dirname(here) : here;

export const version: string = (require(join(projectRoot, "package.json")) as { version: string }).version;
