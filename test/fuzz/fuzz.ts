import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { projectRoot } from "../../config/root";
import { onStopSignal } from "../../config/signals";
import type { Recent } from "./effort";
import { readOptions, USAGE, type FuzzOptions } from "./options";
import { print } from "./report";
import { run } from "./run";
import { mebibytes } from "./watch";

/** Seconds between two lines of progress. */
const PACE = 10;
/** Faults whose frames are kept. */
const KEPT = 5;
const EXIT = { clean: 0, guilty: 1 };

/** What `npm run fuzz` runs. */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === "help") {
    console.log(USAGE);
    return EXIT.clean;
  }
  const stopped = new AbortController();
  onStopSignal(() => stopped.abort());
  let code = EXIT.clean;
  for (const engine of options.engines)
    if (!stopped.signal.aborted && !(await isClean(engine, options, stopped.signal))) code = EXIT.guilty;
  return code;
}

async function isClean(engine: "uws" | "ws", options: FuzzOptions, signal: AbortSignal): Promise<boolean> {
  const { frames, seed, rateLimit, keep } = options;
  const title = `engine ${engine}, seed ${seed}, RATE_LIMIT ${rateLimit}`;
  const folder = resolve(keep ?? join(projectRoot, ".cache", "fuzz"), `${engine}-${seed}`);
  let kept = 0;
  let next = PACE;
  console.error(title);
  const result = await run({
    ...{ engine, frames, seed, rateLimit, signal },
    onProgress({ frames: sent, rss, descriptors }, ms) {
      if (ms < next * 1_000) return;
      next += PACE;
      console.error(
        `${(ms / 1_000).toFixed(0).padStart(5)} s  frames ${sent}  ${mebibytes(rss)}  descriptors ${descriptors}`,
      );
    },
    onFault(fault, recent) {
      console.error(`wrong: ${fault}`);
      if (++kept <= KEPT) write(join(folder, `fault-${kept}.jsonl`), linesOf(fault, recent));
    },
  });
  print(title, result);
  if (result.faults.length === 0) {
    console.log(signal.aborted ? "it was ended early, which proves nothing" : "nothing is wrong");
    return !signal.aborted;
  }
  for (const fault of result.faults) console.log(`wrong: ${fault}`);
  write(join(folder, "server.log"), result.output);
  console.log(`kept: ${folder}`);
  return false;
}

const linesOf = (fault: string, recent: readonly Recent[]): string =>
  [JSON.stringify({ fault, at: new Date().toISOString() }), ...recent.flatMap(one => one.lines())].join("\n");

function write(file: string, text: string): void {
  mkdirSync(resolve(file, ".."), { recursive: true });
  writeFileSync(file, `${text}\n`);
}

main().then(
  code => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(EXIT.guilty);
  },
);
