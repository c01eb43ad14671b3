import type { LogHead } from "../../../services/core/contract";
import type { RoomEvent } from "../../../services/core/room-bus";
import { RoomFeed } from "../../../services/ws-gateway/feed";
import { eventually } from "../../support/eventually";
import { Counts } from "./counts";

const event = (offset: number, data = `"${offset}"`): RoomEvent => ({ offset, seq: offset, kind: "message", data });

/** A log of entries 1 to `size`, a feed over it, and what the feed passed on. */
async function ground(size: number, faults: { reads?: number } = {}) {
  const log = Array.from({ length: size }, (_, n) => event(n + 1));
  const passed: number[] = [];
  const skipped: number[] = [];
  const count = new Counts();
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
    encode: (_, { data }) => data,
    counts: count.counts,
    entries: (_, events) => passed.push(...events.map(({ offset }) => offset)),
    skipped: ({ head: { offset } }) => skipped.push(offset),
    heal: work => work(),
    now: () => now,
    time: () => 1_000_000 + now,
  });
  await feed.ready;
  const receive = (...events: RoomEvent[]): void => feed.receive({ type: "events", room: "room", events });
  return { feed, log, passed, skipped, receive, count: count.by, reads: () => reads };
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
    expect(feed.recent(298)?.map(({ event: { offset } }) => offset)).toEqual([299, 300]);
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
    expect(feed.recent(0)?.map(({ event: { data } }) => data)).toEqual(['"gone"', '"gone"', '{"emoji":"x"}', '"gone"']);
  });

  it("buffers within bounds before its head is known, and heals what did not fit", async () => {
    const count = new Counts();
    const log = upTo(1, 1_500).map(offset => event(offset));
    const head = (): LogHead => ({ offset: log.length, seq: log.length, floor: 1 });
    let known: ((head: LogHead) => void) | undefined;
    const passed: number[] = [];
    const skipped: number[] = [];
    const feed = new RoomFeed("room", {
      heads: () => new Promise(resolve => (known = resolve)),
      range: async (_room, after) => ({ events: log.slice(after, after + 1_000), more: false, head: head() }),
      encode: (_, { data }) => data,
      counts: count.counts,
      entries: (_, events) => passed.push(...events.map(({ offset }) => offset)),
      skipped: ({ head: { offset } }) => skipped.push(offset),
      heal: work => work(),
      now: () => 0,
      time: () => 0,
    });
    for (const one of log.slice(10)) feed.receive({ type: "events", room: "room", events: [one] });
    expect(feed.waiting).toBe(1_000);
    await eventually("its head is asked for", () => known !== undefined);
    known?.({ offset: 10, seq: 10, floor: 1 });
    await eventually("it came", () => passed.length + skipped.length > 1_000);
    await eventually("all is there", () => passed.at(-1) === 1_500 || skipped.length > 0);
    expect([passed, skipped]).toEqual([upTo(11, 1_500), []]);
  });

  it("says reset when more waits behind a gap than it may hold", async () => {
    const { feed, log, passed, skipped } = await ground(0);
    log.push(...upTo(1, 3_000).map(offset => event(offset)));
    for (const one of log.slice(1)) feed.receive({ type: "events", room: "room", events: [one] });
    await eventually("it gave up", () => skipped.length === 1);
    expect(skipped).toEqual([3_000]);
    expect(passed).toEqual(upTo(1, passed.length));
    feed.receive({ type: "events", room: "room", events: [event(3_001)] });
    expect(passed.at(-1)).toBe(3_001);
  });

  it("waits without a reset while the log is away and nothing has come that would be held", async () => {
    const { feed, log, passed, skipped, reads } = await ground(1, { reads: 2 });
    log.push(event(2));
    feed.receive({ type: "head", room: "room", head: { offset: 2, seq: 2 } });
    await eventually("it gave up for now", () => reads() === 2);
    expect([feed.behind, passed]).toEqual([true, []]);
    await eventually("it came when it was told again", () => {
      feed.receive({ type: "head", room: "room", head: { offset: 2, seq: 2 } });
      return passed.length === 1;
    });
    expect(skipped).toEqual([]);
  });

  it("believes the log where it was told of more than there is, and takes the next entry", async () => {
    const { feed, log, passed, skipped, receive } = await ground(1);
    feed.receive({ type: "head", room: "room", head: { offset: 9, seq: 9 } });
    await eventually("it has looked", () => !feed.behind);
    log.push(event(2));
    receive(event(2));
    expect([passed, skipped]).toEqual([[2], []]);
  });

  it("remembers when it passed entries on, as long as it has them", async () => {
    const { feed, receive } = await ground(2);
    receive(event(3), event(4));
    expect([2, 3, 4, 5].map(offset => feed.took(offset))).toEqual([false, true, true, false]);
    expect([2, 3, 4, 5].map(offset => feed.tookAt(offset))).toEqual([null, 1_000_000, 1_000_000, null]);
    for (const offset of upTo(5, 300)) receive(event(offset));
    expect([feed.took(3), feed.tookAt(3), feed.tookAt(300)]).toEqual([true, null, 1_000_000]);
  });

  it("keeps no more of the messages that entries name than of the entries themselves", async () => {
    const { feed, log, receive } = await ground(0);
    const reaction = (offset: number): RoomEvent => ({
      offset,
      seq: 0,
      kind: "reaction",
      data: "{}",
      target: { offset: 1, data: "x".repeat(20 * 1024) },
    });
    for (let n = 1; n <= 100; n++) receive(reaction(n));
    expect(feed.ringSize.entries).toBe(12);
    log.push(...Array.from({ length: 300 }, (_, n) => event(n + 1)));
    for (let n = 102; n <= 300; n++) receive(reaction(n));
    // 1 MiB behind a gap.
    expect(feed.waiting).toBe(51);
  });
});
