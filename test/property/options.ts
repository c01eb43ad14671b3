import { parseArgs } from "node:util";
import type { Ground } from "../chaos/ground";
import { whole } from "../support/options";

export const USAGE = `npm run property -- [--histories N] [--seed N] [--shape embedded|cluster] [--steps N] [--phases N] [--patience MS] [--planted NAME] [--shrink]
  --histories  random histories, 40 at a time on one product; default 1000
  --seed       of the first, the next one has the next; default 1. The same seed has the same steps; how those that
               happen at the same time overtake each other is not repeated
  --shape      one process on its own store, or many over NATS and MongoDB; default embedded
  --steps      of a phase, at most; default 16
  --phases     of a history, with a stop or a kill -9 between two; default 3
  --patience   milliseconds in which everybody must know what is so; default 20000
  --planted    a defect that the product is to have, by its name in test/property/planted
  --shrink     a history that fails is tried again with fewer and fewer steps`;

export interface PropertyOptions {
  shape: Ground["shape"];
  histories: number;
  seed: number;
  steps: number;
  phases: number;
  patience: number;
  planted: string | null;
  shrink: boolean;
}

/** What a command line asks for; "help" if that. Throws in one line if it is not understood. */
export function readOptions(args: readonly string[]): PropertyOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      histories: { type: "string", default: "1000" },
      seed: { type: "string", default: "1" },
      shape: { type: "string", default: "embedded" },
      steps: { type: "string", default: "16" },
      phases: { type: "string", default: "3" },
      patience: { type: "string", default: "20000" },
      planted: { type: "string" },
      shrink: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return "help";
  const { shape } = values;
  if (shape !== "embedded" && shape !== "cluster") throw new Error(`--shape is embedded or cluster, not "${shape}"`);
  return {
    shape,
    histories: whole("histories", values.histories, 1),
    seed: whole("seed", values.seed, 0),
    steps: whole("steps", values.steps, 2),
    phases: whole("phases", values.phases, 1),
    patience: whole("patience", values.patience, 0),
    planted: values.planted ?? null,
    shrink: values.shrink,
  };
}
