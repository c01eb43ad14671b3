import { Turns } from "../../../services/core/turns";
import { codeOf } from "../../support/broker";

/** A work that ends when it is told to. */
function work() {
  let end = (): void => undefined;
  const ended = new Promise<void>(resolve => (end = resolve));
  return { run: () => ended, end: () => end() };
}

describe("turns", () => {
  it("follow each other for one key, and do not wait for other keys", async () => {
    const turns = new Turns();
    const first = work();
    const order: string[] = [];
    const both = [
      turns.run("a", async () => {
        await first.run();
        order.push("first");
      }),
      turns.run("a", async () => order.push("second")),
    ];
    await turns.run("b", async () => order.push("other"));
    expect(order).toEqual(["other"]);
    first.end();
    await Promise.all(both);
    expect(order).toEqual(["other", "first", "second"]);
  });

  it("go on after a work that failed", async () => {
    const turns = new Turns();
    const failing = turns.run("a", () => Promise.reject(new Error("no")));
    const next = turns.run("a", async () => "done");
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe("done");
  });

  it("take all items that wait at once, after all works, and refuse those that are refused", async () => {
    const taken: number[][] = [];
    const turns = new Turns<number>({ together: 3 }, async (_, items) => {
      taken.push(items);
      return items.map(item => (item === 2 ? new Error("not two") : null));
    });
    const first = work();
    const order: string[] = [];
    const running = turns.run("a", first.run);
    const items = [1, 2, 3, 4].map(item => turns.share("a", item, `person ${item}`));
    const later = turns.run("a", async () => order.push(`after ${taken.length} groups`));
    first.end();
    const outcomes = await Promise.allSettled(items);
    await Promise.all([running, later]);
    expect(taken).toEqual([[1, 2, 3], [4]]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(order).toEqual(["after 0 groups"]);
  });

  it("refuse what is beyond a bound before it is begun, and are free again afterwards", async () => {
    const turns = new Turns<number>({ perKey: 2, inAll: 4, perPerson: 2 });
    const first = work();
    const running = [turns.run("a", first.run), turns.run("b", first.run)];
    const one = [turns.share("a", 1, "ann"), turns.share("a", 2, "ann")];
    expect(await codeOf(turns.share("a", 3, "ann"))).toBe("RATE_LIMITED");
    expect(await codeOf(turns.share("a", 4, "bob"))).toBe("UNAVAILABLE");
    // Works have a bound of their own: a crowd does not keep them out.
    const two = [turns.run("a", async () => 1), turns.run("a", async () => 2)];
    expect(await codeOf(turns.run("a", async () => 3))).toBe("UNAVAILABLE");
    expect(turns.waiting).toBe(4);
    expect(await codeOf(turns.share("b", 5, "eve"))).toBe("UNAVAILABLE");
    first.end();
    await Promise.all([...running, ...one, ...two]);
    expect(turns.waiting).toBe(0);
    await turns.share("a", 6, "ann");
  });

  it("drop what has waited too long without beginning it, and keep what came later", async () => {
    let begun = 0;
    const turns = new Turns<number>({ wait: 20, perPerson: 1 }, async (_, items) => {
      begun += items.length;
      return items.map(() => null);
    });
    const first = work();
    const running = turns.run("a", first.run);
    const late = turns.run("a", async () => begun++);
    const share = turns.share("a", 1, "ann");
    expect(await Promise.all([codeOf(late), codeOf(share)])).toEqual(["UNAVAILABLE", "UNAVAILABLE"]);
    const next = turns.share("a", 2, "ann");
    first.end();
    await Promise.all([running, next]);
    expect(begun).toBe(1);
    expect(turns.waiting).toBe(0);
  });
});
