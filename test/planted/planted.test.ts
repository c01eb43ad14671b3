import { QUICK } from "./bugs";
import { hunt, type Trial } from "./hunt";
import { keepTable } from "./table";
import type { Bug } from "./bug";

/** Milliseconds of traffic within which a bug must be convicted; its run ends when it is. */
const HUNT = 60_000;
/** Runs at a time. */
const ABREAST = 3;

describe("the judge", () => {
  const trials = new Map<string, Promise<Trial>>();

  beforeAll(() => {
    const free: Promise<unknown>[] = Array.from({ length: ABREAST }, () => Promise.resolve());
    QUICK.forEach((bug, n) => {
      const trial = (free[n % ABREAST] as Promise<unknown>).then(() =>
        hunt(bug, { shape: "embedded", seed: 1, ms: HUNT }),
      );
      free[n % ABREAST] = trial.catch(() => undefined);
      trials.set(nameOf(bug), trial);
    });
  });

  test.each(QUICK)(
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

  const trialOf = (bug: Bug): Promise<Trial> => trials.get(nameOf(bug)) as Promise<Trial>;
});

const nameOf = (bug: Bug): string => bug.name;
