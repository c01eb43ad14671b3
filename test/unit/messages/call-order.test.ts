import { CallOrder } from "../../../services/messages/call-order";
import { codeOf } from "../../support/broker";

describe("calls of one caller", () => {
  let clock: number;
  let begun: number[];
  let order: CallOrder;

  beforeEach(() => {
    jest.useFakeTimers();
    [clock, begun] = [0, []];
    order = new CallOrder(() => clock);
  });
  afterEach(() => jest.useRealTimers());

  function pass(ms: number): Promise<void> {
    clock += ms;
    return jest.advanceTimersByTimeAsync(ms);
  }

  const come = (n: number, line = "a"): Promise<number> =>
    order.run({ line, n }, () => {
      begun.push(n);
      return Promise.resolve(n);
    });

  it("begin at once when they come in order, and each has its own answer", async () => {
    expect(await Promise.all([come(1), come(2), come(3)])).toEqual([1, 2, 3]);
  });

  it("wait for those before them, and begin in order", async () => {
    const answers = [come(1), come(4), come(3)];
    expect(begun).toEqual([1]);
    answers.push(come(2));
    expect(begun).toEqual([1, 2, 3, 4]);
    expect(await Promise.all(answers)).toEqual([1, 4, 3, 2]);
  });

  it("go on behind what is lost, and what comes after that is surely not begun", async () => {
    const answers = [come(1), come(3)];
    await pass(150);
    answers.push(come(5));
    await pass(49);
    expect(begun).toEqual([1]);
    await pass(1);
    expect(begun).toEqual([1, 3]);
    await pass(149);
    expect(begun).toEqual([1, 3]);
    await pass(1);
    expect(begun).toEqual([1, 3, 5]);
    expect(await codeOf(come(2))).toBe("UNAVAILABLE");
    expect(await codeOf(come(5))).toBe("UNAVAILABLE");
    expect(await Promise.all([...answers, come(6)])).toEqual([1, 3, 5, 6]);
    expect(begun).toEqual([1, 3, 5, 6]);
  });

  it("of a line that began elsewhere go on, and what is late may have been carried out there", async () => {
    const first = come(57);
    await pass(200);
    expect(await first).toBe(57);
    expect(await codeOf(come(56))).toBe("UNKNOWN_OUTCOME");
    expect(await come(58)).toBe(58);
  });

  it("do not wait for another caller's", async () => {
    const late = come(2, "a");
    expect(await come(1, "b")).toBe(1);
    await pass(200);
    expect(await late).toBe(2);
  });

  it("that fail let the next one begin", async () => {
    const failing = order.run({ line: "a", n: 1 }, () => Promise.reject(new Error("no")));
    const next = come(2);
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe(2);
  });

  it("wait in bounded number; the line used least recently is forgotten", async () => {
    const waiting = Array.from({ length: 10_000 }, (_, index) => come(index + 2));
    expect(await codeOf(come(10_002))).toBe("UNAVAILABLE");
    expect(await come(1)).toBe(1);
    expect(await Promise.all(waiting)).toHaveLength(10_000);
    for (let line = 0; line < 4_096; line++) await come(1, `line ${line}`);
    expect(await codeOf(come(1, "line 0"))).toBe("UNAVAILABLE");
    // Begins anew: forgotten.
    expect(await come(1, "a")).toBe(1);
  });
});
