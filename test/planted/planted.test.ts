import { ESSENTIAL } from "./bugs";
import { hunt, type Trial } from "./hunt";
import { keepTable } from "./table";
import type { Bug } from "./bug";

/** Milliseconds of traffic of a run, runs at a time, and runs in which a bug may hide. */
const TRAFFIC = 6_000;
const ABREAST = 3;
const SEEDS = [1, 2];

describe("the judge", () => {
  const trials = new Map<string, Promise<Trial>>();

  beforeAll(() => {
    const free: Promise<unknown>[] = Array.from({ length: ABREAST }, () => Promise.resolve());
    [null, ...ESSENTIAL].forEach((bug, n) => {
      const trial = (free[n % ABREAST] as Promise<unknown>).then(() => found(bug));
      free[n % ABREAST] = trial.catch(() => undefined);
      trials.set(nameOf(bug), trial);
    });
  });

  test("finds nothing in the product as it is", async () => {
    const { result } = await trialOf(null);
    expect(result.verdict.violations).toEqual([]);
    expect(result.invalid).toBeNull();
    expect(result.restless).toEqual([]);
    expect(result.verdict.counts.acked).toBeGreaterThan(100);
  }, 240_000);

  test.each(ESSENTIAL)(
    "convicts $name: $what",
    async bug => {
      const { convictedBy } = await trialOf(bug);
      expect(convictedBy).not.toEqual([]);
    },
    240_000,
  );

  afterAll(async () => {
    keepTable(
      "embedded",
      (await Promise.allSettled(trials.values())).flatMap(one => (one.status === "fulfilled" ? [one.value] : [])),
    );
  }, 240_000);

  const trialOf = (bug: Bug | null): Promise<Trial> => trials.get(nameOf(bug)) as Promise<Trial>;
});

const nameOf = (bug: Bug | null): string => bug?.name ?? "control";

/** The first run that convicts; the last one if none does. Of the control there is one. */
async function found(bug: Bug | null): Promise<Trial> {
  for (const seed of SEEDS) {
    const trial = await hunt(bug, { shape: "embedded", seed, ms: TRAFFIC });
    if (!bug || trial.convictedBy.length > 0 || seed === SEEDS.at(-1)) return trial;
  }
  throw new Error("There is a seed.");
}
