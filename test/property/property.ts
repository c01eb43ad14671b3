import { onStopSignal } from "../../config/signals";
import type { Ground } from "../chaos/ground";
import { startClusterGround } from "../chaos/ground.cluster";
import { startEmbeddedGround } from "../chaos/ground.embedded";
import { readOptions, USAGE, type PropertyOptions } from "./options";
import { textOf } from "./plan";
import { entryOf } from "./planted/entry";
import { Run, type Result } from "./run";
import { shrunk } from "./shrink";

/** Failed histories that are printed in full, and lines of what differs of each. */
const SHOWN = 5;
const LINES = 12;
/** Histories between two lines of progress. */
const PACE = 100;
/** Seconds a token lives: longer than any run. */
const TOKEN = 86_400;
const EXIT = { clean: 0, guilty: 1, invalid: 2 };

/** What `npm run property` runs. */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === "help") {
    console.log(USAGE);
    return EXIT.clean;
  }
  const stopped = new AbortController();
  onStopSignal(() => stopped.abort());
  const began = performance.now();
  const ground = await groundOf(options);
  const counts = new Counts();
  try {
    const told = (result: Result): void => {
      counts.take(result);
      if (result.differences.length > 0 && counts.failed <= SHOWN) show(result);
      if (counts.done % PACE === 0) console.log(`${seconds(began)} s  ${counts.line}`);
    };
    const run = await Run.on(ground, { ...options, told, signal: stopped.signal });
    const results = await run.histories(options.seed, options.histories);
    const first = results.find(({ differences }) => differences.length > 0);
    if (options.shrink && first) {
      const least = await shrunk(first, plan => run.group([plan]));
      console.log("\nthe least of it that was found:");
      show(least);
    }
  } catch (error) {
    const lines = ground.output.split("\n").filter(line => !line.includes(" INFO "));
    console.error(lines.slice(-30).join("\n"));
    throw error;
  } finally {
    await ground.stop();
  }
  console.log(`${options.shape}, seeds from ${options.seed}, ${seconds(began)} s: ${counts.line}`);
  return counts.failed === 0 ? EXIT.clean : EXIT.guilty;
}

class Counts {
  done = 0;
  failed = 0;
  private steps = 0;
  private devices = 0;
  private readonly seeds: number[] = [];

  take({ plan, differences }: Result): void {
    this.done += 1;
    this.steps += plan.phases.flat().length;
    this.devices += plan.devices.length;
    if (differences.length === 0) return;
    this.failed += 1;
    this.seeds.push(plan.seed);
  }

  get line(): string {
    const failed = this.failed === 0 ? "none differs" : `${this.failed} differ, seeds ${this.seeds.join(", ")}`;
    return `${this.done} histories, ${this.devices} devices, ${this.steps} steps; ${failed}`;
  }
}

function show({ plan, differences }: Result): void {
  const more = differences.length - LINES;
  console.log(
    [
      "",
      textOf(plan),
      "differs:",
      ...differences.slice(0, LINES).map(text => `  ${text}`),
      ...(more > 0 ? [`  and ${more} more`] : []),
      "",
    ].join("\n"),
  );
}

function groundOf({ shape, planted }: PropertyOptions): Promise<Ground> {
  const options = { ...entryOf(planted), env: { ...entryOf(planted).env, ACCESS_TOKEN_TTL: String(TOKEN) } };
  return shape === "embedded" ? startEmbeddedGround(options) : startClusterGround(options);
}

const seconds = (began: number): string => ((performance.now() - began) / 1_000).toFixed(0);

main().then(
  code => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? (error.stack ?? error.message) : error);
    process.exit(EXIT.invalid);
  },
);
