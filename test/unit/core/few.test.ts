import { Few } from "../../../services/core/few";

const [a, b, c] = [{ name: "a" }, { name: "b" }, { name: "c" }];

it("is a set, however many there are", () => {
  const few = new Few<{ name: string }>();
  const as = new Set<{ name: string }>();
  const same = (): void => {
    expect([...few]).toEqual([...as]);
    expect(few.size).toBe(as.size);
    for (const one of [a, b, c]) expect(few.has(one)).toBe(as.has(one));
  };
  same();
  const steps = [[], [a], [a], [a, b], [b], [b, c], [b, c], [a, b, c], [a], [], [c], []];
  for (const wanted of steps) {
    for (const one of [a, b, c]) {
      if (wanted.includes(one)) expect(few.add(one)).toBe(few);
      else expect(few.delete(one)).toBe(as.delete(one));
      if (wanted.includes(one)) as.add(one);
      same();
    }
  }
});

it("may lose those that it is walked for", () => {
  for (const all of [[a], [a, b, c]]) {
    const few = new Few<{ name: string }>();
    for (const one of all) few.add(one);
    const seen: object[] = [];
    for (const one of few) {
      seen.push(one);
      few.delete(one);
    }
    expect(seen).toEqual(all);
    expect(few.size).toBe(0);
  }
});
