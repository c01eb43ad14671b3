import { isDeepStrictEqual } from "node:util";
import { expectStatus, say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { marksTold, viewOf, type RoomView } from "../support/marks-view";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";
import type { SocketClient } from "../support/socket";

/** How far everybody is, on all devices: receipts, private marks, what was marked unread, and the calls that read much at once. */
describe("marks", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
  });
  afterAll(() => stage.end());

  const unread = async (client: Client, id: string): Promise<Body> => {
    const { roomId: _id, ...row } = (await client.get("/api/unread")).body.items.find(
      (item: Body) => item.roomId === id,
    );
    return row;
  };
  const post = async (client: Client, path: string, body: object, status = 204) =>
    expectStatus(await client.post(`/api${path}`, body), status);
  const receipts = async (client: Client, id: string): Promise<Body> =>
    expectStatus(await client.get(`/api/messages/${id}/receipts`), 200).body;

  test("the receipts view walked by three devices of two people", async () => {
    const room = await stage.channel([ann, bob]);
    const laptop = await stage.login(ann);
    const devices = [await ann.socket([room]), await laptop.socket([room]), await bob.socket([room])];
    const { id, seq, offset } = await say(ann, room, "seen?");
    for (const device of devices) await device.event(room, offset);
    const admin = { userId: stage.admin.id, state: "sent" };
    let signals: object[] = [];
    /** Everybody sees the same: by REST, and by the marks that were pushed. */
    const all = async (state: string, of: Client, ...told: object[]): Promise<void> => {
      signals = [...signals, ...told];
      for (const client of [ann, laptop, bob]) {
        const { items, counts, total } = await receipts(client, id);
        expect(items).toEqual([admin, { userId: of.id, state }]);
        expect(counts).toEqual({ sent: 1, delivered: 0, read: 0, [state]: state === "sent" ? 2 : 1 });
        expect(total).toBe(2);
      }
      for (const device of devices) {
        await device.until("the marks", () => marksTold(device, room).length >= signals.length);
        expect(marksTold(device, room)).toEqual(signals);
      }
    };
    await all("sent", bob);
    await (devices[2] as SocketClient).request({ t: "delivered", room, seq });
    await all("delivered", bob, { t: "delivered", room, user: bob.id, seq });
    // Read for himself alone: nothing more for others.
    await (devices[2] as SocketClient).request({ t: "read", room, seq, private: true });
    await all("delivered", bob);
    expect(await unread(bob, room)).toEqual({ unread: 0, mentions: 0, lastSeq: seq, readSeq: seq });
    await post(bob, `/channels/${room}/read`, { seq });
    await all("read", bob, { t: "read", room, user: bob.id, seq });
    // What he takes back is his alone.
    await post(bob, `/channels/${room}/unread`, { seq });
    await all("read", bob);
    await (devices[2] as SocketClient).request({ t: "read", room, seq: 0 });
    await all("read", bob);
    const answer = await say(bob, room, "yes", { clientId: "yes" });
    await (devices[1] as SocketClient).request({ t: "read", room, seq: answer.seq });
    signals.push({ t: "read", room, user: ann.id, seq: answer.seq });
    for (const client of [ann, laptop, bob]) {
      expect((await receipts(client, answer.id)).items).toEqual([admin, { userId: ann.id, state: "read" }]);
      expect((await receipts(client, id)).items).toEqual([admin, { userId: bob.id, state: "read" }]);
    }
    await all("read", bob);
    // A tombstone keeps its receipts.
    await ann.delete(`/api/messages/${id}`);
    await all("read", bob);
    const delivery = { t: "delivered", room, user: ann.id, seq: answer.seq };
    for (const device of devices) expect(marksTold(device, room)).not.toContainEqual(delivery);
  });

  test("receipts list who was there when it was sent and still is, in pages with totals", async () => {
    const room = await stage.channel([ann, bob]);
    const { id } = await say(ann, room, "who is here?");
    const late = await stage.user("late");
    await post(late, `/channels/${room}/join`, {});
    const listed = async () => (await receipts(ann, id)).items.map(({ userId }: Body) => userId);
    expect(await listed()).toEqual([stage.admin.id, bob.id]);
    expect((await ann.get(`/api/messages/${id}/receipts?page=2&pageSize=1`)).body).toEqual({
      items: [{ userId: bob.id, state: "sent" }],
      page: 2,
      pageSize: 1,
      total: 2,
      counts: { sent: 2, delivered: 0, read: 0 },
    });
    await post(bob, `/channels/${room}/leave`, {});
    expect(await listed()).toEqual([stage.admin.id]);
    await post(bob, `/channels/${room}/join`, {});
    expect(await listed()).toEqual([stage.admin.id]);
    const next = await say(ann, room, "and now?");
    expect((await receipts(ann, next.id)).counts).toEqual({ sent: 3, delivered: 0, read: 0 });
  });

  test("a private read mark moves for all one's devices, and a lower public one later takes nothing back", async () => {
    const room = await stage.channel([ann, bob]);
    const [phone, desk] = [await bob.socket(), await (await stage.login(bob)).socket()];
    for (const text of ["1", "2", `3 @${bob.username}`, "4"]) await say(ann, room, text);
    await post(bob, `/channels/${room}/read`, { seq: 3, private: true });
    expect(await unread(bob, room)).toEqual({ unread: 1, mentions: 0, lastSeq: 4, readSeq: 3 });
    await post(bob, `/channels/${room}/read`, { seq: 1 });
    expect(await unread(bob, room)).toEqual({ unread: 1, mentions: 0, lastSeq: 4, readSeq: 3 });
    const told = [
      { kind: "read", data: { roomId: room, seq: 3, private: true } },
      { kind: "read", data: { roomId: room, seq: 1 } },
    ];
    for (const device of [phone, desk]) {
      await device.until("both notes", () => device.notes.length === 2);
      expect(device.notes).toMatchObject(told);
    }
    const { marks } = (await ann.get(`/api/channels/${room}/open`)).body;
    expect(marks.others).toContainEqual({ userId: bob.id, read: 1, delivered: 3 });
  });

  test("what is marked unread counts until one reads or sends; own and deleted messages never do", async () => {
    const room = await stage.channel([ann, bob]);
    await say(ann, room, "1");
    await say(bob, room, "2, my own");
    await say(ann, room, `3 @${bob.username}`);
    const fourth = await say(ann, room, "4");
    await say(bob, room, "5, my own");
    await ann.patch(`/api/messages/${fourth.id}`, { text: "4, edited" });
    const row = { unread: 0, mentions: 0, lastSeq: 5, readSeq: 5 };
    expect(await unread(bob, room)).toEqual(row);
    await post(bob, `/channels/${room}/unread`, { seq: 2 });
    expect(await unread(bob, room)).toEqual({ ...row, unread: 2, mentions: 1, unreadFrom: 2 });
    expect(await unread(ann, room)).not.toHaveProperty("unreadFrom");
    await ann.delete(`/api/messages/${fourth.id}`);
    expect(await unread(bob, room)).toEqual({ ...row, unread: 1, mentions: 1, unreadFrom: 2 });
    await say(ann, room, "6");
    expect(await unread(bob, room)).toEqual({ ...row, unread: 2, mentions: 1, lastSeq: 6, unreadFrom: 2 });
    await post(bob, `/channels/${room}/read`, { seq: 1 });
    expect(await unread(bob, room)).toEqual({ ...row, unread: 1, lastSeq: 6 });
    await post(bob, `/channels/${room}/unread`, { seq: 1 });
    await say(bob, room, "7, my own");
    expect(await unread(bob, room)).toEqual({ ...row, lastSeq: 7, readSeq: 7 });
    await post(bob, `/channels/${room}/unread`, { seq: 6 });
    await post(bob, `/channels/${room}/leave`, {});
    await say(ann, room, `8, while @${bob.username} is away`);
    await post(bob, `/channels/${room}/join`, {});
    expect(await unread(bob, room)).toEqual({ ...row, lastSeq: 8, readSeq: 8 });
    for (const seq of [0, 9, "x", -1]) await post(bob, `/channels/${room}/unread`, { seq }, 422);
    const stranger = await stage.user("stranger");
    await post(stranger, `/channels/${room}/unread`, { seq: 1 }, 403);
  });

  test("all rooms are marked read at once, told to one's devices in few notes and to others as ever", async () => {
    const user = await stage.user("reader");
    const rooms = [await stage.channel([user, ann]), await stage.direct(user, ann), await stage.channel([user])];
    for (const room of rooms.slice(0, 2)) for (const text of ["1", "2"]) await say(ann, room, text);
    const [device, other] = [await user.socket(), await ann.socket(rooms.slice(0, 2))];
    await post(user, "/read", { private: true });
    for (const room of rooms) expect(await unread(user, room)).toMatchObject({ unread: 0 });
    await say(ann, rooms[0] as string, "3");
    await post(user, `/channels/${rooms[1]}/unread`, { seq: 1 });
    await post(user, "/read", {});
    for (const room of rooms) {
      const row = await unread(user, room);
      expect(row).toEqual({ unread: 0, mentions: 0, lastSeq: row.lastSeq, readSeq: row.lastSeq });
    }
    await device.until("the notes", () => device.notes.length === 3);
    expect(device.notes.map(({ kind, data }) => [kind, data.private, data.marks?.length])).toEqual([
      ["readAll", true, 2],
      ["unread", undefined, undefined],
      ["readAll", undefined, 2],
    ]);
    await other.until("the signals", () => other.all("read").length === 2);
    expect([...other.all("delivered"), ...other.all("read")]).toEqual(
      expect.arrayContaining([
        { t: "delivered", room: rooms[0], user: user.id, seq: 2 },
        { t: "delivered", room: rooms[1], user: user.id, seq: 2 },
        { t: "read", room: rooms[0], user: user.id, seq: 3 },
        { t: "read", room: rooms[1], user: user.id, seq: 2 },
      ]),
    );
    await post(user, "/read", {});
    await post(user, "/read", { all: true }, 422);
    expect(device.notes).toHaveLength(3);
  });

  test("two devices that read, mark unread and send in any order agree with the server and each other", async () => {
    const room = await stage.direct(ann, bob);
    const clients = [bob, await stage.login(bob)];
    const from = { [room]: 0 };
    const devices = await Promise.all(clients.map(client => client.socket(from, { n: 0 })));
    const [phone] = devices as [SocketClient, SocketClient];
    let random = 20_261_122;
    const dice = (sides: number): number => (random = (random * 48_271) % 2_147_483_647) % sides;
    const sent: Body[] = [];
    const path = `/channels/${room}`;
    /** In a thread with one of the first messages, unless that is a reply, gone or hidden. */
    const reply = async (client: Client, text: string) => {
      const threadId = sent[dice(Math.min(sent.length, 3))]?.id;
      const { status, body } = await client.post(`/api${path}/messages`, { text, threadId });
      if (status === 201) sent.push(body);
    };
    const steps: (() => Promise<unknown>)[] = [
      async () => sent.push(await say(ann, room, dice(2) ? "news" : `@${bob.username}, news`)),
      async () => sent.push(await say(ann, room, "more news")),
      async () => sent.push(await say(clients[dice(2)] as Client, room, "mine")),
      () => post(clients[dice(2)] as Client, `${path}/read`, { seq: dice(sent.length + 1) }),
      () => post(clients[dice(2)] as Client, `${path}/read`, { seq: dice(sent.length + 1), private: true }),
      () => post(clients[dice(2)] as Client, `${path}/unread`, { seq: 1 + dice(sent.length) }),
      () => post(clients[dice(2)] as Client, `${path}/unread`, { seq: 1 + dice(sent.length) }),
      () => (dice(4) ? Promise.resolve() : post(bob, "/read", {})),
      () => reply(ann, dice(2) ? "in a thread" : `@${bob.username}, in a thread`),
      () => reply(ann, "more there"),
      () => reply(clients[dice(2)] as Client, "mine there"),
      async () => {
        const { id, seq } = sent[dice(sent.length)] as Body;
        await clients[dice(2)]?.post(`/api/messages/${id}/replies/read`, { seq: seq + dice(20) });
      },
      async () => {
        const own = sent[dice(sent.length)] as Body;
        if (own.senderId === ann.id)
          await ann.patch(`/api/messages/${own.id}`, { text: `@${bob.username} ${dice(99)}` });
      },
      async () => {
        if (dice(3) === 0) await clients[dice(2)]?.put(`/api/messages/${sent[dice(sent.length)]?.id}/hidden`);
      },
      async () => {
        const own = sent[dice(sent.length)];
        await (own?.senderId === bob.id ? bob : ann).delete(`/api/messages/${own?.id}`);
      },
    ];
    await steps[0]?.();
    let [marked, followed] = [0, 0];
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 5 }, () => steps[dice(steps.length)]?.()));
      const row = await unread(bob, room);
      for (const device of devices) {
        const same = (view: RoomView) => isDeepStrictEqual(view, row);
        await eventually("the device to know it all", () => viewOf(device, bob.id, room), same);
        await device.until("the same notes", () => device.n === phone.n);
      }
      if (row.unreadFrom !== undefined) marked++;
      if (row.threads !== undefined) followed++;
    }
    expect(Math.min(marked, followed)).toBeGreaterThan(1);
  });

  test("a burst of 500 marks costs a handful of notes, writes and signals", async () => {
    const room = await stage.channel([ann, bob]);
    for (let n = 0; n < 10; n++) await say(ann, room, `${n}`);
    const [reader, watcher] = [await bob.socket(), await ann.socket([room])];
    const frames = Array.from({ length: 500 }, (_, n) => ({ t: "read", room, seq: n + 1 }));
    for (const answer of await reader.requestJoined(frames)) expect(answer.t).toBe("ok");
    await watcher.frame("the last", ({ t, seq }) => t === "read" && seq === 10);
    await reader.settle();
    expect(reader.notes.filter(({ data }) => data.roomId === room).length).toBeLessThanOrEqual(3);
    expect(marksTold(watcher, room).length).toBeLessThanOrEqual(3);
  });

  describe("read at once", () => {
    test("a room: who subscribes from the position it was opened at misses nothing", async () => {
      const room = await stage.channel([ann, bob]);
      for (let n = 1; n <= 8; n++) await say(ann, room, `m${n}`);
      await post(bob, `/channels/${room}/read`, { seq: 5 });
      const opened = expectStatus(await bob.get(`/api/channels/${room}/open?limit=3`), 200).body;
      const { members: _members, history, marks, ...rest } = opened;
      expect(rest).toMatchObject({
        room: { id: room, memberCount: 3 },
        role: "member",
        seq: 8,
        epoch: expect.any(String),
      });
      expect(opened.room).toEqual((await bob.get(`/api/channels/${room}`)).body);
      expect(opened.members).toMatchObject({ page: 1, total: 3 });
      expect(opened.members.items.map(({ userId }: Body) => userId)).toEqual([stage.admin.id, ann.id, bob.id]);
      expect(marks).toEqual({
        mine: { unread: 3, mentions: 0, readSeq: 5, deliveredSeq: 5 },
        others: [
          { userId: stage.admin.id, read: 0, delivered: 0 },
          { userId: ann.id, read: 8, delivered: 8 },
        ],
      });
      expect(history.items.map(({ seq }: Body) => seq)).toEqual([6, 7, 8]);
      expect(history).toMatchObject({ hasBefore: true, hasAfter: false });
      const after = await say(ann, room, "later");
      const socket = await bob.socket({ [room]: opened.offset }, { epoch: opened.epoch });
      await socket.event(room, after.offset);
      expect(socket.events(room).map(({ offset }) => offset)).toEqual([opened.offset + 1]);
      const around = (await bob.get(`/api/conversations/${room}/open?around=4&limit=3`)).body.history;
      expect(around.items.map(({ seq }: Body) => seq)).toEqual([3, 4, 5]);
      const guest = await stage.user("guest");
      expect((await guest.get(`/api/channels/${room}/open`)).body).toMatchObject({ role: null, marks: { mine: null } });
      const hidden = await stage.channel([ann], { isPrivate: true });
      for (const id of [hidden, "no-room"])
        expect(await guest.get(`/api/channels/${id}/open`)).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    });

    test("the room list: every room of one's own, newest activity first, with last message, unread and mentions", async () => {
      const user = await stage.user("lister");
      const quiet = await stage.channel([user]);
      const busy = await stage.channel([user, ann]);
      const direct = await stage.direct(user, ann);
      const left = await stage.channel([user]);
      await say(ann, direct, "hello");
      const mention = await say(ann, busy, `hello @${user.username}`);
      await post(user, `/channels/${left}/leave`, {});
      const { items, ...page } = expectStatus(await user.get("/api/rooms"), 200).body;
      expect(page).toEqual({ page: 1, pageSize: 500, total: 3 });
      expect(items.map(({ room }: Body) => room.id)).toEqual([busy, direct, quiet]);
      const counts = { lastSeq: 1, readSeq: 0, unread: 1 };
      expect(items[0]).toEqual({
        ...counts,
        room: (await user.get(`/api/channels/${busy}`)).body,
        lastMessage: mention,
        mentions: 1,
      });
      expect(items[1]).toMatchObject({ ...counts, mentions: 0, lastMessage: { text: "hello" } });
      expect(items[1].room).toEqual({ ...(await user.get(`/api/conversations/${direct}`)).body, memberCount: 2 });
      expect(items[2]).toMatchObject({ lastMessage: null, lastSeq: 0, unread: 0 });
      const second = (await user.get("/api/rooms?page=2&pageSize=1")).body;
      expect(second).toMatchObject({ page: 2, pageSize: 1, total: 3, items: [{ room: { id: direct } }] });
      const socket = await user.socket();
      const called = await socket.request({ t: "call", method: "messages.overview", params: {} });
      expect(called.result.items).toHaveLength(3);
    });
  });
});
