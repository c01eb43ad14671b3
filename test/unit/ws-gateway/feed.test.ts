import type { LogHead } from "../../../services/core/contract";
import type { RoomEvent } from "../../../services/core/room-bus";
import { RoomFeed } from "../../../services/ws-gateway/feed";
import { eventually } from "../../support/eventually";

const event = (offset: number, data = `"${offset}"`): RoomEvent => ({ offset, seq: offset, kind: "message", data });

/** A log of entries 1 to `size`, a feed over it, and what the feed passed on. */
async function ground(size: number, faults: { reads?: number } = {}) {
  const log = Array.from({ length: size }, (_, n) => event(n + 1));
  const passed: number[] = [];
  const skipped: number[] = [];
  let reads = 0;
  let now = 0;
  const head = (): LogHead => ({ offset: log.length, seq: log.length, floor: 1 });
  const feed = new RoomFeed("room", {
    heads: async () => head(),
    range: async (_room, after) => {
      reads++;
      if (faults.reads && faults.reads-- > 0) {
        now += 3_000;
        throw new Error("away");
      }
      return { events: log.slice(after, after + 50), more: after + 50 < log.length, head: head() };
    },
    entries: events => passed.push(...events.map(({ offset }) => offset)),
    skipped: ({ offset }) => skipped.push(offset),
    heal: work => work(),
    now: () => now,
    time: () => 1_000_000 + now,
  });
  await feed.ready;
  const receive = (...events: RoomEvent[]): void => feed.receive({ type: "events", room: "room", events });
  return { feed, log, passed, skipped, receive, reads: () => reads };
}

const upTo = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe("a room's feed", () => {
  it("passes on what follows the head it began with, and drops what it had", async () => {
    const { passed, receive, reads } = await ground(3);
    receive(event(2), event(3), event(4), event(4), event(5));
    receive(event(5));
    expect(passed).toEqual([4, 5]);
    expect(reads()).toBe(0);
  });

  it("puts reordered entries in order", async () => {
    const { log, passed, receive } = await ground(0);
    log.push(event(1), event(2), event(3));
    receive(event(3));
    receive(event(2));
    receive(event(1));
    await eventually("it came", () => passed.length === 3);
    expect(passed).toEqual([1, 2, 3]);
  });

  it("heals a gap with one read of the log for everybody, however many entries wait behind it", async () => {
    const { log, passed, receive, reads } = await ground(1);
    log.push(...upTo(2, 40).map(offset => event(offset)));
    for (const offset of upTo(10, 40)) receive(event(offset));
    await eventually("it came", () => passed.length === 39);
    expect(passed).toEqual(upTo(2, 40));
    expect(reads()).toBe(1);
  });

  it("notices a lost last entry by the head that is told again", async () => {
    const { feed, log, passed } = await ground(1);
    log.push(event(2), event(3));
    feed.receive({ type: "head", room: "room", head: { offset: 3, seq: 3 } });
    await eventually("it came", () => passed.length === 2);
    expect(passed).toEqual([2, 3]);
  });

  it("tries again while the log is away, and gives up with an explicit reset, never a hole", async () => {
    const { feed, log, passed, skipped, receive } = await ground(1, { reads: 5 });
    log.push(event(2), event(3), event(4));
    receive(event(4));
    await eventually("it came", () => skipped.length === 1);
    expect(skipped).toEqual([4]);
    expect(passed).toEqual([]);
    expect(feed.recent(1)).toBeNull();
    receive(event(5));
    expect(passed).toEqual([5]);
  });

  it("keeps recent entries for those who were away, and says when it has not all of them", async () => {
    const { feed, receive } = await ground(0);
    for (const offset of upTo(1, 300)) receive(event(offset));
    expect(feed.recent(298)?.map(({ offset }) => offset)).toEqual([299, 300]);
    expect(feed.recent(300)).toEqual([]);
    expect(feed.recent(3)).toBeNull();
  });

  it("keeps nothing of a message that was edited away or deleted", async () => {
    const { feed, receive } = await ground(0);
    receive(event(1, '"secret"'));
    receive({ ...event(2, '"secret two"'), kind: "edit", target: { offset: 1, data: '"secret two"' } });
    receive({ ...event(3, '{"emoji":"x"}'), kind: "reaction", target: { offset: 1, data: '"secret two, liked"' } });
    receive({ ...event(4, '"gone"'), kind: "delete", target: { offset: 1, data: '"gone"' } });
    expect(JSON.stringify(feed.recent(0))).not.toContain("secret");
    expect(feed.recent(0)?.map(({ data }) => data)).toEqual(['"gone"', '"gone"', '{"emoji":"x"}', '"gone"']);
  });
});
