import type { LogHead } from "../../../services/core/contract";
import { newId } from "../../../services/core/ids";
import { RoomFeed } from "../../../services/ws-gateway/feed";
import { HeadWatch } from "../../../services/ws-gateway/head-watch";
import { eventually } from "../../support/eventually";
import { countNothing } from "./counts";

/** Rooms with real feeds over a log that only has heads; whoever is told of a head reads, and gets what there is. */
async function ground(count: number) {
  const clock = { now: 1_000 };
  const heads = new Map<string, number>();
  const asked: string[][] = [];
  let away = false;
  const headOf = (room: string): LogHead => ({ offset: heads.get(room) ?? 0, seq: heads.get(room) ?? 0, floor: 1 });
  const feeds = Array.from(
    { length: count },
    () =>
      new RoomFeed(newId(), {
        heads: async room => headOf(room),
        range: async (room, after) => ({
          events: Array.from({ length: headOf(room).offset - after }, (_, n) => ({
            offset: after + n + 1,
            seq: after + n + 1,
            kind: "message" as const,
            data: "{}",
          })),
          more: false,
          head: headOf(room),
        }),
        encode: (_, { data }) => data,
        counts: countNothing,
        entries: () => undefined,
        skipped: () => undefined,
        heal: work => work(),
        now: () => clock.now,
        time: () => clock.now,
      }),
  );
  await Promise.all(feeds.map(({ ready }) => ready));
  const watch = new HeadWatch({
    feeds: () => feeds,
    heads: async rooms => {
      asked.push(rooms);
      if (away) throw new Error("away");
      return Object.fromEntries(rooms.map(room => [room, headOf(room)]));
    },
    now: () => clock.now,
  });
  return {
    feeds,
    watch,
    asked,
    /** Milliseconds, second by second, as the gateway's timer does. */
    pass: async (ms: number) => {
      for (let left = ms; left > 0; left -= 1_000) {
        clock.now += 1_000;
        watch.tick();
        await new Promise(resolve => setImmediate(resolve));
      }
    },
    lose: (feed: RoomFeed) => heads.set(feed.room, (heads.get(feed.room) ?? 0) + 1),
    away: (is: boolean) => (away = is),
  };
}

describe("design 4, Publishing: the watch over heads", () => {
  it("heals every room after an outage, 500 in one call", async () => {
    const { feeds, watch, asked, lose } = await ground(1_200);
    for (const feed of feeds) lose(feed);
    watch.all();
    await eventually("all are healed", () => feeds.every(({ head }) => head.offset === 1));
    expect(asked.map(({ length }) => length)).toEqual([500, 500, 200]);
  });

  it("asks again for what it could not read", async () => {
    const { feeds, watch, asked, lose, away, pass } = await ground(2);
    for (const feed of feeds) lose(feed);
    away(true);
    watch.all();
    await new Promise(resolve => setImmediate(resolve));
    await pass(3_000);
    expect(asked).toHaveLength(4);
    away(false);
    await pass(2_000);
    await eventually("all are healed", () => feeds.every(({ head }) => head.offset === 1));
    expect(asked).toHaveLength(5);
  });

  it("looks at the rooms of a lost writer at once, and again 15 s later: its last batch may come late", async () => {
    const { feeds, watch, asked, lose, pass } = await ground(10);
    const [late, other] = feeds as [RoomFeed, RoomFeed];
    await pass(600_000);
    asked.length = 0;
    watch.lost(room => room === late.room);
    expect(asked).toEqual([[late.room]]);
    lose(late);
    lose(other);
    await pass(14_000);
    expect(late.head.offset).toBe(0);
    await pass(1_000);
    await eventually("it is healed", () => late.head.offset === 1);
    expect(asked).toEqual([[late.room], [late.room]]);
  });

  it("looks every 15 s at rooms in which something happened in the last 10 minutes, and at no others", async () => {
    const { feeds, asked, lose, pass } = await ground(2);
    const [busy] = feeds as [RoomFeed];
    await pass(590_000);
    busy.receive({ type: "events", room: busy.room, events: [{ offset: 1, seq: 1, kind: "message", data: "{}" }] });
    // The last look was just now.
    await pass(25_000);
    asked.length = 0;
    lose(busy);
    lose(busy);
    await pass(14_000);
    expect(asked).toEqual([]);
    await pass(1_000);
    await eventually("it is healed", () => busy.head.offset === 2);
    expect(asked).toEqual([[busy.room]]);
  });
});
