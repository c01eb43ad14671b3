import { expectStatus, MISSING, say, Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";
import { SignalrClient } from "../support/signalr";
import { SocketioClient } from "../support/socketio";

/** Reaching for what is somebody else's; who may do what where he is known stands in docs/permissions.md. */
describe("reaching for what is not one's own", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;
  let eve: Client;
  /** Ann's and Bob's, private; Eve's own, private. */
  let room: string;
  let den: string;
  let message: Body;
  let file: string;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    [ann, bob, eve] = (await stage.users("ann", "bob", "eve")) as [Client, Client, Client];
    room = await stage.channel([ann, bob], { isPrivate: true });
    den = await stage.channel([eve], { isPrivate: true });
    file = expectStatus(await ann.raw("POST", "/api/files?name=a.txt", "words", {}), 201).body.id as string;
    message = await say(ann, room, "words of ours", { attachments: [file], metadata: { colour: "mauve" } });
  });
  afterAll(() => stage.end());

  /** Without what differs from answer to answer. */
  const bytes = async (client: Client, method: string, path: string, body?: unknown): Promise<string> => {
    const answer = await client.request(method, path, body);
    const headers = [...answer.headers].filter(([name]) => !/^(date|x-request-id|ratelimit-.*)$/.test(name));
    return JSON.stringify([answer.status, headers, answer.body]);
  };

  test("a message, file, room or thread of a room one is not in is like one that there is not, to the byte (S19: REST)", async () => {
    const asks: [string, (id: string) => string, unknown?][] = [
      ...["GET", "DELETE"].map((method): [string, (id: string) => string] => [method, id => `/api/messages/${id}`]),
      ["PATCH", id => `/api/messages/${id}`, { text: "x" }],
      ...["versions", "replies", "receipts"].map((below): [string, (id: string) => string] => [
        "GET",
        id => `/api/messages/${id}/${below}`,
      ]),
      ["PUT", id => `/api/messages/${id}/pin`],
      ["PUT", id => `/api/messages/${id}/hidden`],
      ["PUT", id => `/api/messages/${id}/reactions/x`],
      ["PUT", id => `/api/messages/${id}/reactions/%F0%9F%91%8D`],
      ["PATCH", id => `/api/messages/${id}`, { text: "x".repeat(5_000) }],
    ];
    for (const [method, path, body] of asks)
      expect([method, path(message.id), await bytes(eve, method, path(message.id), body)]).toEqual([
        method,
        path(message.id),
        await bytes(eve, method, path(MISSING), body),
      ]);
    for (const path of [(id: string) => `/api/files/${id}`, (id: string) => `/api/files/${id}/link`])
      expect(await bytes(eve, "GET", path(file))).toBe(await bytes(eve, "GET", path(MISSING)));
    for (const below of ["", "/messages", "/members", "/open", "/pins", "/threads", "/export"])
      expect(await bytes(eve, "GET", `/api/channels/${room}${below}`)).toBe(
        await bytes(eve, "GET", `/api/channels/${MISSING}${below}`),
      );
  });

  test("the same by frames and calls (S19: native, SignalR, Socket.IO)", async () => {
    const socket = await eve.socket();
    const ask = async (frame: Body): Promise<Body> => ({ ...(await socket.request(frame)), i: 0 });
    for (const make of [
      (id: string) => ({ t: "edit", room, id, text: "x" }),
      (id: string) => ({ t: "delete", room, id }),
      (id: string) => ({ t: "react", room, id, emoji: "x" }),
      (id: string) => ({ t: "call", method: "messages.get", params: { id } }),
    ])
      expect(await ask(make(message.id))).toEqual(await ask(make(MISSING)));
    for (const make of [
      (id: string) => ({ t: "history", room: id }),
      (id: string) => ({ t: "send", room: id, text: "x" }),
      (id: string) => ({ t: "typing", room: id, on: true }),
      (id: string) => ({ t: "read", room: id, seq: 1 }),
    ])
      expect(await ask(make(room))).toEqual(await ask(make(MISSING)));
    const subscribed = await socket.sub([room, MISSING]);
    expect(subscribed.rooms[room]).toEqual(subscribed.rooms[MISSING]);

    const hub = await SignalrClient.open(stage.server.url, eve.token as string);
    const refusal = (name: string, ...args: unknown[]) =>
      hub.invoke(name, ...args).catch((error: Error) => error.message);
    for (const [name, ...args] of [["DeleteMessage"], ["EditMessage", "x"], ["React", "x", true]] as const)
      expect(await refusal(name, message.id, ...args)).toEqual(await refusal(name, MISSING, ...args));
    for (const [name, ...args] of [["JoinChannel"], ["SendMessage", "x"], ["MarkRead", 1], ["Typing", true]] as const)
      expect(await refusal(name, room, ...args)).toEqual(await refusal(name, MISSING, ...args));
    await hub.close();

    const client = await SocketioClient.open(stage.server.url, eve.token as string);
    for (const [name, more] of [
      ["edit", { text: "x" }],
      ["delete", {}],
      ["react", { emoji: "x", on: true }],
    ] as const)
      expect(await client.ask(name, { id: message.id, ...more })).toEqual(
        await client.ask(name, { id: MISSING, ...more }),
      );
    for (const [name, more] of [
      ["join", {}],
      ["message", { text: "x" }],
      ["read", { seq: 1 }],
      ["typing", { isTyping: true }],
    ] as const)
      expect(await client.ask(name, { channelId: room, ...more })).toEqual(
        await client.ask(name, { channelId: MISSING, ...more }),
      );
    client.close();
  });

  test("through a room one is in nothing of another is reached: reply, thread, attachment, edit, delete (S20: REST, native, SignalR, Socket.IO)", async () => {
    const send = (body: object) => eve.post(`/api/channels/${den}/messages`, { text: "x", ...body });
    for (const body of [{ replyTo: message.id }, { threadId: message.id }, { attachments: [file] }]) {
      const [there, not] = [
        await send(body),
        await send(JSON.parse(JSON.stringify(body).replace(/[0-9a-f-]{36}/, MISSING))),
      ];
      expect([there.status, there.body]).toEqual([422, not.body]);
    }
    const socket = await eve.socket([den]);
    for (const frame of [
      { t: "edit", room: den, id: message.id, text: "mine now" },
      { t: "delete", room: den, id: message.id },
      { t: "react", room: den, id: message.id, emoji: "👍" },
    ])
      expect(await socket.request(frame)).toMatchObject({ t: "err", code: "NOT_FOUND" });
    for (const more of [{ replyTo: message.id }, { threadId: message.id }, { attachments: [file] }])
      expect(await socket.request({ t: "send", room: den, text: "x", ...more })).toMatchObject({ code: "INVALID" });

    const hub = await SignalrClient.open(stage.server.url, eve.token as string);
    await expect(hub.invoke("SendMessage", den, { text: "x", attachments: [file] })).rejects.toThrow(/INVALID/);
    await expect(hub.invoke("SendMessage", den, { text: "x", replyTo: message.id })).rejects.toThrow(/INVALID/);
    await hub.close();
    const client = await SocketioClient.open(stage.server.url, eve.token as string);
    for (const more of [{ attachments: [file] }, { replyTo: message.id }, { threadId: message.id }])
      expect(await client.ask("message", { channelId: den, text: "x", ...more })).toMatchObject({
        ok: false,
        code: "INVALID",
      });
    client.close();
    expect((await ann.get(`/api/messages/${message.id}`)).body).toMatchObject({ text: "words of ours" });
    expect(JSON.stringify((await eve.get(`/api/channels/${den}/messages`)).body)).not.toContain("words of ours");
  });

  test("nobody says what is the server's to say (S23: REST, native)", async () => {
    const taken = {
      role: "Admin",
      isAdmin: true,
      roles: ["Admin"],
      permissions: ["users.manage"],
      id: MISSING,
      createdAt: "x",
    };
    for (const [field, value] of Object.entries(taken)) {
      const name = unique("mallory");
      const account = { username: name, email: `${name}@example.org`, password: "a-good-password" };
      const answers = [
        await stage.nobody.post("/api/auth/register", { ...account, [field]: value }),
        await eve.patch("/api/users/me", { displayName: "Eve", [field]: value }),
        await eve.patch(`/api/channels/${den}`, { [field]: value }),
        await eve.post(`/api/channels/${den}/messages`, { text: "x", [field]: value }),
      ];
      for (const answer of answers.slice(0, 2)) expect([field, answer.status]).toEqual([field, 422]);
      for (const answer of answers.slice(2)) expect([403, 422]).toContain(answer.status);
    }
    for (const [field, value] of Object.entries({
      senderId: ann.id,
      seq: 1,
      offset: 1,
      editedAt: "x",
      mentions: [ann.id],
      reactions: [],
    })) {
      const body = { text: "x", [field]: value };
      expect([field, (await eve.post(`/api/channels/${den}/messages`, body)).status]).toEqual([field, 422]);
    }
    // Unknown fields of a frame are passed over: they say nothing.
    const socket = await eve.socket([den]);
    await say(eve, den, "one before");
    const sent = await socket.request({ t: "send", room: den, text: "x", senderId: ann.id, seq: 1, deletedAt: "x" });
    expect(sent.message).toMatchObject({ senderId: eve.id });
    expect(sent.message.seq).toBeGreaterThan(1);
    expect(sent.message).not.toHaveProperty("deletedAt");
  });

  test("of others one sees neither e-mail nor anything of their sign-in (S23: REST, native)", async () => {
    const socket = await eve.socket();
    const seen = [
      await eve.get(`/api/users/${ann.id}`),
      await eve.get(`/api/users?search=${ann.username}`),
      await stage.admin.get(`/api/channels/${room}/members`),
      await bob.get(`/api/channels/${room}/open`),
    ].map(({ body }) => JSON.stringify(body));
    seen.push(JSON.stringify(await socket.request({ t: "call", method: "users.get", params: { id: ann.id } })));
    for (const text of seen) expect(text).not.toMatch(/@example\.org|password|hash|secret|token|digest|sid"|session"/i);
  });

  const NAMES = (): unknown[] => [
    ...[
      "*",
      ">",
      "#",
      "",
      " ",
      "rookery.room.*",
      `rookery.room.${room}`,
      `room.${room}`,
      `${room}/../${den}`,
      "$SYS.>",
    ],
    ...[ann.id, `user:${ann.id}`, `${room} `, room.toUpperCase(), `${room}\u0000`, "constructor", "__proto__"],
  ];
  test("no name of a room is a pattern, another's feed or a subject (S25: native, SignalR, Socket.IO, stream)", async () => {
    const socket = await eve.socket();
    for (const name of NAMES()) {
      const answer = await socket.request({ t: "sub", rooms: [name] });
      const state = answer.t === "err" ? "INVALID" : Object.values<Body>(answer.rooms)[0]?.code;
      expect([name, ["INVALID", "NOT_FOUND"].includes(state)]).toEqual([name, true]);
    }
    const hub = await SignalrClient.open(stage.server.url, eve.token as string);
    for (const name of NAMES()) await expect(hub.invoke("JoinChannel", name)).rejects.toThrow(/INVALID|NOT_FOUND/);
    const client = await SocketioClient.open(stage.server.url, eve.token as string);
    for (const name of NAMES())
      expect(["INVALID", "NOT_FOUND"]).toContain((await client.ask("join", { channelId: name })).code);
    const headers = { authorization: `Bearer ${eve.token}` };
    for (const name of ["*", ">", ann.id, `rookery.room.${room}`]) {
      const ended = new AbortController();
      const answer = await fetch(`${stage.server.url}/stream?rooms=${encodeURIComponent(name)}:0`, {
        headers,
        signal: ended.signal,
      });
      expect(answer.status).toBe(200);
      let heard = "";
      for await (const part of answer.body!) if ((heard += Buffer.from(part)).includes("welcome")) break;
      expect([name, /"state":"denied","code":"NOT_FOUND"/.test(heard)]).toEqual([name, true]);
      ended.abort();
    }
    await say(bob, room, "a canary of the room");
    await say(ann, room, `@${bob.username} another canary`);
    await eve.post(`/api/channels/${den}/messages`, { text: "the end" });
    const own = await eve.socket([den]);
    await own.settle();
    for (const heard of [socket.texts.join(), JSON.stringify(hub.called), JSON.stringify(client.told)])
      expect(heard).not.toMatch(/canary/);
    await hub.close();
    client.close();
  });

  test("what was said leaves no door once it is deleted (S26: REST, native, SignalR, Socket.IO)", async () => {
    const [socket, hub, client] = [
      await bob.socket([room]),
      await SignalrClient.open(stage.server.url, bob.token as string),
      await SocketioClient.open(stage.server.url, bob.token as string),
    ];
    await hub.invoke("JoinChannel", room);
    await client.ask("join", { channelId: room });
    const secret = unique("regretted");
    const said = await say(ann, room, `${secret} one`);
    await ann.patch(`/api/messages/${said.id}`, { text: `${secret} two` });
    const reply = await say(bob, room, "an answer", { replyTo: said.id });
    await eventually(
      "all heard it",
      () => [socket.texts, hub.called, client.told].map(heard => JSON.stringify(heard)),
      heard => heard.every(text => text.includes(`${secret} two`)),
    );
    const before = [socket.texts.length, hub.called.length, client.told.length] as const;
    expectStatus(await ann.delete(`/api/messages/${said.id}`), 200);
    await eventually(
      "all heard of its end",
      () => [hub.all("MessageDeleted").length, client.all("message-deleted").length],
      counts => counts.every(count => count > 0),
    );
    await socket.frame("its end", ({ kind, data }) => kind === "delete" && data.id === said.id);
    const late = await bob.socket({ [room]: 0 });
    await late.event(room, reply.offset);
    const again = await SignalrClient.open(stage.server.url, bob.token as string);
    await again.invoke("JoinChannel", room, 0);
    const anew = await SocketioClient.open(stage.server.url, bob.token as string);
    await anew.ask("join", { channelId: room, afterSeq: 0 });
    await eventually(
      "they have the reply",
      () => [JSON.stringify(again.called), JSON.stringify(anew.told)],
      heard => heard.every(text => text.includes(reply.id)),
    );
    const reads = await Promise.all(
      [
        ...["messages", "open", "threads", "pins"].map(below => `/api/channels/${room}/${below}`),
        ...["", "/versions", "/replies"].map(below => `/api/messages/${said.id}${below}`),
        `/api/messages/${reply.id}`,
        "/api/rooms",
      ].flatMap(path => [bob.get(path), ann.get(path), stage.admin.get(path)]),
    );
    const heard = [
      socket.texts.slice(before[0]),
      hub.called.slice(before[1]),
      client.told.slice(before[2]),
      late.texts,
      again.called,
      anew.told,
      reads.map(({ body }) => body as unknown),
    ];
    for (const one of heard) expect(JSON.stringify(one)).not.toContain(secret);
    for (const one of [hub, again]) await one.close();
    for (const one of [client, anew]) one.close();
  });

  test("a room keeps an owner, whoever demotes whom at once (S27: REST)", async () => {
    const [one, other] = [await stage.user("one"), await stage.user("other")];
    const own = await stage.channel([one, other]);
    for (const { id: userId } of [one, other])
      expectStatus(await stage.admin.post(`/api/channels/${own}/members`, { userId, role: "owner" }), 201);
    expectStatus(await stage.admin.post(`/api/channels/${own}/leave`), 204);
    for (let round = 0; round < 5; round += 1) {
      await Promise.all([
        one.post(`/api/channels/${own}/members`, { userId: other.id, role: "member" }),
        other.post(`/api/channels/${own}/members`, { userId: one.id, role: "member" }),
        one.post(`/api/channels/${own}/members`, { userId: one.id, role: "member" }),
        other.post(`/api/channels/${own}/leave`),
      ]);
      const { items } = (await one.get(`/api/channels/${own}/members`)).body as {
        items: { userId: string; role: string }[];
      };
      expect(items.filter(({ role }) => role === "owner").length).toBeGreaterThanOrEqual(1);
      const owner = items.find(({ role }) => role === "owner")?.userId === one.id ? one : other;
      await (owner === one ? other : one).post(`/api/channels/${own}/join`);
      for (const { id: userId } of [one, other])
        expectStatus(await owner.post(`/api/channels/${own}/members`, { userId, role: "owner" }), 201);
    }
  });
});
