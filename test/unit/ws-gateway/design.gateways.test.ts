import type { LogHead, LogRange } from "../../../services/core/contract";
import type { RoomEvent } from "../../../services/core/room-bus";
import { RoomFeed } from "../../../services/ws-gateway/feed";
import { eventually } from "../../support/eventually";
import { Counts } from "./counts";
import { cut, event, gate, ground } from "./ground";

const upTo = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);
const large = (offset: number, bytes: number): RoomEvent => event(offset, `"${"x".repeat(bytes - 2)}"`);
const changed = (offset: number, kind: "edit" | "delete", target: number, data: string): RoomEvent => ({
  offset,
  seq: target,
  kind,
  data,
  target: { offset: target, data },
});

/** A feed over a log that answers when a test lets it; time passes by hand. */
async function feedOf(log: RoomEvent[], answers: (after: number) => Promise<RoomEvent[]>) {
  const passed: RoomEvent[] = [];
  const skipped: number[] = [];
  const count = new Counts();
  const encoded: number[] = [];
  const reads: { after: number; maxBytes: number }[] = [];
  let now = 0;
  const at = log.length;
  const head = (): LogHead => ({ offset: log.length, seq: log.length, floor: 1 });
  let known = { offset: at, seq: at, floor: 1 };
  const feed = new RoomFeed("room", {
    heads: async () => known,
    range: async (_room, after, maxBytes): Promise<LogRange> => {
      reads.push({ after, maxBytes });
      return { events: await answers(after), more: false, head: head() };
    },
    encode: (_, { offset, data }) => {
      encoded.push(offset);
      return data;
    },
    counts: count.counts,
    entries: (_, events) => passed.push(...events),
    skipped: ({ head: { offset } }) => skipped.push(offset),
    heal: work => work(),
    now: () => now,
    time: () => now,
  });
  await feed.ready;
  return {
    feed,
    passed,
    skipped,
    encoded,
    reads,
    count: count.by,
    receive: (...events: RoomEvent[]) => feed.receive({ type: "events", room: "room", events }),
    pass: (ms: number) => (now += ms),
    knows: (what: LogHead) => (known = what),
  };
}

const never = (): Promise<never> => new Promise(() => undefined);

describe("design 4, Gateways", () => {
  it("subscribe to a room's subject while they hold a subscriber", async () => {
    const { bus, hub, room, connect, join, pass } = ground();
    let interest = 0;
    const subscribe = bus.subscribe.bind(bus);
    bus.subscribe = async (id, listener) => {
      const leave = await subscribe(id, listener);
      interest++;
      return () => {
        interest--;
        leave();
      };
    };
    const [one, two] = [connect("u"), connect("v")];
    await join(one.connection, "u");
    await join(two.connection, "v");
    expect(interest).toBe(1);
    hub.close(one.connection);
    pass(61_000);
    hub.sweep();
    expect(interest).toBe(1);
    hub.leave(two.connection, room);
    hub.sweep();
    expect([hub.size, interest]).toEqual([1, 1]);
    pass(61_000);
    hub.sweep();
    await eventually("nobody is interested", () => interest === 0);
    expect(hub.size).toBe(0);
  });

  it("keep a ring of the room's last events as ready bytes: encoded once for however many are behind", async () => {
    const { feed, receive, encoded, reads } = await feedOf([], never);
    receive(event(1), event(2), event(3));
    expect(encoded).toEqual([]);
    for (let reader = 0; reader < 1_000; reader++)
      for (const entry of feed.recent(0) ?? [])
        expect(entry.bytes).toBe(feed.recent(entry.event.offset - 1)?.[0]?.bytes);
    expect(encoded).toEqual([1, 2, 3]);
    expect(reads).toEqual([]);
  });

  it("at or below its position a gateway drops", async () => {
    const { receive, passed, count } = await feedOf([event(1), event(2)], never);
    receive(event(1), event(2), event(3), event(3));
    receive(event(2), event(3));
    expect(passed.map(({ offset }) => offset)).toEqual([3]);
    expect(count["dropped duplicate"]).toBe(5);
  });

  describe("beyond a gap it holds", () => {
    beforeEach(() => jest.useFakeTimers());
    afterEach(() => jest.useRealTimers());

    it("1,000 entries and no more", async () => {
      const { feed, receive, count } = await feedOf([], never);
      receive(...upTo(2, 1_001).map(offset => event(offset)));
      expect([feed.waiting, count["dropped overflow"]]).toEqual([1_000, undefined]);
      receive(event(1_002), event(1_003));
      expect([feed.waiting, count["dropped overflow"]]).toEqual([1_000, 2]);
    });

    it("1 MiB and no more", async () => {
      const { feed, receive, count } = await feedOf([], never);
      receive(...upTo(2, 17).map(offset => large(offset, 64 * 1024)));
      expect([feed.waiting, count["dropped overflow"]]).toEqual([16, undefined]);
      receive(event(18));
      expect([feed.waiting, count["dropped overflow"]]).toEqual([16, 1]);
    });

    it("for 5 s and no longer, whether the log refuses or does not answer", async () => {
      for (const answer of [() => Promise.reject(new Error("away")), never]) {
        const { receive, skipped, reads, pass } = await feedOf([], answer);
        const wait = async (ms: number): Promise<void> => {
          pass(ms);
          await jest.advanceTimersByTimeAsync(ms);
        };
        receive(event(2));
        await wait(4_900);
        expect(reads.length).toBeGreaterThanOrEqual(answer === never ? 1 : 40);
        expect(skipped).toEqual([]);
        await wait(101);
        await wait(100);
        expect(skipped).toEqual([2]);
      }
    });
  });

  it("heals with one range read, at most 512 KiB each, for all its sockets, and publishes in order", async () => {
    const { connect, join, log, append, reads, count } = ground();
    const readers = await Promise.all(
      upTo(1, 20).map(async n => {
        const reader = connect(`u${n}`);
        await join(reader.connection, `u${n}`);
        return reader.socket;
      }),
    );
    // Two reads' worth is lost, then an entry comes.
    log.push(...upTo(1, 20).map(offset => large(offset, 40 * 1024)));
    append(event(21));
    await eventually("all have all", () => readers.every(({ offsets }) => offsets.length === 21));
    for (const { offsets } of readers) expect(offsets).toEqual(upTo(1, 21));
    expect(reads).toEqual([
      { after: 0, maxBytes: 512 * 1024 },
      { after: 12, maxBytes: 512 * 1024 },
    ]);
    expect(count).toMatchObject({ healed: 1, "read heal": 2 });
  });

  it("over a bound it sends reset, and counts why", async () => {
    const { connect, join, skip, room, count } = ground();
    const { socket, connection } = connect("u");
    await join(connection, "u");
    skip();
    await eventually("it is told", () => socket.frames.length > 0);
    expect(socket.frames).toEqual([{ t: "reset", room, offset: 2_000 }]);
    expect(count).toMatchObject({ "reset gap": 1, "dropped overflow": 500 });
    expect(count.healed).toBeUndefined();
  });

  it("resets, and does not wait, when what is missing has left the log", async () => {
    const { connect, join, log, trim, append, room, reads } = ground(3);
    const { socket, connection } = connect("u");
    await join(connection, "u");
    log.push(...upTo(4, 9).map(offset => event(offset)));
    trim(8);
    append(event(10));
    await eventually("it is told", () => socket.frames.length > 0);
    append(event(11));
    expect(socket.frames).toMatchObject([{ t: "reset", room, offset: 10 }, { offset: 11 }]);
    expect(reads).toHaveLength(1);
  });

  it("resets for what has left the log also when it only heard of it", async () => {
    const { bus, connect, join, log, trim, room } = ground(3);
    const { socket, connection } = connect("u");
    await join(connection, "u");
    log.push(...upTo(4, 9).map(offset => event(offset)));
    trim(9);
    bus.publish({ type: "head", room, head: { offset: 9, seq: 9 } });
    await eventually("it is told", () => socket.frames.length > 0);
    expect(socket.frames).toEqual([{ t: "reset", room, offset: 9 }]);
  });

  it("takes out sockets and joins under way of who is removed, before the next entry is published", async () => {
    const { connect, join, append, whileAsking, room } = ground();
    const [reader, other] = [connect("u"), connect("v")];
    const joining = connect("u");
    await join(reader.connection, "u");
    await join(other.connection, "v");
    const asked = gate();
    whileAsking(asked.pass);
    const joined = join(joining.connection, "u");
    await eventually("it is asked", () => asked.reached() === 1);
    append(event(1), cut(2, "u"), event(3));
    asked.open();
    expect(await joined).toEqual({ state: "denied", code: "FORBIDDEN" });
    append(event(4));
    expect(reader.socket.offsets).toEqual([1, 2]);
    expect(reader.socket.frames.at(-1)).toEqual({ t: "unsub", room, code: "FORBIDDEN" });
    expect(joining.socket.frames).toEqual([]);
    expect(other.socket.offsets).toEqual([1, 2, 3, 4]);
  });

  describe("no deleted body leaves", () => {
    const SECRET = '"secret"';
    const gone = changed(3, "delete", 1, '"gone"');

    it("the ring, also where what is in it was read from the log", async () => {
      const log = [event(1, SECRET), event(2)];
      const { feed, receive, reads } = await feedOf(log, async after => log.slice(after));
      expect((await feed.older(0)).map(({ event: { data } }) => data)).toEqual([SECRET, '"2"']);
      expect(feed.recent(0)).toHaveLength(2);
      receive(gone);
      expect(String(feed.recent(0)?.map(({ bytes }) => bytes))).toBe('"gone","2","gone"');
      expect(reads).toHaveLength(1);
    });

    it("a read that was under way when the deletion passed", async () => {
      const log = [event(1, SECRET), event(2)];
      const read = gate();
      const { feed, receive } = await feedOf(log, async after => {
        const events = log.slice(after);
        await read.pass();
        return events;
      });
      const older = feed.older(0);
      await eventually("it is read", () => read.reached() === 1);
      receive(gone);
      read.open();
      expect(String((await older).map(({ bytes }) => bytes))).toBe('"gone","2"');
      expect(String(feed.recent(0)?.map(({ bytes }) => bytes))).toBe('"gone","2","gone"');
    });

    it("what waits behind a gap, whatever the order in which its changes came", async () => {
      const first = gate();
      const { receive, passed } = await feedOf([], async () => {
        await first.pass();
        return [event(1)];
      });
      receive(changed(4, "delete", 2, '"gone"'), changed(3, "edit", 2, '"secret, edited"'), event(2, SECRET));
      first.open();
      await eventually("all came", () => passed.length === 4);
      expect(passed.map(({ data }) => data)).toEqual(['"1"', '"gone"', '"gone"', '"gone"']);
    });

    it("before its changes, which wait behind another gap, came in whatever order", async () => {
      const second = gate();
      const { receive, passed } = await feedOf([], async after => {
        if (after > 0) await second.pass();
        return after > 0 ? [event(3)] : [event(1)];
      });
      receive(changed(5, "delete", 2, '"gone"'), changed(4, "edit", 2, '"secret, edited"'), event(2, SECRET));
      await eventually("the rest is read", () => second.reached() === 1);
      expect(passed.map(({ data }) => data)).toEqual(['"1"', '"gone"']);
      second.open();
      await eventually("all came", () => passed.length === 5);
    });

    it("a read that heals and was too early for a deletion that waits behind the gap", async () => {
      const read = gate();
      const { receive, passed } = await feedOf([], async () => {
        await read.pass();
        return [event(1, SECRET), event(2)];
      });
      receive(gone);
      read.open();
      await eventually("all came", () => passed.length === 3);
      expect(passed.map(({ data }) => data)).toEqual(['"gone"', '"2"', '"gone"']);
    });
  });
});

describe("design 4, Joining", () => {
  it("is position first, then data, then live: what comes in between is neither lost nor doubled", async () => {
    const { bus, connect, join, append, whileReadingHeads, whileAsking } = ground(2);
    const order: string[] = [];
    const subscribe = bus.subscribe.bind(bus);
    bus.subscribe = (room, listener) => {
      order.push("subscribed");
      return subscribe(room, listener);
    };
    whileReadingHeads(async () => {
      order.push("position");
      append(event(3));
    });
    whileAsking(async () => {
      order.push("access");
      if (order.includes("position")) append(event(4), event(5));
    });
    const { socket, connection } = connect("u");
    expect(await join(connection, "u", 1)).toMatchObject({ state: "replayed", offset: 5 });
    append(event(6));
    await eventually("all came", () => socket.offsets.length === 5);
    append(event(7));
    expect(socket.offsets).toEqual([2, 3, 4, 5, 6, 7]);
    expect(order).toEqual(["access", "subscribed", "position", "access"]);
  });
});

describe("design 4, Resume", () => {
  it("is nothing where equal, then the ring, then a range read", async () => {
    const { connect, join, append, reads } = ground(10);
    const here = connect("u");
    expect(await join(here.connection, "u", 10)).toMatchObject({ state: "live", offset: 10 });
    append(event(11), event(12));
    const recent = connect("v");
    expect(await join(recent.connection, "v", 10)).toMatchObject({ state: "replayed", offset: 12 });
    expect(recent.socket.offsets).toEqual([11, 12]);
    expect(reads).toEqual([]);
    const older = connect("w");
    expect(await join(older.connection, "w", 3)).toMatchObject({ state: "replayed", offset: 12 });
    await eventually("all came", () => older.socket.offsets.length === 9);
    expect([here, recent, older].map(({ socket }) => socket.offsets)).toEqual([upTo(11, 12), [11, 12], upTo(4, 12)]);
    expect(reads.map(({ after }) => after)).toEqual([3]);
  });

  it("an offset beyond the gateway's position makes it heal to the stored head first; only beyond that is it reset", async () => {
    const { connect, join, log, count } = ground(3);
    const other = connect("v");
    await join(other.connection, "v");
    // The bus has lost both.
    log.push(event(4), event(5));
    const [equal, beyond] = [connect("u"), connect("w")];
    expect(await join(equal.connection, "u", 5)).toEqual({ state: "live", offset: 5, seq: 5 });
    expect(other.socket.offsets).toEqual([4, 5]);
    expect(await join(beyond.connection, "w", 6)).toEqual({ state: "reset", offset: 5, seq: 5 });
    expect(count).toMatchObject({ "reset ahead": 1, healed: 1 });
  });

  it("is no reset but a denial to be tried again where the log cannot tell whether an offset is beyond it", async () => {
    const { connect, join, log, whileReadingHeads } = ground(3);
    await join(connect("v").connection, "v");
    log.push(event(4));
    whileReadingHeads(() => Promise.reject(new Error("away")));
    const { connection } = connect("u");
    expect(await join(connection, "u", 4)).toEqual({ state: "denied", code: "UNAVAILABLE" });
    whileReadingHeads(async () => undefined);
    expect(await join(connection, "u", 4)).toMatchObject({ state: "live", offset: 4 });
  });

  it("is such a denial too where the log says how far it is and does not give it", async () => {
    const { connect, join, log, whileReading, pass } = ground(3);
    await join(connect("v").connection, "v");
    log.push(event(4));
    whileReading(() => {
      pass(6_000);
      return Promise.reject(new Error("away"));
    });
    const { connection } = connect("u");
    expect(await join(connection, "u", 4)).toEqual({ state: "denied", code: "UNAVAILABLE" });
  });

  it("keeps at most 64 KiB ahead of a socket's drain", async () => {
    const { connect, join, log, hub } = ground();
    log.push(...upTo(1, 40).map(offset => large(offset, 20_000)));
    const { socket, connection } = connect("u");
    let ahead = 0;
    const send = socket.send.bind(socket);
    socket.send = text => {
      send(text);
      socket.buffered += Buffer.byteLength(text);
      ahead = Math.max(ahead, socket.buffered);
    };
    await join(connection, "u", 0);
    while (socket.offsets.length < 40) {
      socket.buffered = Math.max(0, socket.buffered - 7_000);
      hub.drained(connection);
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(socket.offsets).toEqual(upTo(1, 40));
    expect(ahead).toBeGreaterThan(32 * 1024);
    expect(ahead).toBeLessThanOrEqual(64 * 1024);
  });

  it("sends an entry that is larger than that by itself", async () => {
    const { connect, join, log } = ground();
    log.push(large(1, 70_000), large(2, 70_000), event(3));
    const { socket, connection } = connect("u");
    await join(connection, "u", 0);
    await eventually("all came", () => socket.offsets.length === 3);
    expect(socket.sent.map(({ length }) => length > 64 * 1024)).toEqual([true, true, false]);
  });

  it("over 1,000 entries or 1 MiB a room is reset, and goes on live", async () => {
    for (const [entries, from, cause] of [
      [1_001, 1, undefined],
      [1_001, 0, "behind"],
    ] as const) {
      const { connect, join, count, append } = ground(entries);
      const { socket, connection } = connect("u");
      expect(await join(connection, "u", from)).toMatchObject({ state: cause ? "reset" : "replayed" });
      await eventually("it is done", () => socket.topics.size === 1);
      append(event(1_002));
      expect(socket.offsets).toEqual(cause ? [1_002] : upTo(2, 1_002));
      expect(count["reset behind"]).toBe(cause && 1);
    }
    const { connect, join, log, append, room, count } = ground();
    log.push(...upTo(1, 60).map(offset => large(offset, 20_000)));
    const { socket, connection } = connect("u");
    expect(await join(connection, "u", 0)).toMatchObject({ state: "replayed" });
    await eventually("it is reset", () => socket.topics.size === 1);
    append(event(61));
    const sent = socket.offsets.length - 1;
    expect(socket.offsets).toEqual([...upTo(1, sent), 61]);
    expect(socket.frames.at(-2)).toEqual({ t: "reset", room, offset: 60 });
    expect(sent * 20_000).toBeGreaterThan(1024 * 1024 - 64 * 1024);
    expect(sent * 20_000).toBeLessThan(1024 * 1024 + 64 * 1024);
    expect(count["reset behind"]).toBe(1);
  });

  it("from below the floor is reset, from just before it the log is whole", async () => {
    const { connect, join, trim, count } = ground(10);
    trim(5);
    const [below, at] = [connect("u"), connect("v")];
    expect(await join(below.connection, "u", 3)).toEqual({ state: "reset", offset: 10, seq: 10 });
    expect(await join(at.connection, "v", 4)).toEqual({ state: "replayed", offset: 10, seq: 10 });
    await eventually("all came", () => at.socket.offsets.length === 6);
    expect(at.socket.offsets).toEqual(upTo(5, 10));
    expect([below.socket.frames, count["reset floor"]]).toEqual([[], 1]);
  });

  it("from below a floor that rose since the gateway has looked is reset, never a part in silence", async () => {
    const { connect, join, trim, room, append, count } = ground(10);
    await join(connect("v").connection, "v");
    trim(8);
    const { socket, connection } = connect("u");
    expect(await join(connection, "u", 3)).toMatchObject({ state: "replayed" });
    await eventually("it is told", () => socket.frames.length > 0);
    append(event(11));
    expect(socket.frames).toMatchObject([{ t: "reset", room, offset: 10 }, { offset: 11 }]);
    expect(count["reset floor"]).toBe(1);
    expect(await join(connection, "u", 3)).toMatchObject({ state: "reset" });
  });

  it("is cut where a membership is visible from", async () => {
    const { connect, join, access, count } = ground(10);
    access.set("u", { visibleFrom: 6 });
    const { socket, connection } = connect("u");
    expect(await join(connection, "u", 5)).toMatchObject({ state: "reset", offset: 10 });
    expect(await join(connection, "u", 6)).toMatchObject({ state: "replayed", offset: 10 });
    await eventually("all came", () => socket.offsets.length === 4);
    expect(socket.offsets).toEqual(upTo(7, 10));
    expect(count["reset hidden"]).toBe(1);
  });

  it("of another epoch is reset, whatever the offset", async () => {
    const { connect, join, count } = ground(10);
    for (const from of [0, 9, 10, 11]) {
      const { socket, connection } = connect("u");
      expect(await join(connection, "u", from, false)).toMatchObject({ state: "reset", offset: 10 });
      expect(socket.frames).toEqual([]);
    }
    expect(count["reset epoch"]).toBe(4);
  });
});

describe("design 4, Reading", () => {
  it("a read may join one not yet sent to the store, never one under way", async () => {
    const { connect, join, reads, whileReading } = ground(10);
    const first = gate();
    whileReading(first.pass);
    const readers = upTo(1, 5).map(n => ({ ...connect(`u${n}`), user: `u${n}` }));
    await Promise.all(readers.slice(0, 2).map(({ connection, user }) => join(connection, user, 4)));
    await eventually("it is under way", () => first.reached() === 1);
    await Promise.all(readers.slice(2).map(({ connection, user }) => join(connection, user, 2)));
    expect(reads.map(({ after }) => after)).toEqual([4]);
    const second = gate();
    whileReading(second.pass);
    first.open();
    await eventually("the next is under way", () => second.reached() === 1);
    expect(readers.map(({ socket }) => socket.offsets.length)).toEqual([6, 6, 0, 0, 0]);
    second.open();
    await eventually("all came", () => readers.every(({ socket }) => socket.topics.size === 1));
    for (const { socket } of readers.slice(2)) expect(socket.offsets).toEqual(upTo(3, 10));
    expect(reads.map(({ after }) => after)).toEqual([4, 2]);
  });

  it("a thousand who come back to a room after a restart, from all over it, cost a few reads", async () => {
    const { connect, join, log, reads } = ground();
    log.push(...upTo(1, 120).map(offset => large(offset, 1_300)));
    const readers = await Promise.all(
      upTo(0, 999).map(async n => {
        const { socket, connection } = connect(`u${n}`);
        await join(connection, `u${n}`, n % 120);
        return { socket, from: n % 120 };
      }),
    );
    await eventually("all are live", () => readers.every(({ socket }) => socket.topics.size === 1));
    for (const { socket, from } of readers) expect(socket.offsets).toEqual(upTo(from + 1, 120));
    expect(reads.length).toBeLessThan(16);
    // Whoever comes later finds the last of them in memory.
    const before = reads.length;
    const late = connect("late");
    await join(late.connection, "late", 110);
    expect([late.socket.offsets.length, reads.length]).toEqual([10, before]);
  });
});
