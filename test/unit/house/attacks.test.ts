import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { ATTACKS, CLIENT_DOORS, DOORS, NUMBERS, page, triesIn } from "../../attacks";

const root = resolve(__dirname, "../../..");
const PAGE = join(root, "docs/attacks.md");

describe("the attacks", () => {
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "test"], { cwd: root, encoding: "utf8" });
  const tries = files
    .split("\n")
    .filter(file => file.endsWith(".test.ts"))
    .flatMap(file => triesIn(file, readFileSync(join(root, file), "utf8")));
  if (process.env.ATTACKS === "write") writeFileSync(PAGE, page(tries));

  it("are tried at every door that has them", () => {
    const without = Object.entries(ATTACKS).flatMap(([id, { doors }]) =>
      doors.filter(door => !tries.some(one => one.id === id && one.door === door)).map(door => `${id} at ${door}`),
    );
    expect(without).toEqual([]);
  });

  it("are all in the table, and every door where clients come in has a test or a reason, not both", () => {
    expect(Object.keys(ATTACKS).sort()).toEqual(NUMBERS);
    const wrong = Object.entries(ATTACKS).flatMap(([id, { doors, without }]) =>
      CLIENT_DOORS.filter(door => doors.includes(door) === Boolean(without[door])).map(door => `${id} at ${door}`),
    );
    expect(wrong).toEqual([]);
    expect(Object.values(ATTACKS).filter(({ doors }) => doors.length === 0)).toEqual([]);
  });

  it("are tried nowhere that the table does not know of", () => {
    const more = tries.filter(({ id, door }) => !(ATTACKS[id]?.doors as string[] | undefined)?.includes(door));
    expect(more).toEqual([]);
  });

  it("are known by the numbers and doors that titles give", () => {
    const wrong = tries.filter(({ id, door }) => !ATTACKS[id] || !(DOORS as readonly string[]).includes(door));
    expect(wrong).toEqual([]);
  });

  it("are counted in docs/attacks.md as they are", () => {
    expect(readFileSync(PAGE, "utf8")).toBe(page(tries));
  });
});
