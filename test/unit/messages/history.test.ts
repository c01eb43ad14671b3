import { LIMITS } from "../../../services/core/limits";
import { historyWindow, sighted, type HistoryQuery } from "../../../services/messages/history";

/** A room with so many messages, some of which the reader has hidden. */
function room(last: number, isHidden: (seq: number) => boolean) {
  let reads = 0;
  const numbers = (from: number, to: number) => Array.from({ length: Math.max(to - from + 1, 0) }, (_, n) => from + n);
  const store = {
    hiddenBy: async (_user: string, _room: string, from: number, to: number) => numbers(from, to).filter(isHidden),
  };
  const read = sighted(store, "user", "room", async ({ before = last + 1, after, limit }) => {
    reads++;
    const upTo = after === undefined ? Math.min(before - 1, last) : Math.min(after + limit, last);
    const from = after === undefined ? Math.max(before - limit, 1) : after + 1;
    return numbers(from, upTo).map(seq => ({ seq, data: JSON.stringify({ seq }) }));
  });
  const window = async (query: HistoryQuery) => {
    const { items, hasBefore, hasAfter } = await historyWindow(read, query, LIMITS);
    return [items.map(({ seq }) => seq), hasBefore, hasAfter];
  };
  return { window, reads: () => reads };
}

describe("a window of history in which messages are hidden", () => {
  it("is as full as any other, and says of what is seen whether there is more", async () => {
    const { window } = room(20, seq => [9, 10, 11, 20].includes(seq));
    expect(await window({ limit: 1 })).toEqual([[19], true, false]);
    expect(await window({ limit: 3, before: 12 })).toEqual([[6, 7, 8], true, true]);
    expect(await window({ limit: 3, after: 7 })).toEqual([[8, 12, 13], true, true]);
    expect(await window({ limit: 1, after: 18 })).toEqual([[19], true, false]);
    expect(await window({ limit: 4, around: 10 })).toEqual([[7, 8, 12, 13], true, true]);
    expect(await window({ limit: 1, around: 10 })).toEqual([[12], true, true]);
    expect(await room(5, seq => seq <= 2).window({ limit: 3 })).toEqual([[3, 4, 5], false, false]);
    expect(await room(5, () => true).window({ limit: 3 })).toEqual([[], false, false]);
    expect(await room(0, () => false).window({ limit: 3 })).toEqual([[], false, false]);
  });

  it("without any costs one read, as ever; behind thousands it is left short, and says that there is more", async () => {
    const plain = room(50, () => false);
    expect(await plain.window({ limit: 2 })).toEqual([[49, 50], true, false]);
    expect(plain.reads()).toBe(1);
    const most = room(10_000, seq => seq > 10 && seq < 10_000);
    expect(await most.window({ limit: 2 })).toEqual([[10_000], true, false]);
    expect(most.reads()).toBeLessThan(20);
  });
});
