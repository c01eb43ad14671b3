import { check } from "../../judge/check";
import { generate } from "../../judge/generate";
import { MUTATIONS } from "../../judge/mutations";
import { RULES } from "../../judge/rules";

describe("the judge of histories", () => {
  it("finds nothing in a thousand good histories", () => {
    const guilty: string[] = [];
    for (let seed = 1; seed <= 1_000; seed++) {
      const { violations } = check(generate({ seed, steps: 60 }));
      guilty.push(...violations.map(({ rule, what }) => `seed ${seed}: ${rule} ${what}`));
    }
    expect(guilty).toEqual([]);
  }, 120_000);

  it("has good histories in which everything happens that it judges", () => {
    const { counts, recovery } = check(Array.from({ length: 1 }, () => generate({ seed: 5, steps: 400 })).flat());
    expect(Math.min(counts.acked, counts.failed, counts.unknown, counts.settled, counts.delivered)).toBeGreaterThan(0);
    expect(Math.min(...Object.values(counts.resumed), recovery.max)).toBeGreaterThan(0);
  });

  it.each(MUTATIONS.map(mutation => [mutation.rule, mutation.name, mutation] as const))(
    "convicts by %s alone: %s",
    (rule, _name, { spoil }) => {
      for (let seed = 1; seed <= 80; seed++) {
        const lines = structuredClone(generate({ seed: seed * 5 + 1 }));
        if (!spoil(lines)) continue;
        const { valid, broken } = check(lines);
        expect({ seed, valid, rules: Object.keys(broken) }).toEqual({ seed, valid: false, rules: [rule] });
        return;
      }
      throw new Error("no history has what this mutation spoils");
    },
  );

  it("has at least two bad histories for each rule", () => {
    for (const { rule } of RULES)
      expect([rule, MUTATIONS.filter(mutation => mutation.rule === rule).length >= 2]).toEqual([rule, true]);
    expect(RULES).toHaveLength(16);
  });
});
