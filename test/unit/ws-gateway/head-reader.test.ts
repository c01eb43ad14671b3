import type { LogHead } from "../../../services/core/contract";
import { HeadReader } from "../../../services/ws-gateway/head-reader";

function ground() {
  const asked: string[][] = [];
  let away = false;
  let epoch = "first";
  const reader = new HeadReader(async rooms => {
    asked.push(rooms);
    await new Promise(resolve => setImmediate(resolve));
    if (away) throw new Error("away");
    return { epoch, heads: Object.fromEntries(rooms.map((room, n): [string, LogHead] => [room, head(n)])) };
  });
  return { reader, asked, setAway: (is: boolean) => (away = is), setEpoch: (is: string) => (epoch = is) };
}

const head = (offset: number): LogHead => ({ offset, seq: offset, floor: 1 });

describe("the head reader", () => {
  it("asks once for the heads of a tick, a room named twice once, at most 500 in one question", async () => {
    const { reader, asked } = ground();
    const rooms = Array.from({ length: 600 }, (_, n) => `r${n}`);
    const heads = await Promise.all([...rooms, "r0"].map(room => reader.read(room)));
    expect(asked.map(({ length }) => length)).toEqual([500, 100]);
    expect([heads[7], heads[599], heads[600]]).toEqual([head(7), head(99), head(0)]);
  });

  it("asks once for the epoch, however many want to know it, and again only while it is not known", async () => {
    const { reader, asked, setAway } = ground();
    setAway(true);
    const refused = await Promise.allSettled([reader.epoch(), reader.epoch()]);
    expect(refused.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(asked).toHaveLength(1);
    setAway(false);
    expect(await Promise.all(Array.from({ length: 1_000 }, () => reader.epoch()))).toEqual(Array(1_000).fill("first"));
    expect(await reader.epoch()).toBe("first");
    expect(asked).toHaveLength(2);
  });

  it("tells the epoch that came with the heads last", async () => {
    const { reader, setEpoch } = ground();
    await reader.epoch();
    setEpoch("second");
    await reader.read("room");
    expect(await reader.epoch()).toBe("second");
  });
});
