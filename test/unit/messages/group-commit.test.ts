import { StorageError } from "../../../mixins/storage-errors";
import { GroupCommit, type GroupCommitOptions } from "../../../services/messages/group-commit";
import { eventually } from "../../support/eventually";

/** Work that answers each item with the number of its run, when it is told to. */
function held(options?: GroupCommitOptions<number>) {
  const runs: number[][] = [];
  const ends: ((error?: Error) => void)[] = [];
  const group = new GroupCommit<number, string>(async items => {
    const run = runs.push(items);
    await new Promise<void>((resolve, reject) => ends.push(error => (error ? reject(error) : resolve())));
    return items.map(item => `${item} in ${run}`);
  }, options);
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

  it("a run takes no more than its size, but at least one item", async () => {
    const { group, runs, ends, run } = held({ size: 10, sizeOf: item => item });
    const all = [1, 4, 5, 1, 12, 2].map(item => group.add(item));
    for (let n = 1; n <= 4; n++) {
      await run(n);
      ends[n - 1]?.();
    }
    await Promise.all(all);
    expect(runs).toEqual([[1, 4, 5], [1], [12], [2]]);
  });

  it("as many runs are under way as there are lanes, and the next collects", async () => {
    const { group, runs, ends, run } = held({ lanes: 2 });
    const all = [group.add(1)];
    await run(1);
    all.push(group.add(2));
    await run(2);
    all.push(group.add(3), group.add(4));
    await new Promise(resolve => setImmediate(resolve));
    expect(runs).toEqual([[1], [2]]);
    ends[1]?.();
    await run(3);
    ends[0]?.();
    ends[2]?.();
    expect(await Promise.all(all)).toEqual(["1 in 1", "2 in 2", "3 in 3", "4 in 3"]);
  });

  it("a turn comes when a run is about to begin, at once where none is under way, and to everybody", async () => {
    const { group, runs, ends, run } = held();
    await group.turn();
    const first = group.add(1);
    await run(1);
    let turns = 0;
    const late: Promise<unknown>[] = [];
    const waiting = [2, 3].map(async item => {
      await group.turn();
      turns++;
      // Who asks now, in the tick that is left to the others, is not forgotten either.
      if (item === 3) late.push(group.turn());
      else return group.add(item);
    });
    await new Promise(resolve => setImmediate(resolve));
    expect(turns).toBe(0);
    ends[0]?.();
    await first;
    await run(2);
    ends[1]?.();
    await Promise.all(waiting);
    await Promise.all(late);
    expect(runs).toEqual([[1], [2]]);
    const last = group.add(4);
    await run(3);
    const unused = group.turn().then(() => group.turn());
    ends[2]?.();
    await Promise.all([last, unused]);
  });
});
