import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { projectRoot } from "../../config/root";
import { onStopSignal } from "../../config/signals";
import { FAULTS } from "./faults";
import { power } from "./faults.power";
import { disk } from "./faults.disk";
import type { Ground } from "./ground";
import { startClusterGround } from "./ground.cluster";
import { startEmbeddedGround } from "./ground.embedded";
import { readOptions, USAGE, type ChaosOptions } from "./options";

import { score } from "../planted/score";
import { run, type Progress, type RunResult } from "./run";
import { smallDisk } from "./small-disk";

/** Seconds between two lines of progress. */
const PACE = 10;
/** Tokens live this long (seconds), so that every client renews its own several times in a run. */
const TOKEN = 120;
/** Violations that are printed, lines of evidence of each, and characters of a line; all of it is in the verdict's file. */
const SHOWN = 20;
const SLICE = 6;
const WIDTH = 400;
/** MiB of the disk that is filled: more than any run writes. */
const DISK = 1_000;
const EXIT = { clean: 0, guilty: 1, invalid: 2 };

/** What `npm run chaos` runs. */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), FAULTS);
  if (options === "help") return print(USAGE);
  if (options.planted !== null) return score(options.planted, options);
  const { shape, seed, ms, clients, rate, faults } = options;
  const folder = resolve(options.keep ?? join(projectRoot, ".cache", "chaos", `${seed}-${shape}-${timestamp()}`));
  mkdirSync(folder, { recursive: true });
  const stopped = new AbortController();
  onStopSignal(() => {
    print("ending in order; once more ends at once");
    stopped.abort();
  });

  print(
    `${shape}, seed ${seed}, ${ms / 60_000} minutes, faults: ${faults.map(({ name }) => name).join(", ") || "none"}`,
  );
  // Only a small disk of its own may be filled.
  const small = shape === "embedded" && faults.includes(disk) ? smallDisk(DISK) : null;
  const ground = await groundOf(options, small?.path);
  let result: RunResult;
  try {
    const file = join(folder, "history.jsonl");
    result = await run(ground, {
      seed,
      ms,
      faults,
      clients,
      rate,
      file,
      signal: stopped.signal,
      onProgress: printer(),
    });
  } finally {
    await ground.stop();
    small?.release();
  }
  report(result);
  const isClean = result.verdict.valid && result.invalid === null;
  if (isClean && options.keep === null) rmSync(folder, { recursive: true, force: true });
  else {
    writeFileSync(join(folder, "processes.log"), ground.output);
    writeFileSync(join(folder, "verdict.json"), `${JSON.stringify(result.verdict, null, 2)}\n`);
    print(`kept: ${folder}`);
  }
  if (!result.verdict.valid) return EXIT.guilty;
  return result.invalid === null ? EXIT.clean : EXIT.invalid;
}

function groundOf({ shape, faults }: ChaosOptions, disk: string | undefined): Promise<Ground> {
  const env = { ACCESS_TOKEN_TTL: String(TOKEN) };
  return shape === "embedded"
    ? startEmbeddedGround({ env, ...(disk && { dataDir: join(disk, "data") }), recorded: faults.includes(power) })
    : startClusterGround({ env });
}

function printer(): (progress: Progress) => void {
  let next = PACE;
  return ({ ms, acked, unknown, failed, delivered, resumed, reset, faults }) => {
    if (ms < next * 1_000) return;
    next += PACE;
    const at = String(Math.floor(ms / 1_000)).padStart(5);
    print(
      `${at} s  acked ${acked}  unknown ${unknown}  failed ${failed}  delivered ${delivered}  resumed ${resumed}  reset ${reset}  faults ${faults}`,
    );
  };
}

function report({ verdict, invalid, faults, restless, metrics }: RunResult): void {
  const { counts, recovery, violations } = verdict;
  const { acked, failed, unknown, settled, delivered, resumed, rooms, clients } = counts;
  print("");
  print(`sends      ${acked} acked, ${failed} failed, ${unknown} unknown, of which repeats settled ${settled}`);
  print(`delivered  ${delivered} entries in ${rooms} rooms to ${clients} clients`);
  print(`resumed    ${resumed.live} live, ${resumed.replayed} replayed, ${resumed.reset} reset`);
  print(`recovery   ${seconds(recovery.p99)} s for 99 of 100 rooms, ${seconds(recovery.max)} s at most`);
  print(`faults     ${faults.map(({ name, target }) => `${name} of ${target}`).join(", ") || "none"}`);
  for (const [series, value] of Object.entries(metrics)) print(`counted    ${series} ${value}`);
  for (const what of restless) print(`not at rest: ${what}`);
  for (const { rule, what, room, evidence } of violations.slice(0, SHOWN)) {
    print(`${rule}: ${what}${room === null ? "" : ` (room ${room})`}`);
    for (const line of evidence.slice(0, SLICE)) print(`    ${JSON.stringify(line).slice(0, WIDTH)}`);
  }
  const broken = Object.entries(verdict.broken).map(([rule, count]) => `${rule} ${count} times`);
  print(broken.length > 0 ? `\nguilty: ${broken.join(", ")}` : "\nno violation");
  if (invalid !== null) print(`the run proves nothing: ${invalid}`);
}

const seconds = (ms: number): string => (ms / 1_000).toFixed(1);

const timestamp = (): string => new Date().toISOString().replace(/\D/g, "").slice(0, 14);

function print(text: string): 0 {
  console.log(text);
  return 0;
}

main().then(
  code => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(EXIT.invalid);
  },
);
