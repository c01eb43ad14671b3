import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../../config/root";
import { startClusterGround } from "../chaos/ground.cluster";
import { startEmbeddedGround } from "../chaos/ground.embedded";
import { killing } from "../chaos/faults.processes";
import type { Fault, Ground } from "../chaos/ground";
import { run, type RunResult } from "../chaos/run";
import type { Rates } from "../chaos/workload";
import type { Rule } from "../judge/verdict";
import type { Bug } from "./bug";

/** What a run with a planted bug, or without one, has come to. */
export interface Trial {
  /** null: the product as it is. */
  bug: Bug | null;
  /** Rules that were broken, with how often. */
  broken: Partial<Record<Rule, number>>;
  /** Broken rules that the bug is known to break; with one of them it is convicted. */
  convictedBy: readonly Rule[];
  result: RunResult;
}

export interface HuntOptions {
  shape: Ground["shape"];
  seed: number;
  /** Milliseconds of traffic. */
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
/** Short troubles, one soon after the other (milliseconds). */
const FAULTS: readonly Fault[] = [killing({ roles: ["server", "services"], lasts: [100, 300] })];
const BETWEEN = [100, 500] as const;
/** Milliseconds to come to rest, which some bugs prevent: as long as presence may take. */
const PATIENCE = 12_000;

const ENTRY = ["--disable-proto=delete", "--import", "tsx", join(projectRoot, "test", "planted", "node.ts")];

/** Runs the product with the bug in it, on a ground of its own, and lets the judge look at what clients saw. */
export async function hunt(bug: Bug | null, { shape, seed, ms, keep }: HuntOptions): Promise<Trial> {
  const env = { PLANTED_BUG: bug?.name ?? "" };
  const start = shape === "embedded" ? startEmbeddedGround : startClusterGround;
  const folder = keep ?? mkdtempSync(join(tmpdir(), "rookery-planted-"));
  const file = join(folder, `${bug?.name ?? "control"}.jsonl`);
  const faults = FAULTS.filter(({ name }) => !bug || bug.faults.includes(name));
  const ground = await start({ entry: ENTRY, env });
  try {
    const traffic = { clients: CLIENTS, rooms: ROOMS, rate: RATE, rates: RATES, between: BETWEEN, patience: PATIENCE };
    const result = await run(ground, { seed, ms, faults, file, ...traffic });
    const broken = brokenBy(result);
    return { bug, broken, convictedBy: (bug?.rules ?? []).filter(rule => broken[rule]), result };
  } finally {
    await ground.stop();
    if (keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function brokenBy({ verdict }: RunResult): Trial["broken"] {
  const broken: Trial["broken"] = {};
  for (const { rule } of verdict.violations) broken[rule] = (broken[rule] ?? 0) + 1;
  return broken;
}

/** The table of what was planted and what caught it, in Markdown. */
export function tableOf(trials: readonly Trial[]): string {
  const rows = trials.map(({ bug, broken, convictedBy, result }) => {
    const others = (Object.keys(broken) as Rule[]).filter(rule => !convictedBy.includes(rule));
    const caught = bug ? convictedBy.join(", ") || "**not caught**" : result.verdict.valid ? "clean" : "**not clean**";
    return `| ${bug?.name ?? "none (control)"} | ${bug?.what ?? ""} | ${caught} | ${others.join(", ")} |`;
  });
  return ["| planted bug | what it does | caught by | also broken |", "| --- | --- | --- | --- |", ...rows, ""].join(
    "\n",
  );
}

/** Keeps the table where people look for it. */
export function keepTable(trials: readonly Trial[]): void {
  const folder = join(projectRoot, ".cache");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "planted.md"), tableOf(trials));
}
