import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import type { Ground } from "../chaos/ground";
import type { Bug } from "./bug";
import { BUGS } from "./bugs";
import { hunt, type Trial } from "./hunt";
import { keepTable, tableOf } from "./table";

/** Milliseconds of traffic: of a bug at most, since its run ends when it is convicted; and of the control. */
const TRAFFIC = { bug: 60_000, control: 10_000 };

export interface ScoreOptions {
  shape: Ground["shape"];
  seed: number;
  /** Folder for the histories; null: they are not kept. */
  keep: string | null;
}

/**
 * Plants bugs one after the other and tells what the judge made of each. Resolves to 1 if one of them was not caught, or the
 * control was, else 0.
 * @param names empty: the control and all
 */
export async function score(names: readonly string[], { shape, seed, keep }: ScoreOptions): Promise<number> {
  const folder = keep === null ? undefined : resolve(keep);
  if (folder !== undefined) mkdirSync(folder, { recursive: true });
  const trials: Trial[] = [];
  for (const bug of chosen(names, shape)) {
    const trial = await hunt(bug, { shape, seed, ms: bug ? TRAFFIC.bug : TRAFFIC.control, keep: folder });
    trials.push(trial);
    tell(trial);
  }
  // A table of some does not take the place of one of all.
  if (names.length === 0) keepTable(shape, trials);
  console.log(tableOf(trials));
  return trials.every(({ bug, convictedBy, result }) => (bug ? convictedBy.length > 0 : result.verdict.valid)) ? 0 : 1;
}

function tell({ bug, convictedBy, result: { verdict, invalid, restless } }: Trial): void {
  const { acked, delivered } = verdict.counts;
  const notes = [
    `${bug?.name ?? "control"}: ${convictedBy.join(", ") || (verdict.valid ? "clean" : "not caught by its rules")}`,
    `broken ${JSON.stringify(verdict.broken)}`,
    `acked ${acked}, delivered ${delivered}`,
    ...(restless.length > 0 ? [`${restless.length} not at rest`] : []),
    ...(invalid === null ? [] : [`proves nothing: ${invalid}`]),
  ];
  console.log(notes.join("; "));
  if (!bug) for (const { rule, what } of verdict.violations.slice(0, 8)) console.log(`  ${rule}: ${what}`);
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
