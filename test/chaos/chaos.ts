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
import { jsonOf, textOf } from "../judge/report";
import { run, type Progress, type RunResult } from "./run";
import { smallDisk } from "./small-disk";

/** Seconds between two lines of progress. */
const PACE = 10;
/** Tokens live this long (seconds), so that every client renews its own several times in a run. */
const TOKEN = 120;
/** MiB of the disk that is filled: more than any run writes. */
const DISK = 256;
const EXIT = { clean: 0, guilty: 1, invalid: 2 };

/** What `npm run chaos` runs. */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), FAULTS);
  if (options === "help") {
    console.log(USAGE);
    return EXIT.clean;
  }
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
  const without = faults.filter(fault => fault.isPossible?.(ground) === false).map(({ name }) => name);
  if (without.length > 0) print(`cannot be had on this machine: ${without.join(", ")}`);
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
  const { verdict, invalid, faults: dealt, restless, metrics } = result;
  const judged = { verdict, invalid, faults: dealt, restless, metrics };
  process.stdout.write(options.json ? jsonOf(judged) : `\n${textOf(judged)}\n`);
  const isClean = result.verdict.valid && result.invalid === null;
  if (isClean && options.keep === null) rmSync(folder, { recursive: true, force: true });
  else {
    writeFileSync(join(folder, "processes.log"), ground.output);
    writeFileSync(join(folder, "verdict.json"), jsonOf(judged));
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

const timestamp = (): string => new Date().toISOString().replace(/\D/g, "").slice(0, 14);

/** What is said on the way is for people: stdout has the verdict and nothing else. */
const print = (text: string): void => console.error(text);

main().then(
  code => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(EXIT.invalid);
  },
);
