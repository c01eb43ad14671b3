import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const CONTRACT = resolve(__dirname, "../../services/core/contract");

/** Every action there is, by the pages of the contract. */
export const contractActions = (): string[] =>
  readdirSync(CONTRACT).flatMap(page =>
    [...readFileSync(join(CONTRACT, page), "utf8").matchAll(/^ {2}"([a-z-]+\.[A-Za-z]+)": \{/gm)].map(
      ([, name]) => name as string,
    ),
  );
