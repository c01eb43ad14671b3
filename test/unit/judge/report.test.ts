import { check } from "../../judge/check";
import { generate } from "../../judge/generate";
import { jsonOf, textOf, type Judged } from "../../judge/report";

const judged = (lines = generate({ seed: 3 })): Judged => ({
  verdict: check(lines),
  invalid: null,
  faults: [{ name: "kill", target: "server" }],
  restless: ["c1: not connected"],
  metrics: { rookery_healed_total: 4 },
});

/** With a last read that lacks a message. */
function spoilt(): Judged {
  const lines = generate({ seed: 3 });
  const finals = new Set(lines.flatMap(line => (line.phase === "invoke" && line.op === "final" ? [line.id] : [])));
  for (const line of lines)
    if (line.phase === "ok" && finals.has(line.id) && line.door.endsWith("a")) line.answer.items?.splice(1, 1);
  return judged(lines);
}

describe("the report of a verdict", () => {
  it("tells people what happened, and that nothing is wrong", () => {
    const { verdict } = judged();
    const text = textOf(judged());
    expect(text).toContain(`sends      ${verdict.counts.acked} acked`);
    expect(text).toContain("faults     kill of server");
    expect(text).toContain("counted    rookery_healed_total 4");
    expect(text).toContain("not at rest: c1: not connected");
    expect(text.endsWith("\nno violation")).toBe(true);
  });

  it("says why a run proves nothing", () => {
    expect(textOf({ ...judged(), invalid: "no traffic" })).toContain("the run proves nothing: no traffic");
  });

  it("shows of each broken rule its sentence, some violations and the lines that show them", () => {
    const { verdict } = spoilt();
    const text = textOf(spoilt());
    expect(text).toContain(`H1 is broken ${verdict.broken.H1} times: What was acknowledged or seen once is in every`);
    expect(text).toContain(verdict.violations[0]?.what);
    expect(text).toContain('"op":"final"');
    expect(text).toMatch(/\nguilty: H1 \d+ times/);
    expect(Math.max(...text.split("\n").map(line => line.length))).toBeLessThan(500);
  });

  it("gives programs all of it", () => {
    expect(JSON.parse(jsonOf(spoilt()))).toEqual(JSON.parse(JSON.stringify(spoilt())));
  });
});
