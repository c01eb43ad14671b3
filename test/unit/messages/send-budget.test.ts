import { SharedCounter } from "../../../services/core/shared-counter";
import { SendBudget } from "../../../services/messages/send-budget";
import { alone } from "../core/alone";

describe("what users may send", () => {
  let now = 0;
  const counter = new SharedCounter({ most: 3, perSecond: 2 }, alone, () => now);
  const budget = new SendBudget(counter);
  const send = (count: number, user = "a"): number[] => {
    expect(budget.prepare(new Map([[user, count]]))).toBeUndefined();
    return Array.from({ length: count }, () => budget.take(user));
  };

  it("is a burst, refilled while they wait, and theirs alone", () => {
    expect(send(5)).toEqual([0, 0, 0, 500, 500]);
    expect(send(1, "b")).toEqual([0]);
    now += 499;
    expect(send(1)).toEqual([1]);
    now += 1;
    expect(send(2)).toEqual([0, 500]);
    now += 60_000;
    expect(send(4)).toEqual([0, 0, 0, 500]);
  });

  it("that was not needed is left for the next time", () => {
    now += 60_000;
    void budget.prepare(new Map([["c", 3]]));
    expect(budget.take("c")).toBe(0);
    expect(send(2, "c")).toEqual([0, 0]);
    expect(send(1, "c")).toEqual([500]);
  });

  it("is asked for where another node has the last word", async () => {
    const asked = new SendBudget({ take: async () => ({ granted: 1, used: 3, endsInMs: 300 }) });
    const prepared = asked.prepare(new Map([["d", 2]]));
    expect(asked.take("d")).toBeGreaterThan(0);
    await prepared;
    expect([asked.take("d"), asked.take("d")]).toEqual([0, 300]);
  });
});
