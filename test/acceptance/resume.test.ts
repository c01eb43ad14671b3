import { randomUUID } from "node:crypto";
import { say, Stage, type Client } from "../support/client";
import type { Frame, SocketClient } from "../support/socket";
import { startServer } from "../support/server";

/** Clients that lie about what they have, by mistake or not. */
describe("resume", () => {
  let stage: Stage;
  let ann: Client;
  let eve: Client;
  let room: string;
  let hidden: string;
  /** Offsets of what was said in the room, in order. */
  const said: number[] = [];

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    [ann, eve] = (await stage.users("ann", "eve")) as [Client, Client];
    room = await stage.channel([ann, eve]);
    hidden = await stage.channel([ann], { isPrivate: true });
    for (const text of ["one", "two", "three", "four"]) said.push((await say(ann, room, text)).offset as number);
    for (const text of ["secret one", "secret two"]) await say(ann, hidden, text);
  });
  afterAll(() => stage.end());

  const head = (): number => said.at(-1) as number;
  const offsets = (socket: SocketClient): number[] => socket.events(room).map(({ offset }) => offset as number);

  /** All that comes next in the room comes once, in order; `SocketClient` looks after that. */
  async function goesOn(socket: SocketClient): Promise<void> {
    const { offset } = await say(ann, room, "on");
    said.push(offset as number);
    await socket.event(room, offset as number);
    await socket.settle();
    socket.check();
  }

  const BAD = ["-1", "-0.5", "1.5", '"1"', '"all"', "true", "[]", "[1]", "{}", '{"$gt":0}', "1e999", "-1e999"];

  test.each(BAD)("after %s is INVALID in hello and in sub, and the socket may say it better", async bad => {
    const socket = await eve.connect();
    const refused = { t: "err", code: "INVALID", status: 422 };
    const answer = (i: number): Promise<Frame> => socket.frame(`answer ${i}`, frame => frame.i === i);
    // As text: some of them are no values that a client could be made to encode. Numbered beside those of the client.
    socket.write(`{"t":"hello","i":9001,"token":${JSON.stringify(eve.token)},"rooms":{"${room}":${bad}}}`);
    expect(await answer(9001).catch(() => socket.frames.at(-1))).toMatchObject(refused);
    socket.violations.length = 0;
    expect((await socket.hello(eve.token as string, { [room]: head() - 1 })).rooms[room].state).toBe("replayed");
    socket.write(`{"t":"sub","i":9002,"rooms":["${room}"],"from":{"${room}":${bad}}}`);
    await socket.settle().catch(() => undefined);
    expect(socket.frames.find(({ i }) => i === 9002)).toMatchObject(refused);
    socket.violations.length = 0;
    await goesOn(socket);
    expect(offsets(socket)).toEqual(said.slice(-2));
  });

  test.each([
    ["one beyond the head", () => head() + 1],
    ["far beyond it", () => head() + 1_000_000],
    ["the largest safe integer", () => Number.MAX_SAFE_INTEGER],
    ["a whole number that is not exact", () => 2 ** 60],
    ["the largest number", () => Number.MAX_VALUE],
  ])("after %s is reset: nothing is replayed, and it goes on from the head", async (_what, from) => {
    for (const start of ["hello", "sub"]) {
      const socket = await (start === "hello" ? eve.connect() : eve.socket());
      const answer =
        start === "hello"
          ? await socket.hello(eve.token as string, { [room]: from() })
          : await socket.sub([room], { [room]: from() });
      expect(answer.rooms[room]).toMatchObject({ state: "reset", offset: head() });
      await goesOn(socket);
      expect(offsets(socket)).toEqual(said.slice(-1));
    }
  });

  test("of foreign and unknown rooms, whatever the offset, is denied alike and tells nothing of them", async () => {
    const socket = await eve.connect();
    const unknown = randomUUID();
    const names = ["nonsense", "__proto__", "constructor", "../rooms", unknown, hidden, ann.id];
    const answers: unknown[] = [];
    for (const from of [0, 1, 2, 1_000_000, null]) {
      const asked = Object.fromEntries(names.map(name => [name, from]));
      // A property of this name is not made by a literal.
      Object.defineProperty(asked, "__proto__", { value: from, enumerable: true, configurable: true, writable: true });
      const { rooms } = answers.length
        ? await socket.request({ t: "sub", rooms: names, from: asked })
        : await socket.hello(eve.token as string, asked);
      answers.push(rooms);
      for (const name of names)
        expect([name, Object.getOwnPropertyDescriptor(rooms, name)?.value]).toEqual([
          name,
          { state: "denied", code: "NOT_FOUND" },
        ]);
    }
    await say(ann, hidden, "secret three");
    await socket.settle();
    expect(socket.all("event")).toEqual([]);
    expect(socket.texts.join()).not.toContain("secret");
  });

  test("twice on one socket starts the room anew each time, also when the second is asked for before the first is answered", async () => {
    const socket = await eve.socket();
    const [first, second] = said.slice(-3) as [number, number];
    expect((await socket.sub([room], { [room]: first })).rooms[room].state).toBe("replayed");
    await socket.event(room, head());
    expect((await socket.sub([room], { [room]: second })).rooms[room].state).toBe("replayed");
    await socket.settle();
    expect(offsets(socket)).toEqual([...said.slice(-2), ...said.slice(-1)]);
    const asked = [first, head() + 5, second].map(from => ({ t: "sub", rooms: [room], from: { [room]: from } }));
    const answers = await socket.requestJoined(asked);
    expect(answers.map(({ rooms }) => rooms[room].state)).toEqual(["replayed", "reset", "replayed"]);
    await socket.settle();
    await goesOn(socket);
    expect(offsets(socket).slice(-2)).toEqual(said.slice(-2));
  });

  test("of a room named twice in one frame gives it once", async () => {
    const socket = await eve.socket();
    const answer = await socket.sub([room, room, room], { [room]: said.at(-2) as number });
    expect(Object.keys(answer.rooms)).toEqual([room]);
    await goesOn(socket);
    expect(offsets(socket)).toEqual(said.slice(-2));
  });

  test("offsets of rooms that are not asked for are ignored", async () => {
    const socket = await eve.socket();
    const other = await stage.channel([eve]);
    const { rooms } = await socket.sub([other], { [room]: 0, [hidden]: 0 });
    expect(Object.keys(rooms)).toEqual([other]);
    await say(ann, room, "not for him").then(({ offset }) => said.push(offset as number));
    await socket.settle();
    expect(socket.events(room)).toEqual([]);
  });

  test("by a second hello is CONFLICT, and what was subscribed goes on", async () => {
    const socket = await eve.socket([room]);
    socket.send({ t: "hello", i: 9001, token: eve.token, rooms: { [room]: 0 } });
    await socket.settle().catch(() => undefined);
    expect(socket.frames.find(({ i }) => i === 9001)).toMatchObject({ t: "err", code: "CONFLICT" });
    socket.violations.length = 0;
    await goesOn(socket);
    expect(offsets(socket)).toEqual(said.slice(-1));
  });

  test("with an epoch that is none is INVALID; with another's, every room is reset and live", async () => {
    for (const epoch of [5, {}, "x".repeat(101)]) {
      const socket = await eve.connect();
      expect(await socket.hello(eve.token as string, { [room]: 0 }, { epoch })).toMatchObject({ code: "INVALID" });
    }
    const socket = await eve.connect();
    const { rooms } = await socket.hello(eve.token as string, { [room]: 0 }, { epoch: randomUUID() });
    expect(rooms[room]).toMatchObject({ state: "reset", offset: head() });
    await goesOn(socket);
    expect(offsets(socket)).toEqual(said.slice(-1));
  });

  test("of 500 rooms, some denied, gives each its state and each room that may be read what was missed; of 501 is INVALID", async () => {
    const mine = await Promise.all(Array.from({ length: 5 }, () => stage.channel([eve])));
    const from = new Map<string, number>();
    for (const id of mine) from.set(id, (await say(stage.admin, id, "first")).offset as number);
    await Promise.all(mine.map(id => say(stage.admin, id, "missed")));
    const foreign = [hidden, ...Array.from({ length: 494 }, () => randomUUID())];
    const asked = Object.fromEntries([...mine, ...foreign].map(id => [id, from.get(id) ?? 7]));
    const socket = await eve.connect();
    const tooMany = await socket.hello(eve.token as string, { ...asked, [randomUUID()]: null });
    expect(tooMany).toMatchObject({ t: "err", code: "INVALID", status: 422 });
    const { rooms } = await socket.hello(eve.token as string, asked);
    expect(Object.keys(rooms)).toHaveLength(500);
    for (const id of foreign) expect(rooms[id]).toEqual({ state: "denied", code: "NOT_FOUND" });
    for (const id of mine) {
      expect(rooms[id]).toMatchObject({ state: "replayed" });
      await socket.event(id, (from.get(id) as number) + 1);
    }
    // What was denied takes no place.
    expect(await socket.sub([...foreign.slice(0, 494), room])).toMatchObject({ t: "ok" });
    expect(await socket.sub(foreign.concat(Array.from({ length: 6 }, () => randomUUID())))).toMatchObject({
      t: "err",
      code: "INVALID",
    });
    await goesOn(socket);
  });
});
