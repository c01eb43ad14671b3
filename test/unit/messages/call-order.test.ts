import { CallOrder } from "../../../services/messages/call-order";
import { codeOf } from "../../support/broker";

describe("calls of one caller", () => {
  let begun: number[];
  let order: CallOrder;

  beforeEach(() => {
    jest.useFakeTimers();
    begun = [];
    order = new CallOrder();
  });
  afterEach(() => jest.useRealTimers());

  const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

  const come = (n: number, after: number[] = [], line = "a"): Promise<number> =>
    order.run({ line, n, after }, () => {
      begun.push(n);
      return Promise.resolve(n);
    });

  it("begin at once when they come in order, and each has its own answer", async () => {
    expect(await Promise.all([come(1), come(2, [1]), come(3, [1, 2])])).toEqual([1, 2, 3]);
  });

  it("begin after those with entries for the same rooms, and wait for no others", async () => {
    const answers = [come(4, [3, 1]), come(5)];
    expect(begun).toEqual([5]);
    answers.push(come(3, [2]), come(2));
    expect(begun).toEqual([5, 2, 3]);
    answers.push(come(1));
    expect(begun).toEqual([5, 2, 3, 1, 4]);
    expect(await Promise.all(answers)).toEqual([4, 5, 3, 2, 1]);
  });

  it("go on without what is lost, which is not begun when it comes after all", async () => {
    const third = come(3, [2]);
    await pass(199);
    expect(begun).toEqual([]);
    await pass(1);
    expect(begun).toEqual([3]);
    expect(await codeOf(come(2))).toBe("UNKNOWN_OUTCOME");
    expect(await Promise.all([third, come(4, [2, 3]), come(1)])).toEqual([3, 4, 1]);
    expect(begun).toEqual([3, 4, 1]);
  });

  it("that wait for one that waits itself begin after it, when their time is over", async () => {
    const fifth = come(5, [4]);
    await pass(150);
    const fourth = come(4, [3]);
    await pass(50);
    expect(begun).toEqual([4, 5]);
    expect(await Promise.all([fourth, fifth])).toEqual([4, 5]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it("do not wait for another caller's", async () => {
    const late = come(2, [1], "a");
    expect(await come(1, [], "b")).toBe(1);
    expect(begun).toEqual([1]);
    await pass(200);
    expect(await late).toBe(2);
  });

  it("that fail let the next one begin", async () => {
    const failing = order.run({ line: "a", n: 1, after: [] }, () => Promise.reject(new Error("no")));
    const next = come(2, [1]);
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe(2);
  });

  it("cannot wait for themselves or for later ones", async () => {
    expect(await come(1, [1, 2])).toBe(1);
  });

  it("wait in bounded number", async () => {
    const waiting = Array.from({ length: 10_000 }, (_, index) => come(index + 2, [1]));
    expect(await codeOf(come(10_002, [1]))).toBe("UNAVAILABLE");
    expect(await come(1)).toBe(1);
    expect(await Promise.all(waiting)).toHaveLength(10_000);
  });

  it("are remembered in bounded number: behind one that never comes, and of many callers", async () => {
    for (let n = 2; n <= 1_002; n++) await come(n);
    // Nobody can be waiting for 1 any more.
    expect(await come(1_003, [1])).toBe(1_003);
    for (let line = 0; line < 4_096; line++) await come(1, [], `line ${line}`);
    const again = come(1_004, [1_003]);
    await pass(200);
    expect(await again).toBe(1_004);
  });
});
