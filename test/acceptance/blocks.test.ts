import { expectStatus, say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { startServer } from "../support/server";
import { SignalrClient } from "../support/signalr";
import { SocketioClient } from "../support/socketio";
import { TOLD, type SocketClient } from "../support/socket";

/** Ann blocks Bob. In a cluster their sockets are on different gateways. */
describe("a block", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
  });
  beforeEach(async () => {
    [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
  });
  afterAll(() => stage.end());

  const block = async (one = ann, other = bob) => expectStatus(await one.put(`/api/blocks/${other.id}`), 204);
  const unblock = async (one = ann, other = bob) => expectStatus(await one.delete(`/api/blocks/${other.id}`), 204);
  const statusOf = (socket: SocketClient, user: string): string | undefined =>
    socket
      .all("presence")
      .flatMap(({ changes }) => changes as { user: string; status: string }[])
      .filter(change => change.user === user)
      .at(-1)?.status;
  const sees = (socket: SocketClient, user: Client, status: string) =>
    socket.until(`${user.username} is ${status}`, () => statusOf(socket, user.id) === status);

  test("is in one's own list and told to one's own devices alone", async () => {
    const [mine, his] = [await ann.socket(), await bob.socket()];
    await block();
    await block();
    expect((await ann.get("/api/blocks")).body).toMatchObject({ items: [{ user: { id: bob.id } }], total: 1 });
    expect((await bob.get("/api/blocks")).body).toMatchObject({ items: [], total: 0 });
    await unblock();
    await unblock();
    await mine.until("two notes", () => mine.notes.length === 2);
    expect(mine.notes.map(({ kind, data }) => ({ kind, ...data }))).toEqual([
      { kind: "block", userId: bob.id, on: true },
      { kind: "block", userId: bob.id, on: false },
    ]);
    await his.settle();
    expect(his.notes).toEqual([]);
  });

  test("ends friendship and requests; a request of the blocked is answered like any other and kept from the blocker", async () => {
    expectStatus(await ann.put(`/api/friends/${bob.id}`), 200);
    expectStatus(await bob.put(`/api/friends/${ann.id}`), 200);
    const mine = await ann.socket();
    await block();
    for (const client of [ann, bob]) expect((await client.get("/api/friends")).body.total).toBe(0);
    const asked = await bob.put(`/api/friends/${ann.id}`);
    expect(asked).toMatchObject({ status: 200, body: { state: "requested" } });
    expect((await bob.put(`/api/friends/${ann.id}`)).body).toEqual({ state: "requested" });
    expect((await bob.get("/api/friends/requests")).body.outgoing).toMatchObject([{ user: { id: ann.id } }]);
    expect((await ann.get("/api/friends/requests")).body).toEqual({ incoming: [], outgoing: [] });
    expect(await ann.put(`/api/friends/${bob.id}`)).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    await unblock();
    // In one order for all: what came of the requests would have come before it.
    await mine.frame("the end of the block", ({ t, kind, data }) => t === "user" && kind === "block" && !data.on);
    expect(mine.notes.map(({ kind }) => kind)).toEqual(["block", "friend", "block"]);
    expect((await ann.get("/api/friends/requests")).body.incoming).toEqual([]);
    expect((await ann.put(`/api/friends/${bob.id}`)).body).toEqual({ state: "friends" });
  });

  test("and a request at the same time never leave the two as friends", async () => {
    for (let round = 0; round < 2; round++) {
      const [one, other] = (await stage.users("one", "other")) as [Client, Client];
      expectStatus(await one.put(`/api/friends/${other.id}`), 200);
      await Promise.all([block(one, other), other.put(`/api/friends/${one.id}`)]);
      for (const client of [one, other]) expect((await client.get("/api/friends")).body.total).toBe(0);
      expect((await one.get("/api/friends/requests")).body).toEqual({ incoming: [], outgoing: [] });
    }
  });

  test("keeps both from writing in their direct room, over every wire, and ends with it", async () => {
    const room = await stage.direct(ann, bob);
    const { id } = await say(bob, room, "before");
    const socket = await bob.socket([room]);
    const hub = await SignalrClient.open(stage.server.url, bob.token as string);
    const io = await SocketioClient.open(stage.server.url, bob.token as string);
    expect(await socket.request({ t: "send", room, text: "still", clientId: "c" })).toMatchObject({ t: "ok" });
    await block();
    const refused = async () => (await bob.patch(`/api/messages/${id}`, { text: "before" })).status === 403;
    await eventually("the writer knows", refused, Boolean, TOLD);
    expect(await socket.request({ t: "send", room, text: "x" })).toMatchObject({ t: "err", code: "FORBIDDEN" });
    expect(await socket.request({ t: "edit", room, id, text: "x" })).toMatchObject({ t: "err", code: "FORBIDDEN" });
    expect(await socket.request({ t: "react", room, id, emoji: "👍" })).toMatchObject({ code: "FORBIDDEN" });
    // What was sent before is answered as it was then.
    const again = await socket.request({ t: "send", room, text: "still", clientId: "c" });
    expect(again).toMatchObject({ t: "ok", duplicate: true });
    await expect(hub.invoke("SendMessage", room, "x")).rejects.toThrow("FORBIDDEN");
    expect(await io.ask("message", { channelId: room, text: "x" })).toMatchObject({ ok: false, code: "FORBIDDEN" });
    expect((await ann.post(`/api/conversations/${room}/messages`, { text: "x" })).status).toBe(403);
    expect((await ann.put(`/api/messages/${id}/pin`)).status).toBe(403);
    const { items } = (await bob.get(`/api/conversations/${room}/messages`)).body;
    expect(items.map(({ text }: { text: string }) => text)).toEqual(["before", "still"]);
    expectStatus(await bob.delete(`/api/messages/${id}`), 200);
    await unblock();
    const granted = async () => (await bob.post(`/api/conversations/${room}/messages`, { text: "y" })).status === 201;
    await eventually("the writer knows", granted, Boolean, TOLD);
    await hub.close();
    io.close();
  });

  test("is silent in the direct room: neither typing nor marks are told", async () => {
    const room = await stage.direct(ann, bob);
    const { seq } = await say(ann, room, "hello");
    const [mine, his] = [await ann.socket([room]), await bob.socket([room])];
    expect(await his.request({ t: "typing", room, on: true })).toMatchObject({ t: "ok" });
    await mine.frame("typing", ({ t }) => t === "typing");
    await block();
    const marked = () => mine.frames.filter(({ t, user }) => (t === "read" || t === "delivered") && user === bob.id);
    expect(await his.request({ t: "delivered", room, seq })).toMatchObject({ t: "ok" });
    expect(await his.request({ t: "read", room, seq })).toMatchObject({ t: "ok" });
    expect((await bob.post("/api/read", {})).status).toBe(204);
    expect(await his.request({ t: "typing", room, on: false })).toMatchObject({ t: "ok" });
    expect(await his.request({ t: "typing", room, on: true })).toMatchObject({ t: "ok" });
    expect((await bob.get("/api/unread")).body.items).toMatchObject([{ roomId: room, unread: 0 }]);
    await mine.settle();
    expect(marked()).toEqual([]);
    expect(mine.all("typing").filter(({ on }) => on)).toHaveLength(1);
    expect((await ann.get(`/api/conversations/${room}/open`)).body.marks.others[0].read).toBeLessThan(seq);
  });

  test("hides whether one is there from the blocked: REST, watch, SignalR and Socket.IO, at once and for ever", async () => {
    await stage.direct(ann, bob);
    const mine = await ann.socket();
    const watchers = [await bob.socket(), await bob.socket()];
    for (const socket of watchers) {
      await socket.request({ t: "watch", users: [ann.id] });
      await sees(socket, ann, "online");
    }
    const hub = await SignalrClient.open(stage.server.url, bob.token as string);
    const io = await SocketioClient.open(stage.server.url, bob.token as string);
    const lastOf = (client: SignalrClient) =>
      client
        .all("UserPresenceUpdate")
        .filter(([user]) => user === ann.id)
        .at(-1)?.[1];
    const heard = () => io.all("presence").filter(({ userId }) => userId === ann.id);
    await eventually("hub", () => lastOf(hub) === "online");
    await eventually("io", () => heard().at(-1)?.status === "online");
    await block();
    for (const socket of watchers) await sees(socket, ann, "offline");
    await eventually("hub", () => lastOf(hub) === "offline");
    await eventually("io", () => heard().at(-1)?.status === "offline");
    const counts = [hub.all("UserConnected").length, heard().length];
    // She goes and comes: of that nothing is told.
    await mine.close();
    const other = await stage.user();
    const witness = await other.socket();
    await witness.request({ t: "watch", users: [ann.id] });
    await sees(witness, ann, "offline");
    await ann.socket();
    await sees(witness, ann, "online");
    for (const socket of watchers) {
      await socket.request({ t: "watch", users: [ann.id, other.id] });
      await sees(socket, other, "online");
      expect(statusOf(socket, ann.id)).toBe("offline");
    }
    expect([hub.all("UserConnected").length, heard().length]).toEqual(counts);
    expect((await bob.get(`/api/users/${ann.id}`)).body.status).toBe("offline");
    // Each presence node learns it in its own time.
    await eventually("others see her", async () => (await other.get(`/api/users/${ann.id}`)).body.status === "online");
    await unblock();
    for (const socket of watchers) await sees(socket, ann, "online");
    await hub.close();
    io.close();
  });

  test("hides the blocker from search, and by id unless they share a room; he is not held from finding the blocked", async () => {
    const found = async (client: Client, who: Client) =>
      (await client.get(`/api/users?search=${who.username}`)).body.total;
    await block();
    expect([await found(bob, ann), await found(ann, bob)]).toEqual([0, 1]);
    expect(await bob.get(`/api/users/${ann.id}`)).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    expect((await ann.get(`/api/users/${bob.id}`)).status).toBe(200);
    expect(await found(stage.admin, ann)).toBe(1);
    await stage.channel([ann, bob], { isPrivate: true });
    await ann.socket();
    expect(await bob.get(`/api/users/${ann.id}`)).toMatchObject({ status: 200, body: { status: "offline" } });
    await unblock();
    expect(await found(bob, ann)).toBe(1);
  });

  test("keeps the blocked from beginning a conversation, a group, or adding one to a room: there is no such user", async () => {
    const carl = await stage.user();
    await block();
    const gone = { status: 404, body: { code: "NOT_FOUND" } };
    const begin = (type: string, members: Client[]) =>
      bob.post("/api/conversations", { type, members: members.map(({ id }) => id) });
    expect(await begin("direct", [ann])).toMatchObject(gone);
    expect(await begin("group", [carl, ann])).toMatchObject(gone);
    const group = expectStatus(await begin("group", [carl]), 201).body.id as string;
    const nobody = await bob.post(`/api/conversations/${group}/members`, { userId: "nobody" });
    const refused = await bob.post(`/api/conversations/${group}/members`, { userId: ann.id });
    expect(refused).toMatchObject(gone);
    expect(refused.body.detail).toBe(nobody.body.detail);
    await unblock();
    expect((await bob.post(`/api/conversations/${group}/members`, { userId: ann.id })).status).toBe(201);
  });

  test("changes nothing in rooms that both are in", async () => {
    const room = await stage.channel([ann, bob]);
    await block();
    const socket = await ann.socket([room]);
    const { offset } = await say(bob, room, "hello all");
    expect(await socket.event(room, offset)).toMatchObject({ data: { senderId: bob.id } });
  });

  test("of oneself is INVALID, of nobody NOT_FOUND", async () => {
    expect((await ann.put(`/api/blocks/${ann.id}`)).status).toBe(422);
    expect((await ann.put("/api/blocks/nobody")).status).toBe(404);
    expect((await ann.delete("/api/blocks/nobody")).status).toBe(404);
  });
});
