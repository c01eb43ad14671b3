import { Deadlines } from "../../../services/core/deadline";

describe("deadlines", () => {
  let now = 0;
  let deadlines: Deadlines;

  beforeEach(() => {
    jest.useFakeTimers();
    now = 0;
    deadlines = new Deadlines(() => now);
  });
  afterEach(() => jest.useRealTimers());

  async function pass(ms: number): Promise<void> {
    now += ms;
    await jest.advanceTimersByTimeAsync(ms);
  }

  const never = (): Promise<never> => new Promise(() => undefined);
  const failure = (work: Promise<unknown>): Promise<string> => work.then(String, (error: Error) => error.message);

  it("gives what the work gives, and what it fails with", async () => {
    expect(await deadlines.within(100, Promise.resolve(1))).toBe(1);
    await expect(deadlines.within(100, Promise.reject(new Error("no")))).rejects.toThrow("no");
  });

  it("ends each at its own time, and lets the others go on", async () => {
    const late = (name: string) => () => new Error(name);
    const ended: string[] = [];
    for (const [at, name] of [
      [2_000, "second"],
      [1_000, "first"],
      [3_000, "third"],
    ] as const)
      void failure(deadlines.within(at, never(), late(name))).then(message => ended.push(message));
    await pass(750);
    expect(ended).toEqual([]);
    await pass(500);
    expect(ended).toEqual(["first"]);
    await pass(1_000);
    expect(ended).toEqual(["first", "second"]);
    await pass(1_000);
    expect(ended).toEqual(["first", "second", "third"]);
  });

  it("keeps no timer while nothing is open", async () => {
    await deadlines.within(100, Promise.resolve(1));
    await pass(1_000);
    expect(jest.getTimerCount()).toBe(0);
    void failure(deadlines.within(now + 100, never()));
    expect(jest.getTimerCount()).toBe(1);
  });
});
