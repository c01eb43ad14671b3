import { parseArgs } from "node:util";
import { whole } from "../support/options";

export const USAGE = `npm run fuzz -- [--engine uws|ws|both] [--frames N] [--seed N] [--rate-limit off|count|on] [--keep FOLDER]
  --engine      of the sockets; default uws
  --frames      that are sent to each engine; default 1000000
  --seed        of all mutations; default 1
  --rate-limit  RATE_LIMIT of the server; default off
  --keep        where the last frames and the server's output go when something is wrong; default .cache/fuzz`;

const ENGINES = { uws: ["uws"], ws: ["ws"], both: ["uws", "ws"] } as const;
const RATES = ["off", "count", "on"];

export interface FuzzOptions {
  engines: readonly ("uws" | "ws")[];
  frames: number;
  seed: number;
  rateLimit: string;
  keep: string | null;
}

/** What a command line asks for; "help" if that. Throws in one line if it is not understood. */
export function readOptions(args: readonly string[]): FuzzOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      engine: { type: "string", default: "uws" },
      frames: { type: "string", default: "1000000" },
      seed: { type: "string", default: "1" },
      "rate-limit": { type: "string", default: "off" },
      keep: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return "help";
  const { engine, "rate-limit": rateLimit } = values;
  if (!Object.hasOwn(ENGINES, engine)) throw new Error(`--engine is uws, ws or both, not "${engine}"`);
  if (!RATES.includes(rateLimit)) throw new Error(`--rate-limit is off, count or on, not "${rateLimit}"`);
  return {
    engines: ENGINES[engine as keyof typeof ENGINES],
    frames: whole("frames", values.frames, 1),
    seed: whole("seed", values.seed, 0),
    rateLimit,
    keep: values.keep ?? null,
  };
}
