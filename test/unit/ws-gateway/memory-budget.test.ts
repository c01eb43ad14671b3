import { MemoryBudget } from "../../../services/ws-gateway/memory-budget";

const MIB = 1024 * 1024;
const reader = (name: string, mib: number) => ({ name, socket: { buffered: mib * MIB } });
const namesOf = (readers: { name: string }[]): string[] => readers.map(({ name }) => name);

describe("the memory of a gateway", () => {
  test("beyond its bound nobody new is let in, until it is well below it again", () => {
    let used = 0;
    const budget = new MemoryBudget({ memory: 100, waiting: 10 }, () => used * MIB, 0);
    const spentAt = (mib: number): boolean => {
      used = mib;
      budget.look([]);
      return budget.spent;
    };
    expect([90, 100, 101, 99, 96, 95, 99].map(spentAt)).toEqual([false, false, true, true, true, false, false]);
  });

  test("of a container not more than a share is taken, whatever was set", () => {
    const budget = new MemoryBudget({ memory: 1_000, waiting: 10 }, () => 81 * MIB, 100 * MIB);
    budget.look([]);
    expect(budget.spent).toBe(true);
  });

  test("when too much waits in all, those with the most go, and no more than are needed", () => {
    const budget = new MemoryBudget({ memory: 100, waiting: 10 }, () => 0, 0);
    expect(budget.look([reader("a", 3), reader("b", 4), reader("c", 3)])).toEqual([]);
    const many = [reader("a", 1), reader("b", 4), reader("c", 0), reader("d", 3), reader("e", 3)];
    expect(namesOf(budget.look(many))).toEqual(["b"]);
    expect(namesOf(budget.look([...many, reader("f", 4)]))).toEqual(["b", "f"]);
  });
});
