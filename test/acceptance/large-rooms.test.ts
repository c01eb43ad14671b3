import { join } from "node:path";
import { connect } from "../../mixins/sqlite/driver";
import { expectStatus, say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { describeEmbedded, describeOwn, startServer, type Server } from "../support/server";
import { TOLD, type Frame, type SocketClient } from "../support/socket";
import { StreamClient } from "../support/stream";

/** Rooms of more than three members are large here. Sockets come to every gateway in turn. */
describeOwn("a large room", () => {
  let server: Server;
  let stage: Stage;
  let ann: Client;
  let bob: Client;
  let carl: Client;
  let room: string;

  beforeAll(async () => {
    server = await startServer({ env: { LIMIT_LARGE_ROOM: "3", LIMIT_GROUP_MEMBERS: "3" } });
    stage = await Stage.on(server);
    [ann, bob, carl] = (await stage.users("ann", "bob", "carl")) as [Client, Client, Client];
    room = await stage.channel([ann, bob, carl]);
  });
  afterAll(() => stage.end());

  const bumps = (socket: SocketClient) => socket.all("bump");
  const bump = (socket: SocketClient, id: string, offset: number) =>
    socket.frame(`bump to ${offset}`, frame => frame.t === "bump" && frame.room === id && frame.offset >= offset);
  const state = async (answer: Promise<Frame>, id = room) => (await answer).rooms[id];
  const passively = async (user: Client, id = room): Promise<SocketClient> => {
    const socket = await user.socket();
    expect(await state(socket.sub([id], undefined, "passive"), id)).toMatchObject({ state: "live", mode: "passive" });
    return socket;
  };

  test("tells passive readers on every gateway how far it is, in place of events, and few times of many", async () => {
    const active = await ann.socket([room]);
    const passive = await Promise.all([bob, bob, carl].map(user => passively(user)));
    const texts = Array.from({ length: 30 }, (_, n) => `message ${n}`);
    const messages = await Promise.all(texts.map(text => say(carl, room, text)));
    const { offset, seq } = messages.toSorted((one, other) => one.offset - other.offset).at(-1);
    await active.event(room, offset);
    for (const socket of passive) {
      expect(await bump(socket, room, offset)).toEqual({ t: "bump", room, offset, seq });
      expect(bumps(socket).length).toBeLessThan(messages.length);
      expect(socket.events(room)).toEqual([]);
    }
    expect(bumps(active)).toEqual([]);
  });

  test("shows receipts page by page in order of user id, and counts none; private marks stay private", async () => {
    const large = await stage.channel([ann, bob, carl]);
    const { id, seq } = await say(ann, large, "who read it?");
    const late = await stage.user("late");
    expectStatus(await late.post(`/api/channels/${large}/join`), 204);
    expectStatus(await bob.post(`/api/channels/${large}/read`, { seq }), 204);
    expectStatus(await carl.post(`/api/channels/${large}/read`, { seq, private: true }), 204);
    const states: [string, string][] = [];
    for (let page = 1; page <= 4; page++) {
      const { body } = await ann.get(`/api/messages/${id}/receipts?page=${page}&pageSize=1`);
      // Late came after it: he is a member, and has no receipt.
      expect(body).toMatchObject({ page, pageSize: 1, total: 4 });
      expect(body).not.toHaveProperty("counts");
      states.push(...body.items.map(({ userId, state: how }: Body) => [userId, how]));
    }
    const expected: [string, string][] = [
      [stage.admin.id, "sent"],
      [bob.id, "read"],
      [carl.id, "delivered"],
    ];
    expect(states).toEqual(expected.toSorted(([one], [other]) => (one < other ? -1 : 1)));
    const { body: all } = await ann.get(`/api/messages/${id}/receipts`);
    expect(all.items).toHaveLength(3);
  });

  test("a group takes no more members than it may have, and says so (S27: REST)", async () => {
    const made = await ann.post("/api/conversations", { type: "group", members: [bob.id, carl.id], name: "three" });
    const { body, status } = await ann.post(`/api/conversations/${made.body.id}/members`, { userId: stage.admin.id });
    expect([status, body.code, body.detail]).toEqual([409, "CONFLICT", "A group has at most 3 members."]);
    const more = { type: "group", members: [bob.id, carl.id, stage.admin.id], name: "four" };
    expect((await ann.post("/api/conversations", more)).status).toBe(422);
    expect((await ann.get("/api/config")).body.limits.groupMembers).toBe(3);
  });

  test("is read actively from where one was without a hole, passively again, and then not at all", async () => {
    const socket = await passively(bob);
    const from = (await socket.sub([room], undefined, "passive")).rooms[room].offset;
    await say(ann, room, "one");
    await say(ann, room, "two");
    await bump(socket, room, from + 2);
    expect(await state(socket.sub([room], { [room]: from }, "active"))).toEqual(
      expect.objectContaining({ state: "replayed", offset: from + 2 }),
    );
    await say(ann, room, "three");
    await socket.event(room, from + 3);
    expect(socket.events(room).map(({ data }) => data.text)).toEqual(["one", "two", "three"]);
    // Whatever one names, nothing is replayed to who reads passively.
    expect(await state(socket.sub([room], { [room]: from }, "passive"))).toMatchObject({
      ...{ state: "live", mode: "passive", offset: from + 3 },
    });
    await say(ann, room, "four");
    await bump(socket, room, from + 4);
    expect(socket.events(room)).toHaveLength(3);
    expect(await socket.request({ t: "unsub", rooms: [room] })).toMatchObject({ t: "ok" });
    const before = bumps(socket).length;
    const other = await passively(carl);
    await say(ann, room, "five");
    await bump(other, room, from + 5);
    await socket.settle();
    expect(bumps(socket)).toHaveLength(before);
  });

  test("is silent of typing and receipts, which count all the same", async () => {
    const watcher = await ann.socket([room]);
    const [typist] = await Promise.all([bob.socket([room])]);
    const { seq } = await say(ann, room, "read this");
    expect(await typist.request({ t: "typing", room, on: true })).toMatchObject({ t: "ok" });
    expect(await typist.request({ t: "read", room, seq })).toMatchObject({ t: "ok" });
    await typist.frame("his note", ({ t, kind, data }) => t === "user" && kind === "read" && data.seq === seq);
    const stranger = await (await stage.user()).socket([room]);
    expect(await stranger.request({ t: "typing", room, on: true })).toMatchObject({ t: "err", code: "FORBIDDEN" });
    const { offset } = await say(carl, room, "after it");
    await watcher.event(room, offset);
    expect([...watcher.all("typing"), ...watcher.all("read"), ...watcher.all("delivered")]).toEqual([]);
    const { items } = (await bob.get("/api/unread")).body;
    expect(items).toContainEqual(expect.objectContaining({ roomId: room, readSeq: seq, unread: 1 }));
  });

  test("takes in who comes by himself without a word to the others, and tells that he leaves", async () => {
    const id = await stage.channel([ann, bob, carl]);
    const watcher = await ann.socket([id]);
    const last = await say(ann, id, "before he came");
    const dora = await stage.user("dora");
    const hers = await dora.socket([id]);
    expectStatus(await dora.post(`/api/channels/${id}/join`), 204);
    const note = await hers.frame("her note", ({ t, kind }) => t === "user" && kind === "member");
    expect(note.data).toMatchObject({ roomId: id, change: "join", room: { id, role: "member", memberCount: 5 } });
    expect((await dora.get("/api/unread")).body.items).toEqual([
      { roomId: id, unread: 0, mentions: 0, lastSeq: 1, readSeq: 1 },
    ]);
    const sent = await say(dora, id, "here I am");
    expect(sent.offset).toBe(last.offset + 1);
    expectStatus(await dora.post(`/api/channels/${id}/leave`), 204);
    expectStatus(await dora.post(`/api/channels/${id}/messages`, { text: "too late" }), 403);
    const left = await watcher.event(id, sent.offset + 1);
    expect([left.kind, left.data]).toEqual(["member", { userId: dora.id, change: "leave" }]);
  });

  test("that becomes private keeps its members, however they came, and cuts all others", async () => {
    const id = await stage.channel([ann, bob, carl]);
    const [dora, eve] = (await stage.users("dora", "eve")) as [Client, Client];
    const [hers, passive, active] = [await dora.socket([id]), await passively(eve, id), await eve.socket([id])];
    expectStatus(await dora.post(`/api/channels/${id}/join`), 204);
    expectStatus(await stage.admin.patch(`/api/channels/${id}`, { isPrivate: true }), 200);
    for (const socket of [passive, active])
      expect(await socket.frame("unsub", ({ t }) => t === "unsub", TOLD)).toMatchObject({
        room: id,
        code: "NOT_FOUND",
      });
    await hers.frame("her reset", ({ t, room: of }) => t === "reset" && of === id);
    const secret = await say(ann, id, "among ourselves");
    await hers.event(id, secret.offset);
    for (const socket of [passive, active]) await socket.settle();
    expect([bumps(passive), active.events(id).map(({ kind }) => kind)]).toEqual([expect.anything(), ["room"]]);
    expect(bumps(passive).every(({ offset }) => offset < secret.offset)).toBe(true);
  });

  test("that is private lets nobody listen, actively or passively, who has left or was taken out", async () => {
    const id = await stage.channel([ann, bob, carl], { isPrivate: true });
    const sockets = await Promise.all([
      passively(bob, id),
      passively(bob, id),
      passively(carl, id),
      passively(carl, id),
    ]);
    expectStatus(await bob.post(`/api/channels/${id}/leave`), 204);
    expectStatus(await stage.admin.delete(`/api/channels/${id}/members/${carl.id}`), 204);
    for (const socket of sockets)
      expect(await socket.frame("unsub", ({ t }) => t === "unsub", TOLD)).toMatchObject({
        room: id,
        code: "NOT_FOUND",
      });
    const kept = sockets.map(socket => bumps(socket).length);
    const { offset } = await say(ann, id, "without them");
    await (await ann.socket({ [id]: offset - 1 })).event(id, offset);
    for (const socket of sockets) await socket.settle();
    expect(sockets.map(socket => bumps(socket).length)).toEqual(kept);
  });

  test("only: another room is read actively whatever one says, and says so", async () => {
    const small = await stage.channel([ann]);
    const socket = await ann.socket();
    const answer = await socket.sub([small, room], undefined, "passive");
    expect([answer.rooms[small].mode, answer.rooms[room].mode]).toEqual([undefined, "passive"]);
    const { offset } = await say(ann, small, "hello");
    await socket.event(small, offset);
    // Of the large room a bump of what was said before may still come.
    expect(bumps(socket).filter(({ room: of }) => of === small)).toEqual([]);
  });

  test("is read passively over /stream as well", async () => {
    const stream = await StreamClient.open(server.url, bob.token as string);
    const subscribed = await stream.request({ t: "sub", rooms: [room], mode: "passive" });
    expect(subscribed).toMatchObject({ rooms: { [room]: { mode: "passive" } } });
    const { offset, seq } = await say(ann, room, "over HTTP");
    await eventually("the bump", () => stream.frames.some(frame => frame.t === "bump" && frame.offset === offset));
    const told = stream.frames.filter(({ room: of }) => of === room);
    expect([told.at(-1), told.every(({ t }) => t === "bump")]).toEqual([{ t: "bump", room, offset, seq }, true]);
    stream.close();
    await stream.ended;
  });

  test("lists its members by ranges and by name, over REST and over a socket", async () => {
    const path = `/api/channels/${room}/members`;
    const first = expectStatus(await bob.get(`${path}?limit=3`), 200).body;
    expect(first).toMatchObject({ hasAfter: true, limit: 3 });
    const rest = expectStatus(await bob.get(`${path}?limit=3&afterUser=${first.items[2].userId}`), 200).body;
    expect(rest.hasAfter).toBe(false);
    const ids = [...first.items, ...rest.items].map(({ userId }: { userId: string }) => userId);
    expect(ids).toEqual([stage.admin.id, ann.id, bob.id, carl.id].sort());
    const socket = await bob.socket();
    const params = { id: room, prefix: ann.username.slice(0, -1).toUpperCase() };
    const { result } = await socket.request({ t: "call", method: "rooms.members", params });
    expect(result).toMatchObject({
      items: [{ userId: ann.id, username: ann.username, role: "member" }],
      hasAfter: false,
    });
    expectStatus(await bob.get(`${path}?limit=3&page=1`), 422);
    expectStatus(await bob.get(`${path}?prefix=`), 422);
  });

  describeEmbedded("when somebody sends", () => {
    test("the message and his mark are written, nothing for each member", async () => {
      const sockets = await Promise.all([ann, bob, carl].map(member => member.socket([room])));
      const file = join(server.process.dataDir, "rookery.db");
      await say(stage.admin, room, "before");
      const before = rowsOf(file);
      const { offset } = await say(stage.admin, room, "hello, everybody");
      for (const socket of sockets) await socket.event(room, offset);
      const after = rowsOf(file);
      const fresh = [...after].filter(row => !before.has(row)).map(row => row.split(" ")[0]);
      expect(fresh.sort()).toEqual(["entries", "marks"]);
      expect(after.size).toBe(before.size + 1);
    });
  });
});

/** Every row of every table of a store, as text. */
function rowsOf(file: string): Set<string> {
  const database = connect(file);
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[];
    return new Set(
      tables.flatMap(({ name }) =>
        database
          .prepare(`SELECT * FROM "${name}"`)
          .all()
          .map(row => `${name} ${JSON.stringify(row)}`),
      ),
    );
  } finally {
    database.close();
  }
}
