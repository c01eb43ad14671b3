import { newId } from "../../../services/core/ids";
import { Rendezvous } from "../../../services/core/rendezvous";

const ROOMS = 4_000;
const rooms = Array.from({ length: ROOMS }, () => newId());
/** Node ids as they really are: alike but for their end. */
const names = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `messages.host-${1_000 + n}-${newId().slice(-6)}`);

describe("rendezvous hashing", () => {
  it("gives nobody's key to nobody, and every key to the only node", () => {
    expect(new Rendezvous([]).of("room")).toBeUndefined();
    expect(new Rendezvous(["one"]).of("room")).toBe("one");
  });

  it("finds the same node whatever the order the nodes were heard of in", () => {
    const nodes = names(5);
    const [one, other] = [new Rendezvous(nodes), new Rendezvous([...nodes].reverse())];
    expect(rooms.map(room => one.of(room))).toEqual(rooms.map(room => other.of(room)));
  });

  it.each([2, 3, 5, 8])("shares keys evenly among %d nodes", count => {
    const shares = new Map<string | undefined, number>();
    const writers = new Rendezvous(names(count));
    for (const room of rooms) shares.set(writers.of(room), (shares.get(writers.of(room)) ?? 0) + 1);
    expect(shares.size).toBe(count);
    // Six deviations of a fair draw: once in hundreds of millions of runs.
    const slack = 6 * Math.sqrt((ROOMS / count) * (1 - 1 / count));
    for (const share of shares.values()) expect(Math.abs(share - ROOMS / count)).toBeLessThan(slack);
  });

  it("moves only what a node that joins gets, and what a node that leaves had", () => {
    for (let run = 0; run < 20; run++) {
      const nodes = names(2 + (run % 7));
      const joined = nodes[0] as string;
      const [few, many] = [new Rendezvous(nodes.slice(1)), new Rendezvous(nodes)];
      const moved = rooms.filter(room => few.of(room) !== many.of(room));
      expect(moved.map(room => many.of(room))).toEqual(moved.map(() => joined));
      expect(moved.length).toBeGreaterThan(0);
      expect(rooms.filter(room => many.of(room) === joined)).toEqual(moved);
    }
  });
});
