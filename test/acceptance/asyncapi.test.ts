import { CALLS, HUB_EVENTS, SOCKETIO_EVENTS } from "../../services/core/calls";
import { CLOSES } from "../../services/core/closes";
import { FRAMES } from "../../services/core/frames";
import { METHODS } from "../../services/core/methods";
import { Described } from "../support/asyncapi";
import { expectStatus, say, Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";
import { SignalrClient } from "../support/signalr";
import type { SocketClient } from "../support/socket";
import { SocketioClient } from "../support/socketio";

/** The document of the sockets: whole, made of what checks the frames, and true of all that is said in a session. */
describe("/api/asyncapi.json", () => {
  let stage: Stage;
  let document: Body;
  let described: Described;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    document = expectStatus(await stage.nobody.get("/api/asyncapi.json"), 200).body;
    described = new Described(document);
  });
  afterAll(() => stage.end());

  const at = (pointer: string): unknown =>
    pointer
      .slice(2)
      .split("/")
      .reduce<unknown>(
        (value, key) => (value as Body | undefined)?.[key.replaceAll("~1", "/").replaceAll("~0", "~")],
        document,
      );
  const references = (value: unknown): string[] => {
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, inner]) => (key === "$ref" ? [inner as string] : references(inner)));
  };
  /** Messages of a channel that nothing was like. */
  const unmet = (channel: string): string[] =>
    described.messages(channel).filter(name => !described.met.has(`${channel} ${name}`));

  test("is AsyncAPI 3, and every reference in it leads somewhere", () => {
    expect(document.asyncapi).toBe("3.0.0");
    const all = references(document);
    expect(all.length).toBeGreaterThan(50);
    expect(all.filter(reference => at(reference) === undefined)).toEqual([]);
  });

  test("has an operation for every frame, method and call, each with its answers; close codes, errors and limits", async () => {
    const { native, hub, socketio } = document.channels;
    const { operations } = document;
    for (const frame of Object.keys(FRAMES).filter(t => t !== "call")) {
      expect(native.messages).toHaveProperty([`client.${frame}`]);
      expect(operations[`native.${frame}`].reply.messages).toHaveLength(2);
    }
    for (const method of METHODS) expect(operations[`native.call.${method}`].reply.messages).toHaveLength(2);
    for (const [name, { hub: method }] of Object.entries(CALLS)) {
      expect(operations[`hub.${method}`].reply.messages).toHaveLength(2);
      expect(operations[`socketio.${name}`].reply.messages).toHaveLength(2);
    }
    for (const name of Object.keys(HUB_EVENTS)) expect(hub.messages).toHaveProperty([`server.${name}`]);
    for (const name of Object.keys(SOCKETIO_EVENTS)) expect(socketio.messages).toHaveProperty([`server.${name}`]);
    expect(native.messages["client.sub"].payload).toMatchObject({
      required: ["t", "rooms"],
      properties: { rooms: { type: "array", minItems: 1 }, mode: { enum: ["active", "passive"] } },
    });
    expect(document["x-close-codes"]).toHaveLength(Object.keys(CLOSES).length + 3);
    expect(document["x-close-codes"]).toContainEqual({
      code: 4103,
      reason: "session revoked",
      advice: "come back with a new token",
    });
    expect(document["x-errors"]).toContainEqual(expect.objectContaining({ code: "UNKNOWN_OUTCOME", status: 504 }));
    expect(document["x-limits"]).toEqual((await stage.nobody.get("/api/config")).body.limits);
  });

  test("is a page too, without a script or a foreign source, with every message, close code and shape", async () => {
    const { status, headers, body } = await stage.nobody.get("/api/docs/sockets");
    const page = body as string;
    expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(headers.get("content-security-policy")).toMatch(/default-src 'none'.*style-src 'self'/);
    expect(page).not.toMatch(/<script|<style|style="|(src|href)="(https?:)?\/\//);
    const shown = (what: string) => page.includes(what);
    const asked = ["native", "hub", "socketio"].flatMap(channel =>
      Object.entries<Body>(document.channels[channel].messages).filter(([name]) => !name.startsWith("answer.")),
    );
    expect(asked.filter(([, { title }]) => !shown(`<code>${title}</code>`))).toEqual([]);
    expect(Object.values(CLOSES).filter(({ code }) => !shown(`>${code}<`))).toEqual([]);
    expect(Object.keys(document.components.schemas).filter(name => !shown(`id="shape-${name}"`))).toEqual([]);
    const links = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id as string);
    expect(links.filter(id => !shown(`id="${id}"`))).toEqual([]);
  });

  /** Says a frame, and holds both it and its answer against the document. */
  async function ask(socket: SocketClient, frame: Record<string, unknown> & { t: string }, t = "ok"): Promise<Body> {
    const operation = frame.t === "call" ? `native.call.${String(frame.method)}` : `native.${frame.t}`;
    const answer = await socket.request(frame);
    if (t !== "err") described.asked(operation, { ...frame, i: 1 });
    described.answered(operation, answer);
    expect(answer).toMatchObject({ t });
    return answer;
  }
  const asks =
    (socket: SocketClient) =>
    async (method: string, params?: object): Promise<Body> =>
      (await ask(socket, { t: "call", method, ...(params && { params }) })).result;
  /** Everything the server said unasked, as it came. */
  const hold = (...sockets: SocketClient[]): void => {
    for (const { frames } of sockets)
      for (const frame of frames.filter(({ t }) => !["welcome", "ok", "err", "pong"].includes(t)))
        described.told("native", frame);
  };

  test("is true of a session over /ws: every frame both say, with no field that it does not name", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const room = await stage.channel([ann, bob], { isPrivate: true });
    const [one, other] = [await ann.connect(), await bob.connect()];
    await ask(one, { t: "hello", token: ann.token, rooms: { [room]: null } }, "welcome");
    await ask(other, { t: "hello", token: bob.token, n: 0 }, "welcome");
    await ask(await bob.connect(), { t: "hello", token: "nonsense" }, "err");
    const head = (await ask(other, { t: "sub", rooms: [room, "nowhere"] })).rooms[room];
    await ask(other, { t: "sub", rooms: [room], from: { [room]: head.offset - 1 } });
    await ask(other, { t: "sub", rooms: [room], from: { [room]: head.offset + 100 }, mode: "active" });
    await ask(one, { t: "ping" }, "pong");

    const form = new FormData();
    form.set("file", new Blob(["some text"]), "some.txt");
    const file = expectStatus(await ann.raw("POST", "/api/files", form), 201).body.id as string;
    const hello = { t: "send", room, clientId: "c-1", text: `hello @${bob.username}`, attachments: [file] };
    const { message } = await ask(one, { ...hello, metadata: { colour: "red" } });
    await ask(one, { ...hello, metadata: { colour: "red" } });
    await ask(one, { ...hello, text: "something else" }, "err");
    await ask(one, { t: "send", room }, "err");
    await ask(other, { t: "send", room, text: "an answer", replyTo: message.id });
    await ask(other, { t: "react", room, id: message.id, emoji: "👍" });
    await ask(one, { t: "edit", room, id: message.id, text: "hello again" });
    const reply = await ask(other, { t: "send", room, text: "in its thread", threadId: message.id });
    expectStatus(await stage.admin.put(`/api/messages/${message.id}/pin`), 200);
    expectStatus(await ann.post(`/api/messages/${message.id}/replies/read`, { seq: reply.message.seq }), 204);
    expectStatus(await bob.put(`/api/messages/${message.id}/hidden`), 204);
    await ask(one, { t: "history", room, around: 1, limit: 2 });
    await ask(one, { t: "delete", room, id: message.id });
    await ask(other, { t: "typing", room, on: true });
    await ask(one, { t: "send", room, text: "unread" });
    await ask(other, { t: "delivered", room, seq: 3 });
    await ask(other, { t: "read", room, seq: 3 });
    await ask(one, { t: "watch", users: [bob.id] });
    await ask(one, { t: "auth", token: ann.token });
    for (const t of ["typing", "read", "delivered", "presence"]) await one.frame(t, frame => frame.t === t);
    await one.event(room, (await one.frame("an edit", frame => frame.kind === "edit")).offset);

    const later = await stage.channel([ann], { isPrivate: true });
    const { id } = await say(ann, later, "before he comes");
    expectStatus(await stage.admin.post(`/api/channels/${later}/members`, { userId: bob.id, role: "guest" }), 201);
    await ask(other, { t: "sub", rooms: [later] });
    await ask(one, { t: "edit", room: later, id, text: "not for him" });
    await other.frame("that it is not", frame => frame.kind === "hidden");

    expectStatus(await bob.put(`/api/friends/${ann.id}`), 200);
    expectStatus(await bob.put(`/api/blocks/${ann.id}`), 204);
    expectStatus(await bob.patch("/api/users/me/preferences", { language: "en" }), 200);
    expectStatus(await bob.post(`/api/channels/${room}/unread`, { seq: 1 }), 204);
    expectStatus(await bob.post("/api/read", {}), 204);
    expectStatus(await stage.admin.patch(`/api/channels/${room}`, { topic: "weather" }), 200);
    const mute = `/api/channels/${room}/mutes/${bob.id}`;
    expectStatus(await stage.admin.put(mute, { until: "2099-01-01T00:00:00Z", reason: "noise" }), 204);
    expectStatus(await stage.admin.delete(mute), 204);
    expectStatus(await stage.admin.delete(`/api/channels/${room}/members/${bob.id}`), 204);
    await other.frame("access lost", ({ t }) => t === "unsub");
    expectStatus(await stage.admin.delete(`/api/channels/${room}`), 204);
    await one.frame("the end of the room", ({ kind, data }) => kind === "room" && data.deletedAt !== undefined);
    await one.frame("note thread", frame => frame.t === "user" && frame.kind === "thread");
    for (const kind of ["member", "read", "readAll", "unread", "delivered", "hide", "friend", "block", "preferences"])
      await other.frame(`note ${kind}`, frame => frame.t === "user" && frame.kind === kind);
    await ask(one, { t: "unsub", rooms: [room] });
    hold(one, other);

    // Large rooms, and what is said to those who fall behind, or whose time is up, do not happen here.
    const rare = ["user.reset", "reset", "bump", "expiring", "reconnect"].map(name => `server.${name}`);
    expect(unmet("native").filter(name => !/^(client|answer)\.call\./.test(name))).toEqual(rare);
  });

  test("is true of every method of call, with its parameters and its result", async () => {
    const [ann, bob, carl] = (await stage.users("ann", "bob", "carl")) as [Client, Client, Client];
    const [owner, socket] = [await stage.admin.socket(), await ann.socket()];
    const [admin, call] = [asks(owner), asks(socket)];
    const room = (await admin("rooms.create", { name: unique("room"), isPrivate: false, topic: "weather" }))
      .id as string;
    await ask(owner, { t: "sub", rooms: [room] });
    await call("users.me");
    await admin("auth.audit", { type: "login", result: "ok", limit: 3 });
    await call("users.updateMe", { displayName: "Ann" });
    await call("users.get", { id: bob.id });
    await call("users.list", { search: "a", page: 1, pageSize: 3 });
    await call("users.befriend", { userId: bob.id });
    await call("users.requests");
    await call("users.unfriend", { userId: bob.id });
    await call("users.friends", { page: 1 });
    await call("users.friendIds");
    await call("users.block", { userId: carl.id });
    await call("users.blocks", { pageSize: 3 });
    await call("users.unblock", { userId: carl.id });
    await call("users.updatePreferences", { language: "en", notifications: { rooms: { [room]: { level: "none" } } } });
    await call("users.preferences");
    await admin("users.update", { id: carl.id, roles: ["User", "Moderator"] });
    await admin("users.deactivate", { id: carl.id });
    await admin("users.activate", { id: carl.id });
    const second = await stage.login(ann);
    await call("auth.endOwn", { id: (await call("auth.ownSessions")).items[0].id });
    await call("auth.endOthers");
    expectStatus(await second.get("/api/users/me"), 401);
    const invitation = (await stage.admin.post("/api/invitations", { email: "dora@example.org" })).body;
    await admin("auth.invitations");
    await admin("auth.withdrawInvitation", { id: invitation.id });
    await admin("auth.roles");
    await admin("auth.setRole", { role: "Guest", permissions: ["files.upload"] });
    const bot = await admin("users.createBot", { username: unique("bot"), displayName: "A bot" });
    await admin("users.bots", { pageSize: 1 });
    await stage.admin.post(`/api/bots/${bot.id}/tokens`, { name: "one", scopes: ["files"] });
    const [made] = (await admin("auth.botTokens", { bot: bot.id })).items;
    await admin("auth.removeToken", { id: made.id });
    await admin("users.removeBot", { id: bot.id });
    await call("auth.tokens");
    await call("auth.totp");
    await call("auth.identities");
    await admin("auth.resetTotp", { id: bob.id });
    await call("rooms.list", { pageSize: 3 });
    await call("rooms.join", { id: room });
    await call("rooms.get", { id: room });
    await admin("rooms.update", { id: room, topic: null });
    await admin("rooms.addMember", { id: room, userId: bob.id, role: "moderator" });
    await call("rooms.members", { id: room });
    await admin("rooms.transfer", { id: room, userId: bob.id });
    await asks(await bob.socket())("rooms.transfer", { id: room, userId: stage.admin.id });
    await admin("rooms.mute", { id: room, userId: bob.id, until: "2099-01-01T00:00:00Z", reason: "noise" });
    await admin("rooms.members", { id: room });
    await admin("rooms.unmute", { id: room, userId: bob.id });
    await admin("rooms.removeMember", { id: room, userId: bob.id });
    await admin("rooms.ban", { id: room, userId: bob.id });
    await admin("rooms.bans", { id: room });
    await admin("rooms.unban", { id: room, userId: bob.id });
    const invite = await admin("rooms.invite", { id: room, uses: 2, expiresInHours: 1, role: "guest" });
    await admin("rooms.invites", { id: room });
    await call("rooms.invitation", { code: invite.code });
    await asks(await bob.socket())("rooms.accept", { code: invite.code });
    await admin("rooms.endInvite", { id: room, code: invite.code });
    await admin("rooms.archive", { id: room });
    await call("rooms.list", { archived: true });
    await admin("rooms.unarchive", { id: room });
    const group = await call("rooms.converse", { type: "group", members: [bob.id], name: "two" });
    await call("rooms.get", { id: group.id });
    await call("rooms.conversations");
    const { id } = await call("messages.send", { id: room, text: "hello", clientId: "c-1" });
    await call("messages.history", { id: room, page: 1 });
    await call("messages.history", { id: room, before: 7, limit: 2 });
    await call("messages.get", { id });
    await call("messages.edit", { id, text: "hello again" });
    await call("messages.react", { id, emoji: "👍" });
    await call("messages.unreact", { id, emoji: "👍" });
    await admin("messages.pin", { id });
    await call("messages.pins", { id: room });
    await admin("messages.unpin", { id });
    await call("messages.versions", { id });
    await call("messages.send", { id: room, text: "in its thread", threadId: id });
    await call("messages.replies", { id, limit: 1 });
    await call("messages.threads", { id: room });
    await call("messages.readThread", { id, seq: 2 });
    await call("messages.overview", { page: 1, pageSize: 5 });
    await call("messages.open", { id: room, limit: 5 });
    await call("messages.markUnread", { id: room, seq: 1 });
    await call("messages.readAll", { private: true });
    await call("messages.delivered", { id: room, seq: 1 });
    await call("messages.read", { id: room, seq: 1 });
    await call("messages.receipts", { id });
    await call("messages.unread");
    await call("messages.hide", { id });
    await call("messages.remove", { id });
    const file = expectStatus(await ann.raw("POST", "/api/files?name=x.txt", "text", {}), 201).body.id as string;
    await call("files.link", { id: file });
    await call("rooms.leave", { id: room });
    await admin("rooms.remove", { id: room });
    await admin("users.remove", { id: carl.id, erase: true });
    await admin("users.erasure", { id: carl.id });
    const logout = { t: "call", method: "auth.logout", params: {} };
    described.asked("native.call.auth.logout", logout);
    await socket.request(logout).catch(() => undefined);
    expect(await socket.untilClosed()).toMatchObject({ code: CLOSES.SESSION_REVOKED.code });
    hold(owner, socket);
    // The socket is closed with the session, mostly before that is answered.
    const unsure = "answer.call.auth.logout";
    const left = unmet("native").filter(name => /^(client|answer)\.call\./.test(name) && name !== unsure);
    expect(left).toEqual([]);
    await ask(owner, { t: "call", method: "rooms.get", params: { id: "nowhere" } }, "err");
  });

  test("is true of /stream: what a GET says, and what answers a POST", async () => {
    const ann = await stage.user("ann");
    const room = await stage.channel([ann]);
    const headers = { Authorization: `Bearer ${ann.token}` };
    const leave = new AbortController();
    const stream = await fetch(`${stage.server.url}/stream?rooms=${room}`, { headers, signal: leave.signal });
    const reader = (stream.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!/^data: .*\n/m.test(text)) text += (await reader.read()).value ?? "";
    const open = document.operations["stream.open"];
    const welcome = JSON.parse(/^data: (.*)\n/m.exec(text)?.[1] ?? "") as Body;
    described.answered("native.hello", welcome);
    expect(open.messages).toContainEqual({ $ref: "#/channels/stream/messages/answer.welcome" });
    expect(document.operations["stream.say"].messages).not.toContainEqual({
      $ref: "#/channels/stream/messages/client.hello",
    });
    for (const [frame, t] of [
      [{ t: "send", room, text: "hello", i: 7 }, "ok"],
      [{ t: "history", room }, "ok"],
      [{ t: "fly" }, "err"],
      [{ t: "ping" }, "pong"],
    ] as const) {
      const url = `${stage.server.url}/stream?session=${encodeURIComponent(welcome.session)}`;
      const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(frame) });
      const body = (await answer.json()) as Body;
      expect(body).toMatchObject({ t });
      if (t !== "err") described.asked("stream.say", frame);
      described.answered("stream.say", body);
    }
    leave.abort();
  });

  test("is true of SignalR: what is invoked, what it completes or fails with, and what handlers are called with", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const [room, direct] = [await stage.channel([]), await stage.direct(ann, bob)];
    const one = await SignalrClient.open(stage.server.url, ann.token as string);
    const invoke = async (client: SignalrClient, name: string, ...args: unknown[]): Promise<Body> => {
      described.asked(`hub.${name}`, args);
      const result = await client.invoke(name, ...args);
      described.answered(`hub.${name}`, result);
      return result;
    };
    const received = (client: SignalrClient, name: string) => eventually(name, () => client.all(name).length > 0);
    // Signed in by then, he watches the other before that one comes: who is there already is no news.
    await invoke(one, "JoinChannel", room);
    const other = await SignalrClient.open(stage.server.url, bob.token as string);
    await invoke(other, "JoinChannel", room);
    await invoke(one, "SendMessage", room, "hello");
    const { id } = await invoke(one, "SendMessage", room, { text: "hello", clientId: "c-1", metadata: { a: 1 } });
    await invoke(one, "SendMessage", direct, { text: "psst" });
    await invoke(one, "JoinChannel", room, 1);
    await invoke(one, "EditMessage", id, "hello again");
    await invoke(other, "React", id, "👍", true);
    await invoke(other, "Typing", room, true);
    await invoke(other, "MarkDelivered", room, 1);
    await invoke(other, "MarkRead", room, 1);
    await invoke(one, "DeleteMessage", id);
    await invoke(one, "LeaveChannel", room);
    const refusal = (await one.invoke("JoinChannel", "nowhere").catch((error: unknown) => error)) as Error;
    described.answered("hub.JoinChannel", refusal.message);
    for (const name of [
      "UserConnected",
      "UserPresenceUpdate",
      "ReceivePrivateMessage",
      "ReactionChanged",
      "UserTyping",
    ])
      await received(one, name);
    for (const name of ["ReceiveMessage", "MessageUpdated", "MessageDeleted"]) await received(other, name);
    await other.close();
    await eventually("he has gone", () => one.all("UserDisconnected").length > 0, Boolean, 60_000);
    for (const { name, args } of [...one.called, ...other.called]) described.told("hub", args, name);
    await one.close();
    expect(unmet("hub")).toEqual([]);
  }, 90_000);

  test("is true of Socket.IO: what is emitted and acknowledged, and what listeners are called with", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const [room, direct] = [await stage.channel([]), await stage.direct(ann, bob)];
    const one = await SocketioClient.open(stage.server.url, ann.token as string);
    const other = await SocketioClient.open(stage.server.url, bob.token as string);
    const emit = async (client: SocketioClient, name: string, said: unknown, ok = true): Promise<Body> => {
      if (ok) described.asked(`socketio.${name}`, said);
      const acknowledged = await client.ask(name, said);
      described.answered(`socketio.${name}`, acknowledged);
      expect(acknowledged).toMatchObject({ ok });
      return acknowledged;
    };
    await emit(one, "join", room);
    await emit(other, "join", { channelId: room, afterSeq: 0 });
    const hello = { channelId: room, text: "hello", clientId: "c-1" };
    const { id } = (await emit(one, "message", hello)).message;
    expect(await emit(one, "message", hello)).toMatchObject({ duplicate: true });
    await emit(one, "message", { ...hello, text: "something else" }, false);
    await emit(one, "message", { channelId: direct, text: "psst" });
    await emit(one, "edit", { id, text: "hello again" });
    await emit(other, "react", { id, emoji: "👍", on: true });
    await emit(other, "typing", { channelId: room, isTyping: true });
    await emit(other, "delivered", { channelId: room, seq: 1 });
    await emit(other, "read", { channelId: room, seq: 1 });
    await emit(one, "delete", { id });
    const events = Object.keys(SOCKETIO_EVENTS).filter(name => name !== "typing" && name !== "presence");
    for (const name of events) await eventually(name, () => other.all(name).length > 0);
    for (const name of ["typing", "presence"]) await eventually(name, () => one.all(name).length > 0);
    await emit(one, "leave", { channelId: room });
    for (const { name, data } of [...one.told, ...other.told]) described.told("socketio", data, name);
    for (const client of [one, other]) client.close();
    expect(unmet("socketio")).toEqual([]);
  });
});
