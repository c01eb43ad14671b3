import type { RoomAccess } from "../../../services/core/contract";
import { eventually } from "../../support/eventually";
import { AccessReader, type Ask } from "../../../services/ws-gateway/access-reader";

const access = (user: string, room: string): RoomAccess => ({
  room,
  role: user === "owner" ? "owner" : "member",
  visibleFrom: 0,
});

/** Milliseconds after a question in which the next one collects. */
const COLLECT = 4;

function ground() {
  const asked: Ask[][] = [];
  let away = false;
  const reader = new AccessReader(async asks => {
    asked.push(asks);
    await new Promise(resolve => setImmediate(resolve));
    if (away) throw new Error("away");
    return asks.map(({ user, rooms }) => rooms.map(room => access(user, room)));
  });
  return { reader, asked, setAway: (is: boolean) => (away = is) };
}

describe("the access reader", () => {
  it("asks once for all users of a tick, and gives each his own answers in order", async () => {
    const { reader, asked } = ground();
    const answers = await Promise.all([reader.read("owner", true, ["b", "a"]), reader.read("ann", true, ["a"])]);
    expect(answers).toEqual([[access("owner", "b"), access("owner", "a")], [access("ann", "a")]]);
    expect(asked).toHaveLength(1);
  });

  it("asks for at most 500 rooms in one question, and for those of one user together", async () => {
    const { reader, asked } = ground();
    const rooms = Array.from({ length: 300 }, (_, n) => `r${n}`);
    const answers = await Promise.all(["ann", "bob", "cid"].map(user => reader.read(user, true, rooms)));
    expect(answers.map(({ length }) => length)).toEqual([300, 300, 300]);
    expect(asked.map(asks => asks.map(({ user }) => user))).toEqual([["ann"], ["bob"], ["cid"]]);
    asked.length = 0;
    await Promise.all(Array.from({ length: 501 }, (_, n) => reader.read(`user ${n}`, true, ["a"])));
    expect(asked.map(({ length }) => length)).toEqual([500, 1]);
  });

  it("lets nobody join a question that was sent", async () => {
    const { reader, asked } = ground();
    const first = reader.read("ann", true, ["a"]);
    await new Promise(resolve => setImmediate(resolve));
    expect(asked).toHaveLength(1);
    await Promise.all([first, reader.read("ann", true, ["a"])]);
    expect(asked).toHaveLength(2);
  });

  it("collects after a question, but not for long, whether it is answered or not", async () => {
    const asked: Ask[][] = [];
    const answers: (() => void)[] = [];
    const reader = new AccessReader(async asks => {
      asked.push(asks);
      await new Promise<void>(resolve => answers.push(resolve));
      return asks.map(({ user, rooms }) => rooms.map(room => access(user, room)));
    });
    // Its time stands at first: on a slow machine it would collect for not long enough.
    const time = jest.spyOn(performance, "now").mockReturnValue(0);
    const reads = [reader.read("ann", true, ["a"])];
    await new Promise(resolve => setImmediate(resolve));
    reads.push(reader.read("bob", true, ["a"]));
    await new Promise(resolve => setImmediate(resolve));
    reads.push(reader.read("cid", true, ["a"]));
    time.mockRestore();
    // The question for ann is never answered before: who waits behind it is asked for all the same.
    await eventually("all are asked for", () => asked.flat().length === 3);
    expect(asked.map(asks => asks.map(({ user }) => user))).toEqual([["ann"], ["bob", "cid"]]);
    answers.toReversed().forEach(answer => answer());
    expect(await Promise.all(reads)).toEqual(["ann", "bob", "cid"].map(user => [access(user, "a")]));
  });

  it("asks at once for who comes when it has been quiet", async () => {
    const { reader, asked } = ground();
    await reader.read("ann", true, ["a"]);
    const until = performance.now() + COLLECT;
    await eventually("it was quiet", () => performance.now() >= until);
    void reader.read("bob", true, ["a"]);
    await new Promise(resolve => setImmediate(resolve));
    expect(asked).toHaveLength(2);
  });

  it("has at most eight questions under way", async () => {
    const { reader, asked } = ground();
    const rooms = Array.from({ length: 500 }, (_, n) => `r${n}`);
    const reads = Array.from({ length: 12 }, (_, n) => reader.read(`user ${n}`, true, rooms));
    await new Promise(resolve => setImmediate(resolve));
    expect(asked).toHaveLength(8);
    await Promise.all(reads);
    expect(asked).toHaveLength(12);
  });

  it("fails for those of one question together, and for nobody else", async () => {
    const { reader, setAway } = ground();
    setAway(true);
    const refused = await Promise.allSettled([reader.read("ann", true, ["a"]), reader.read("bob", true, ["a"])]);
    expect(refused.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    setAway(false);
    expect(await reader.read("ann", true, ["a"])).toEqual([access("ann", "a")]);
  });
});
