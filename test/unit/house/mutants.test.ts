import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MUTANTS } from "../../mutants/mutants";

const ROOT = join(__dirname, "..", "..", "..");

test("every mutant finds the place it breaks: a text that is gone, or there twice, breaks nothing", () => {
  const stale = MUTANTS.filter(({ file, from, to }) => {
    const places = readFileSync(join(ROOT, file), "utf8").split(from).length - 1;
    return places !== 1 || from === to;
  });
  expect(stale.map(({ breaks, file }) => `${breaks} (${file})`)).toEqual([]);
});
