import { decode } from "jsonwebtoken";
import { expectStatus, say, Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Answer, Body, Rest } from "../support/rest";
import { describeOwn, startServer } from "../support/server";
import { SignalrClient } from "../support/signalr";
import { SocketClient } from "../support/socket";
import { SocketioClient } from "../support/socketio";

const ALL = ["messages:read", "messages:write", "rooms:read", "rooms:write", "users:read", "users:write", "files"];

describe("tokens of programs", () => {
  let stage: Stage;
  let ann: Client;
  let room: string;
  const sockets: SocketClient[] = [];

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    ann = await stage.user("ann");
    room = await stage.channel([ann]);
  });
  afterAll(async () => {
    for (const socket of sockets) socket.cut();
    await stage.end();
  });

  async function make(scopes: string[], who: Rest = ann): Promise<{ id: string; token: string }> {
    return expectStatus(await who.post("/api/auth/tokens", { name: "program", scopes }), 201).body;
  }
  const exchange = (token: string): Promise<Answer> => stage.nobody.post("/api/auth/token", { token });
  const as = (token: string): Rest => stage.nobody.as(token);
  const open = async (): Promise<SocketClient> => {
    const socket = await SocketClient.open(stage.server.wsUrl);
    sockets.push(socket);
    return socket;
  };
  const greeted = async (token: string): Promise<SocketClient> => {
    const socket = await open();
    expect(await socket.hello(token, { [room]: null })).toMatchObject({ t: "welcome", user: { id: ann.id } });
    return socket;
  };

  test("are shown once, listed without their secret, exchanged, and refused from their end on", async () => {
    const made = await ann.post("/api/auth/tokens", { name: "nightly", scopes: ["users:read"], expiresInDays: 7 });
    const { token, ...facts } = expectStatus(made, 201).body as Body;
    expect(token).toMatch(/^rkp_/);
    expect(Date.parse(facts.expiresAt) - Date.parse(facts.createdAt)).toBeCloseTo(7 * 86_400_000, -4);
    expect((await ann.get("/api/auth/tokens")).body.items).toContainEqual(facts);

    const { accessToken, expiresIn } = expectStatus(await exchange(token), 200).body;
    expect(decode(accessToken)).toMatchObject({
      sub: ann.id,
      sid: facts.id,
      scope: "users:read",
      permissions: ["users.find"],
    });
    expect(expiresIn).toBeGreaterThan(0);
    for (const bearer of [accessToken, token])
      expect((await as(bearer).get("/api/users/me")).body).toMatchObject({ id: ann.id });
    const used = (await ann.get("/api/auth/tokens")).body.items.find(({ id }: Body) => id === facts.id);
    expect(Date.now() - Date.parse(used.lastUsedAt)).toBeLessThan(60_000);

    const other = await stage.user("eve");
    expect((await other.delete(`/api/auth/tokens/${facts.id}`)).status).toBe(404);
    expect((await ann.delete(`/api/auth/tokens/${facts.id}`)).status).toBe(204);
    expect((await ann.delete(`/api/auth/tokens/${facts.id}`)).status).toBe(404);
    expect((await exchange(token)).status).toBe(401);
    for (const bearer of [accessToken, token])
      await eventually(
        "it is refused everywhere",
        () => as(bearer).get("/api/users/me"),
        ({ status }) => status === 401,
      );
    expect((await ann.get("/api/users/me")).status).toBe(200);
  });

  test("close the sockets of those who use one that is ended, and no others", async () => {
    const [one, other] = [await make(ALL), await make(ALL)];
    const { accessToken } = (await exchange(one.token)).body;
    const [direct, exchanged, kept] = [
      await greeted(one.token),
      await greeted(accessToken),
      await greeted(other.token),
    ];
    await ann.delete(`/api/auth/tokens/${one.id}`);
    const ends = await Promise.all([direct.untilClosed(), exchanged.untilClosed()]);
    expect(ends).toMatchObject([{ code: 4103 }, { code: 4103 }]);
    expect(await kept.request({ t: "ping" })).toMatchObject({ t: "pong" });
  });

  test("are as good as an access token at every door, and frames said before the answer to hello wait for it", async () => {
    const { token } = await make(ALL);
    const message = await say(as(token), room, "over REST");
    expect(message).toMatchObject({ senderId: ann.id });
    const socket = await open();
    const hello = socket.hello((await make(ALL)).token);
    const [subscribed, sent] = await Promise.all([
      socket.request({ t: "sub", rooms: [room] }),
      socket.request({ t: "send", room, text: "at once" }),
    ]);
    expect(await hello).toMatchObject({ t: "welcome" });
    expect([subscribed.t, sent.t]).toEqual(["ok", "ok"]);
    expect(await socket.request({ t: "auth", token })).toMatchObject({ t: "ok" });
    expect(await socket.request({ t: "auth", token: "rkp_nonsense" })).toMatchObject({
      t: "err",
      code: "UNAUTHENTICATED",
    });

    const signalr = await SignalrClient.open(stage.server.url, (await make(ALL)).token);
    await signalr.invoke("JoinChannel", room);
    expect(await signalr.invoke("SendMessage", room, "over SignalR")).toMatchObject({ senderId: ann.id });
    await signalr.close();
    const socketio = await SocketioClient.open(stage.server.url, (await make(ALL)).token);
    expect(await socketio.ask("message", { channelId: room, text: "over Socket.IO" })).toMatchObject({ ok: true });
    socketio.close();
    const leave = new AbortController();
    const headers = { Authorization: `Bearer ${(await make(ALL)).token}` };
    const stream = await fetch(`${stage.server.url}/stream?rooms=${room}`, { headers, signal: leave.signal });
    expect(stream.status).toBe(200);
    leave.abort();
    for (const bad of ["rkp_nonsense", token.slice(0, -1) + (token.endsWith("A") ? "B" : "A")]) {
      expect((await as(bad).get("/api/users/me")).status).toBe(401);
      const refused = await open();
      expect(await refused.hello(bad)).toMatchObject({ t: "err", code: "UNAUTHENTICATED" });
      expect(await refused.untilClosed()).toMatchObject({ code: 4101 });
    }
  });

  test("do what their scopes name and nothing else, whatever the wire", async () => {
    const reader = await make(["messages:read", "rooms:read"]);
    const rest = as(reader.token);
    const { id } = await say(ann, room, "read this");
    expect((await rest.get(`/api/messages/${id}`)).status).toBe(200);
    expect((await rest.get("/api/channels")).status).toBe(200);
    const refused = { status: 403, body: { code: "FORBIDDEN" } };
    expect(await rest.post(`/api/channels/${room}/messages`, { text: "no" })).toMatchObject(refused);
    expect(await rest.put(`/api/messages/${id}/reactions/x`)).toMatchObject(refused);
    expect(await rest.get("/api/users/me")).toMatchObject(refused);
    expect(await rest.post("/api/channels", { name: unique("no") })).toMatchObject(refused);
    expect(await rest.raw("POST", "/api/files?name=x.txt", "text")).toMatchObject(refused);
    // Accounts are for people, whatever the scopes.
    const all = as((await make([...ALL, "admin", "introspect"])).token);
    for (const [method, path, body] of [
      ["POST", "/api/auth/tokens", { name: "more", scopes: ["files"] }],
      ["GET", "/api/auth/tokens"],
      ["GET", "/api/auth/totp"],
      ["POST", "/api/auth/totp", { password: ann.password }],
      ["POST", "/api/auth/logout"],
    ] as const)
      expect(await all.request(method, path, body)).toMatchObject(refused);

    const socket = await greeted(reader.token);
    expect(await socket.request({ t: "history", room })).toMatchObject({ t: "ok" });
    for (const frame of [
      { t: "send", room, text: "no" },
      { t: "edit", room, id, text: "no" },
      { t: "delete", room, id },
      { t: "react", room, id, emoji: "x" },
      { t: "typing", room },
      { t: "read", room, seq: 1 },
      { t: "watch", users: [] },
      { t: "call", method: "messages.send", params: { id: room, text: "no" } },
      { t: "call", method: "users.me" },
    ])
      expect(await socket.request(frame)).toMatchObject({ t: "err", code: "FORBIDDEN" });
    const signalr = await SignalrClient.open(stage.server.url, reader.token);
    await expect(signalr.invoke("SendMessage", room, "no")).rejects.toThrow(/FORBIDDEN/);
    await signalr.close();
    const socketio = await SocketioClient.open(stage.server.url, reader.token);
    expect(await socketio.ask("message", { channelId: room, text: "no" })).toMatchObject({
      ok: false,
      code: "FORBIDDEN",
    });
    socketio.close();
    const writer = (await make(["messages:write"])).token;
    const deaf = await open();
    expect(await deaf.hello(writer)).toMatchObject({ t: "err", code: "FORBIDDEN" });
    expect((await as(writer).get(`/api/messages/${id}`)).status).toBe(403);
    await say(as(writer), room, "but this");
    expect((await ann.get(`/api/messages/${id}`)).body).toMatchObject({ text: "read this" });
  });

  test("of an Admin do what Admins may with the scope for it alone, and follow his roles", async () => {
    const chief = await stage.withRoles("chief", ["Admin"]);
    const [plain, full] = [as((await make(ALL, chief)).token), as((await make([...ALL, "admin"], chief)).token)];
    const path = `/api/users/${ann.id}`;
    expect((await plain.patch(path, { displayName: "Ann" })).status).toBe(403);
    expect((await plain.get(path)).body.email).toBeUndefined();
    expect((await full.patch(path, { displayName: "Ann" })).body).toMatchObject({
      email: `${ann.username}@example.org`,
    });
    expect((await plain.post("/api/channels", { name: unique("made") })).status).toBe(201);
    expectStatus(await stage.admin.patch(`/api/users/${chief.id}`, { roles: ["User"] }), 200);
    await eventually(
      "the token is what its user is now",
      () => full.patch(path, { displayName: "Ann" }),
      ({ status }) => status === 403,
    );
    expect((await full.get(path)).status).toBe(200);
  });

  test("of bots are made by those who manage bots, and end with the bot", async () => {
    const username = unique("bot");
    expect((await ann.post("/api/bots", { username })).status).toBe(403);
    const bot = expectStatus(await stage.admin.post("/api/bots", { username, displayName: "Bot" }), 201).body;
    expect(bot).toMatchObject({ bot: true, username, roles: ["User"] });
    expect((await stage.admin.post("/api/bots", { username })).status).toBe(409);
    expect((await stage.nobody.post("/api/auth/login", { username, password: "" })).status).toBe(401);
    expect((await stage.admin.get("/api/bots?pageSize=100")).body.items).toContainEqual(bot);
    const wanted = { name: "one", scopes: ["messages:write", "rooms:write", "users:read"] };
    expect((await stage.admin.post(`/api/bots/${ann.id}/tokens`, wanted)).status).toBe(404);
    expect((await ann.post(`/api/bots/${bot.id}/tokens`, wanted)).status).toBe(403);
    const { token, id } = expectStatus(await stage.admin.post(`/api/bots/${bot.id}/tokens`, wanted), 201).body;
    expectStatus(await as(token).post(`/api/channels/${room}/join`), 204);
    expect(await say(as(token), room, "beep")).toMatchObject({ senderId: bot.id });
    expect((await stage.admin.get(`/api/bots/${bot.id}/tokens`)).body.items).toMatchObject([{ id, name: "one" }]);
    expect((await stage.admin.delete(`/api/bots/${ann.id}`)).status).toBe(404);
    expect((await stage.admin.delete(`/api/bots/${bot.id}`)).status).toBe(204);
    const refused = { status: 401 };
    expect(await exchange(token)).toMatchObject(refused);
    await eventually(
      "it has gone",
      () => as(token).get("/api/users/me"),
      ({ status }) => status === 401,
    );
  });

  test("are told of to those who may ask, as RFC 7662 has it", async () => {
    const asker = as((await make(["introspect"])).token);
    const { token, id } = await make(["files", "users:read"]);
    const ask = (what: string, who: Rest = asker) => who.post("/api/auth/introspect", { token: what });
    expect((await ask(token, ann)).status).toBe(403);
    expect((await ask(token, as(token))).status).toBe(403);
    const { accessToken } = (await exchange(token)).body;
    for (const one of [token, accessToken])
      expect((await ask(one)).body).toMatchObject({
        ...{ active: true, token_type: "Bearer", sub: ann.id, username: ann.username, scope: "files users:read" },
        ...{ iss: "rookery", aud: "rookery", sid: id, roles: ["User"] },
      });
    const session = (await ask(ann.token as string, stage.admin)).body;
    expect(session).toMatchObject({ active: true, sub: ann.id });
    expect(session.exp - session.iat).toBeGreaterThan(0);
    expect(session).not.toHaveProperty("scope");
    const gone = await stage.login(ann);
    await gone.post("/api/auth/logout");
    for (const bad of [gone.token as string, "nonsense", "rkp_nonsense", gone.refreshToken])
      expect(await ask(bad)).toMatchObject({ status: 200, body: { active: false } });
  });
});

describeOwn("a socket that came with the token of a program", () => {
  test("stays open beyond the life of access tokens", async () => {
    const stage = await Stage.on(await startServer({ env: { ACCESS_TOKEN_TTL: "2" } }));
    const ann = await stage.user("ann");
    const room = await stage.channel([]);
    const { token } = (await ann.post("/api/auth/tokens", { name: "program", scopes: ALL })).body;
    const { accessToken } = (await stage.nobody.post("/api/auth/token", { token })).body;
    const [kept, lapsing] = [await ann.connect(), await ann.connect()];
    await kept.hello(token, { [room]: null });
    await lapsing.hello(accessToken);
    expect(await lapsing.untilClosed()).toMatchObject({ code: 4101 });
    const again = await stage.login(stage.admin);
    const { offset } = await say(again, room, "still there");
    await kept.event(room, offset);
    await stage.end();
  });
});
