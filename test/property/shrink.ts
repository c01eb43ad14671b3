import type { Plan, Step } from "./plan";
import type { Result } from "./run";

/** Times that a smaller history is tried. */
const TRIES = 40;

/**
 * The least history found that still differs: of a failed one, parts of the steps are left out, at first halves, then ever
 * smaller ones. What depends on who overtakes whom may not come again; then what failed is given back.
 */
export async function shrunk(failed: Result, run: (plan: Plan) => Promise<readonly Result[]>): Promise<Result> {
  let least = failed;
  let tries = 0;
  for (let size = Math.ceil(count(least.plan) / 2); size >= 1 && tries < TRIES; size = Math.floor(size / 2))
    for (let from = 0; from < count(least.plan) && tries < TRIES; tries += 1) {
      const [result] = await run(without(least.plan, from, size));
      if (result && result.differences.length > 0) least = result;
      else from += size;
    }
  return least;
}

const count = ({ phases }: Plan): number => phases.flat().length;

/** Less `size` steps from the number `from` on, counted over all phases. */
export function without(plan: Plan, from: number, size: number): Plan {
  let number = 0;
  const stays = (): boolean => {
    const at = number++;
    return at < from || at >= from + size;
  };
  return { ...plan, phases: plan.phases.map((phase): Step[] => phase.filter(stays)) };
}
