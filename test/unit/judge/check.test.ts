import { check } from "../../judge/check";
import { generate } from "../../judge/generate";
import type { HistoryLine } from "../../judge/history";
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

  it("does not take a socket that a revoked session opens, and is refused on, for an answer", () => {
    const isRevoke = (line: HistoryLine) => line.phase === "invoke" && line.op === "revoke";
    const isRestored = (line: HistoryLine) => line.phase === "run" && line.what === "restored";
    const histories = Array.from({ length: 80 }, (_, seed) => generate({ seed }));
    const lines = histories.find(history => history.slice(history.findLastIndex(isRestored)).some(isRevoke)) ?? [];
    const revoke = lines.findLast(isRevoke);
    if (revoke?.phase !== "invoke" || revoke.op !== "revoke") throw new Error("nobody is revoked in these histories");
    const t = (lines.at(-1)?.t ?? 0) + 30_000;
    const who = { client: "late", user: revoke.who, session: "late", door: "ws://a", t };
    const opened = [
      { ...who, phase: "seen", what: "open", sid: revoke.sid },
      { ...who, phase: "seen", what: "close", code: 4103 },
    ] satisfies HistoryLine[];
    expect(check([...lines, ...opened]).violations).toEqual([]);
  });
});
