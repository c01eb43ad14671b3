import { StorageError } from "../../../mixins/storage-errors";
import { GroupCommit } from "../../../services/messages/group-commit";
import { eventually } from "../../support/eventually";

/** Work that answers each item with the number of its run, when it is told to. */
function held() {
  const runs: number[][] = [];
  const ends: ((error?: Error) => void)[] = [];
  const group = new GroupCommit<number, string>(async items => {
    const run = runs.push(items);
    await new Promise<void>((resolve, reject) => ends.push(error => (error ? reject(error) : resolve())));
    return items.map(item => `${item} in ${run}`);
  });
  return { group, runs, ends, run: (number: number) => eventually(`run ${number}`, () => runs.length === number) };
}

describe("what a store does for many at once", () => {
  it("design 4, Reading: a read may join one not yet sent to the store, never one under way", async () => {
    const { group, runs, ends, run } = held();
    const together = [group.add(1), group.add(2)];
    await run(1);
    const later = [group.add(1), group.add(3)];
    ends[0]?.();
    expect(await Promise.all(together)).toEqual(["1 in 1", "2 in 1"]);
    await run(2);
    ends[1]?.();
    expect(await Promise.all(later)).toEqual(["1 in 2", "3 in 2"]);
    expect(runs).toEqual([
      [1, 2],
      [1, 3],
    ]);
  });

  it("a run that fails fails for its own only, and the next goes on", async () => {
    const { group, ends, run } = held();
    const first = group.add(1);
    const refused = expect(first).rejects.toThrow("away");
    await run(1);
    const second = group.add(2);
    ends[0]?.(new Error("away"));
    await refused;
    await run(2);
    ends[1]?.();
    expect(await second).toBe("2 in 2");
  });

  it("at most 20,000 wait: one more is surely not done, and what was taken is done in runs of 500", async () => {
    const { group, runs, ends, run } = held();
    const first = group.add(-1);
    await run(1);
    const taken = Array.from({ length: 20_000 }, (_, n) => group.add(n));
    const refused = await group.add(20_000).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StorageError);
    expect(refused).toMatchObject({ outcome: "failed", reason: "overload", type: "UNAVAILABLE" });
    for (let n = 1; n <= 41; n++) {
      await run(n);
      ends[n - 1]?.();
    }
    await Promise.all([first, ...taken]);
    expect(runs.slice(1).map(({ length }) => length)).toEqual(Array(40).fill(500));
    expect(runs.flat()).toEqual([-1, ...Array.from({ length: 20_000 }, (_, n) => n)]);
    const again = group.add(1);
    await run(42);
    ends[41]?.();
    expect(await again).toBe("1 in 42");
  });
});
