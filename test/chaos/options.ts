import { parseArgs } from "node:util";
import { number, whole } from "../support/options";
import type { Fault, Ground } from "./ground";

export const USAGE = `npm run chaos -- [--shape embedded|cluster] [--minutes N] [--seed N] [--faults NAME,...] [--clients N] [--rate N] [--keep FOLDER] [--json] [--planted all|NAME,...]
  --shape    one process on its own store, or many over NATS and MongoDB; default embedded
  --minutes  of traffic and faults; default 10
  --seed     of everything that is left to chance; default 1
  --faults   one after the other by chance; default all that the shape can have
  --clients  default 100
  --rate     sends a second over all clients; default 50
  --keep     where the history and what the processes wrote are kept, also of a clean run; a run that is not clean
             is kept in .cache/chaos otherwise
  --json     the verdict on stdout is JSON, for programs
  --planted  instead: short runs with one planted bug each, and which rule of the judge caught it; "control" is none`;

export interface ChaosOptions {
  shape: Ground["shape"];
  ms: number;
  seed: number;
  faults: readonly Fault[];
  clients: number;
  rate: number;
  keep: string | null;
  json: boolean;
  /** Bugs to be planted, by name; empty: all. null: it is a run with faults. */
  planted: readonly string[] | null;
}

/** What a command line asks for; "help" if that. Throws in one line if it is not understood. */
export function readOptions(args: readonly string[], known: readonly Fault[]): ChaosOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      shape: { type: "string", default: "embedded" },
      minutes: { type: "string", default: "10" },
      seed: { type: "string", default: "1" },
      faults: { type: "string" },
      clients: { type: "string", default: "100" },
      rate: { type: "string", default: "50" },
      keep: { type: "string" },
      json: { type: "boolean", default: false },
      planted: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return "help";
  const { shape } = values;
  if (shape !== "embedded" && shape !== "cluster") throw new Error(`--shape is embedded or cluster, not "${shape}"`);
  return {
    shape,
    ms: number("minutes", values.minutes, 0) * 60_000,
    seed: whole("seed", values.seed, 0),
    faults: faultsOf(values.faults, shape, known),
    clients: whole("clients", values.clients, 2),
    rate: number("rate", values.rate, 1),
    keep: values.keep ?? null,
    json: values.json,
    planted: values.planted?.split(",").filter(name => name !== "all" && name !== "") ?? null,
  };
}

function faultsOf(names: string | undefined, shape: Ground["shape"], known: readonly Fault[]): readonly Fault[] {
  const possible = known.filter(({ shapes }) => shapes.includes(shape));
  if (names === undefined) return possible;
  return names
    .split(",")
    .filter(Boolean)
    .map(name => {
      const fault = possible.find(one => one.name === name);
      if (fault) return fault;
      const choice = possible.map(one => one.name).join(", ");
      throw new Error(`--faults: ${shape} has no "${name}"; it has ${choice}`);
    });
}
