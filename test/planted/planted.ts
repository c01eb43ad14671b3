import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Bug } from "./bug";
import { BUGS } from "./bugs";
import { hunt, keepTable, tableOf, type Trial } from "./hunt";

const USAGE = `node --import tsx test/planted/planted.ts [--shape embedded|cluster] [--seconds N] [--seed N] [--keep FOLDER] [NAME ...]
  plants one bug after the other, or those named, and tells which rule of the judge caught it; "control" is none`;

/** Plants bugs one after the other: the score of the judge. Ends with 1 if one of them was not caught, or the control was. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      shape: { type: "string", default: "embedded" },
      seconds: { type: "string", default: "6" },
      seed: { type: "string", default: "1" },
      keep: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { shape } = values;
  if (values.help || (shape !== "embedded" && shape !== "cluster")) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const keep = values.keep === undefined ? undefined : resolve(values.keep);
  if (keep !== undefined) mkdirSync(keep, { recursive: true });
  const trials: Trial[] = [];
  for (const bug of chosen(positionals, shape)) {
    const began = performance.now();
    const trial = await hunt(bug, { shape, seed: Number(values.seed), ms: Number(values.seconds) * 1_000, keep });
    trials.push(trial);
    const { verdict, invalid, restless } = trial.result;
    const seconds = Math.round((performance.now() - began) / 1_000);
    console.log(
      `${bug?.name ?? "control"}: ${trial.convictedBy.join(", ") || "-"}; broken ${JSON.stringify(trial.broken)}; ` +
        `acked ${verdict.counts.acked}, delivered ${verdict.counts.delivered}, ${seconds} s` +
        (invalid === null ? "" : `; INVALID: ${invalid}`) +
        (restless.length > 0 ? `; ${restless.length} restless` : ""),
    );
    if (process.env.VERBOSE || (!bug && !verdict.valid))
      for (const { rule, what, evidence } of verdict.violations.slice(0, 8)) {
        console.log(`  ${rule}: ${what}`);
        for (const line of evidence.slice(0, 4)) console.log(`    ${JSON.stringify(line).slice(0, 300)}`);
      }
  }
  keepTable(trials);
  console.log(tableOf(trials));
  return trials.every(({ bug, convictedBy, result }) => (bug ? convictedBy.length > 0 : result.verdict.valid)) ? 0 : 1;
}

/** Those named, or the control and all that the shape can have. */
function chosen(names: readonly string[], shape: Bug["shapes"][number]): (Bug | null)[] {
  const possible = BUGS.filter(({ shapes }) => shapes.includes(shape));
  if (names.length === 0) return [null, ...possible];
  return names.map(name => {
    if (name === "control") return null;
    const bug = possible.find(one => one.name === name);
    if (!bug) throw new Error(`${shape} has no bug ${name}; it has ${possible.map(one => one.name).join(", ")}`);
    return bug;
  });
}

main().then(
  code => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(2);
  },
);
