import { expectStatus, say, Stage, unique, type Client } from "../support/client";
import { startServer } from "../support/server";
import type { Frame, SocketClient } from "../support/socket";

/** Every user has a log of his own, told on all his devices and resumed by `n`. */
describe("a user's own feed", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
  });
  afterAll(() => stage.end());

  const told = (socket: SocketClient) => socket.notes.map(({ kind, data }) => ({ kind, ...data }));
  const next = (socket: SocketClient, n: number): Promise<Frame> =>
    socket.frame(`note ${n}`, frame => frame.t === "user" && frame.n === n);
  const welcomeOf = (socket: SocketClient): Frame => socket.all("welcome")[0] as Frame;
  const group = async (owner: Client, ...others: Client[]): Promise<string> => {
    const body = { type: "group", members: others.map(({ id }) => id), name: unique("g") };
    return expectStatus(await owner.post("/api/conversations", body), 201).body.id as string;
  };
  /** A user with so many notes in his feed. */
  async function noted(count: number): Promise<{ user: Client; rooms: string[] }> {
    const [user, other] = (await stage.users("ann", "bob")) as [Client, Client];
    const rooms: string[] = [];
    for (let n = 0; n < count; n++) rooms.push(await group(other, user));
    return { user, rooms };
  }

  test("begins at 0, live, and tells who is added to a channel, a group and a direct room while connected", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const socket = await ann.socket();
    expect(welcomeOf(socket)).toMatchObject({ n: 0, feed: "live", rooms: {} });
    const channel = await stage.channel([ann], { isPrivate: true });
    const trip = await group(bob, ann);
    const direct = await stage.direct(bob, ann);
    await next(socket, 3);
    expect(told(socket)).toMatchObject([
      { kind: "member", roomId: channel, change: "join", by: stage.admin.id, room: { id: channel, role: "member" } },
      { kind: "member", roomId: trip, change: "join", by: bob.id, room: { id: trip, type: "group" } },
      { kind: "member", roomId: direct, change: "join", by: bob.id, room: { id: direct, type: "direct" } },
    ]);
    expect(socket.notes[0]?.data.room).toEqual((await ann.get(`/api/channels/${channel}`)).body);
    expect(socket.notes[1]?.data.room).toEqual((await ann.get(`/api/conversations/${trip}`)).body);
  });

  test("tells what happened while away, from `n` on, whichever gateway it is", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    await group(bob, ann);
    const first = await ann.socket();
    expect(welcomeOf(first)).toMatchObject({ n: 1, feed: "live" });
    await first.close();
    const channel = await stage.channel([ann], { isPrivate: true });
    expectStatus(await stage.admin.delete(`/api/channels/${channel}/members/${ann.id}`), 204);
    for (let gateway = 0; gateway < 3; gateway++) {
      const again = await ann.socket([], { n: 1, epoch: welcomeOf(first).epoch });
      expect(welcomeOf(again)).toMatchObject({ n: 3, feed: "replayed" });
      await next(again, 3);
      expect(told(again)).toMatchObject([
        { kind: "member", roomId: channel, change: "join", by: stage.admin.id },
        { kind: "member", roomId: channel, change: "remove", by: stage.admin.id },
      ]);
    }
    const whole = await ann.socket([], { n: 0 });
    expect(welcomeOf(whole)).toMatchObject({ n: 3, feed: "replayed" });
    await next(whole, 3);
    expect(whole.notes.map(({ n }) => n)).toEqual([1, 2, 3]);
    const up = await ann.socket([], { n: 3 });
    expect(welcomeOf(up)).toMatchObject({ n: 3, feed: "live" });
    await stage.channel([ann]);
    await next(up, 4);
    expect(up.notes).toHaveLength(1);
  });

  test("tells the other devices of one's own coming, going and marks, once each and before the mark is answered", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const room = await stage.channel([bob]);
    const [phone, desk] = [await ann.socket(), await (await stage.login(ann)).socket()];
    expectStatus(await ann.post(`/api/channels/${room}/join`), 204);
    const last = await say(bob, room, "two");
    expect(await phone.request({ t: "delivered", room, seq: last.seq })).toMatchObject({ t: "ok" });
    expectStatus(await ann.post(`/api/channels/${room}/read`, { seq: 1_000_000 }), 204);
    // Whoever comes now finds the note in the log: it was stored before the answer.
    const late = await ann.socket([], { n: 0 });
    expect(welcomeOf(late)).toMatchObject({ n: 3 });
    expectStatus(await ann.post(`/api/channels/${room}/read`, { seq: last.seq }), 204);
    expect(await desk.request({ t: "read", room, seq: 1 })).toMatchObject({ t: "ok" });
    expectStatus(await ann.post(`/api/channels/${room}/leave`), 204);
    for (const socket of [phone, desk, late]) {
      await next(socket, 4);
      expect(told(socket)).toMatchObject([
        { kind: "member", roomId: room, change: "join" },
        { kind: "delivered", roomId: room, seq: last.seq },
        { kind: "read", roomId: room, seq: last.seq },
        { kind: "member", roomId: room, change: "leave" },
      ]);
    }
  });

  test("marks that move at the same time are told by the newest at least, and each number once", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const room = await stage.direct(ann, bob);
    for (let n = 0; n < 40; n++) await bob.post(`/api/conversations/${room}/messages`, { text: `${n}` });
    const [phone, desk] = [await ann.socket(), await ann.socket()];
    const marks = Array.from({ length: 40 }, (_, n) => phone.request({ t: "read", room, seq: n + 1 }));
    for (const { t } of await Promise.all(marks)) expect(t).toBe("ok");
    await desk.frame("the last mark", ({ t, data }) => t === "user" && data.seq === 40);
    expect(desk.notes.every(({ kind, data }) => kind === "read" && data.roomId === room)).toBe(true);
    expect(desk.notes.length).toBeLessThanOrEqual(40);
  });

  test("tells nothing of others", async () => {
    const [ann, bob, eve] = (await stage.users("ann", "bob", "eve")) as [Client, Client, Client];
    const room = await stage.channel([ann, bob, eve]);
    const socket = await eve.socket([room], { n: 0 });
    await stage.direct(ann, bob);
    const { seq } = await say(ann, room, "hello");
    expectStatus(await bob.post(`/api/channels/${room}/read`, { seq }), 204);
    expectStatus(await stage.admin.delete(`/api/channels/${room}/members/${bob.id}`), 204);
    await group(ann, eve);
    await next(socket, 2);
    expect(told(socket)).toMatchObject([
      { roomId: room, change: "join" },
      { by: ann.id, change: "join" },
    ]);
  });

  test.each([-1, 1.5, "1", true, { n: 1 }])(
    "with n %j hello is INVALID, and may be said again: null is the head",
    async n => {
      const { user } = await noted(1);
      const socket = await user.connect();
      expect(await socket.hello(user.token as string, {}, { n })).toMatchObject({ t: "err", code: "INVALID" });
      const answer = await socket.hello(user.token as string, {}, { n: null });
      expect(answer).toMatchObject({ t: "welcome", n: 1, feed: "live" });
    },
  );

  test("is reset, and goes on from its head, for an `n` that never was, of another epoch or too far behind", async () => {
    const { user } = await noted(2);
    for (const more of [{ n: 3 }, { n: Number.MAX_SAFE_INTEGER }, { n: 1e300 }, { n: 1, epoch: "another" }]) {
      const socket = await user.socket([], more);
      expect(welcomeOf(socket)).toMatchObject({ n: 2, feed: "reset" });
    }
    await stage.channel([user]);
    for (const socket of user.sockets) {
      await next(socket, 3);
      expect(socket.notes.map(({ n }) => n)).toEqual([3]);
    }
  });

  test("is no room: every public door answers NOT_FOUND for it, to its user and to others, and it goes on", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const other = await stage.direct(bob, ann);
    const socket = await ann.socket([other]);
    const stranger = await bob.socket();
    const room = ann.id;
    const missing = { status: 404, body: { code: "NOT_FOUND" } };
    for (const client of [ann, bob, stage.admin])
      for (const base of [`/api/channels/${room}`, `/api/conversations/${room}`]) {
        for (const path of ["", "/messages", "/messages?after=0", "/members"])
          expect(await client.get(base + path)).toMatchObject(missing);
        expect(await client.post(`${base}/messages`, { text: "hi" })).toMatchObject(missing);
        expect(await client.post(`${base}/members`, { userId: bob.id })).toMatchObject(missing);
        for (const mark of ["read", "delivered"])
          expect(await client.post(`${base}/${mark}`, { seq: 1 })).toMatchObject(missing);
        for (const way of ["join", "leave"])
          expect(await client.post(`/api/channels/${room}/${way}`)).toMatchObject(missing);
      }
    for (const from of [socket, stranger]) {
      expect(await from.sub([room], { [room]: 0 })).toMatchObject({
        rooms: { [room]: { state: "denied", code: "NOT_FOUND" } },
      });
      for (const frame of [
        { t: "send", text: "hi" },
        { t: "history" },
        { t: "edit", id: room, text: "x" },
        { t: "delete", id: room },
        { t: "react", id: room, emoji: "👍" },
        { t: "read", seq: 1 },
        { t: "delivered", seq: 1 },
        { t: "typing" },
      ])
        expect([frame.t, await from.request({ ...frame, room })]).toMatchObject([
          frame.t,
          { t: "err", code: "NOT_FOUND" },
        ]);
      expect(await from.request({ t: "unsub", rooms: [room] })).toMatchObject({ t: "ok" });
    }
    const named = await ann.socket({ [room]: 0, [other]: null }, { n: 0 });
    expect(welcomeOf(named)).toMatchObject({
      n: 1,
      feed: "replayed",
      rooms: { [room]: { state: "denied", code: "NOT_FOUND" }, [other]: { state: "live" } },
    });
    await stage.channel([ann]);
    for (const one of [socket, named]) await next(one, 2);
    expect([...socket.frames, ...named.frames].filter(({ t, room: id }) => t === "event" && id === room)).toEqual([]);
    expect(stranger.notes.filter(({ data }) => data.roomId !== other)).toEqual([]);
    await stranger.settle();
    expect(stranger.notes).toEqual([]);
  });

  test("takes no place among the rooms of a socket", async () => {
    const { user, rooms } = await noted(1);
    const fake = Array.from({ length: 499 }, (_, n) => `none-${n}`);
    const socket = await user.socket();
    const answer = await socket.sub([...rooms, ...fake]);
    expect(answer).toMatchObject({ t: "ok", rooms: { [rooms[0] as string]: { state: "live" } } });
  });
});
