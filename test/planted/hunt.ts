import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../../config/root";
import { power } from "../chaos/faults.power";
import { killing } from "../chaos/faults.processes";
import type { Fault, Ground } from "../chaos/ground";
import { startClusterGround } from "../chaos/ground.cluster";
import { startEmbeddedGround } from "../chaos/ground.embedded";
import { run, type RunResult } from "../chaos/run";
import type { Rates } from "../chaos/workload";
import { check } from "../judge/check";
import { readHistory } from "../judge/read";
import type { Rule, Verdict } from "../judge/verdict";
import type { Bug } from "./bug";
import { restoring } from "./restore";

/** What a run with a planted bug, or without one, has come to. */
export interface Trial {
  /** null: the product as it is. */
  bug: Bug | null;
  shape: Ground["shape"];
  /** Broken rules that the bug is known to break; with one of them it is convicted. */
  convictedBy: readonly Rule[];
  result: RunResult;
}

export interface HuntOptions {
  shape: Ground["shape"];
  seed: number;
  /** Milliseconds of traffic at most: a hunt ends once the bug is convicted. */
  ms: number;
  /** Folder where histories are kept; default: nowhere. */
  keep?: string;
}

/** Few clients that do much of everything: a bug must show in seconds. */
const CLIENTS = 10;
const ROOMS = 4;
const RATE = 60;
const RATES: Partial<Rates> = {
  lie: 0,
  again: 6,
  burst: 0.5,
  edit: 5,
  remove: 4,
  history: 8,
  page: 4,
  away: 2,
  member: 1,
  revoke: 0.5,
};
/** Milliseconds from one trouble to the next, of one that makes others die for a moment, and between two looks at the history. */
const BETWEEN = [100, 500] as const;
const DEATH = [100, 300] as const;
const LOOK = 1_500;
/** Milliseconds to come to rest, which some bugs prevent: as long as presence may take. */
const PATIENCE = 12_000;

const ENTRY = ["--disable-proto=delete", "--import", "tsx", join(projectRoot, "test", "planted", "node.ts")];

/** Runs the product with the bug in it, on a ground of its own, and lets the judge look at what clients saw. */
export async function hunt(bug: Bug | null, { shape, seed, ms, keep }: HuntOptions): Promise<Trial> {
  const folder = keep ?? mkdtempSync(join(tmpdir(), "rookery-planted-"));
  const file = join(folder, `${shape}-${bug?.name ?? "control"}.jsonl`);
  const faults = faultsOf(bug, shape);
  const ground = await startGround(bug, shape, faults);
  const convicted = new AbortController();
  let looking = bug && setTimeout(() => void look(), LOOK);
  try {
    const result = await run(ground, {
      ...{ seed, ms, faults, file, clients: CLIENTS, rooms: ROOMS, rate: RATE, rates: RATES, between: BETWEEN },
      signal: convicted.signal,
      get patience() {
        return convicted.signal.aborted ? 0 : PATIENCE;
      },
    });
    return { bug, shape, convictedBy: guilt(bug, result.verdict), result };
  } finally {
    if (looking) clearTimeout(looking);
    looking = null;
    await ground.stop();
    if (keep === undefined) rmSync(folder, { recursive: true, force: true });
  }

  /** What breaks a rule in the lines so far breaks it in all of them. */
  async function look(): Promise<void> {
    const began = performance.now();
    const lines = await readHistory(file).catch(() => []);
    if (guilt(bug, check(lines)).length > 0) convicted.abort();
    // Clients stand still while it judges, and a history grows: it may not take more than a small part of the time.
    if (looking) looking = setTimeout(() => void look(), Math.max(LOOK, 10 * (performance.now() - began)));
  }
}

const guilt = (bug: Bug | null, { broken }: Verdict): readonly Rule[] =>
  (bug?.rules ?? []).filter(rule => broken[rule]);

/** Those without which the bug does not show; the product as it is must stand all that it can be dealt at once. */
function faultsOf(bug: Bug | null, shape: Ground["shape"]): readonly Fault[] {
  const all: readonly Fault[] = [
    killing({ roles: ["server", "services"], lasts: DEATH }),
    restoring(bug?.name ?? ""),
    power,
  ];
  const names = bug?.faults ?? ["kill", "restore"];
  return all.filter(({ name, shapes }) => names.includes(name) && shapes.includes(shape));
}

function startGround(bug: Bug | null, shape: Ground["shape"], faults: readonly Fault[]): Promise<Ground> {
  const options = { entry: ENTRY, env: { PLANTED_BUG: bug?.name ?? "" } };
  return shape === "cluster"
    ? startClusterGround(options)
    : startEmbeddedGround({ ...options, recorded: faults.includes(power) });
}
