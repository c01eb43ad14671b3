import { get } from "node:http";
import { json } from "node:stream/consumers";
import { expectStatus, say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { startServer, type Server } from "../support/server";
import { SocketioClient, type SocketioOptions } from "../support/socketio";

const WAYS: [string, SocketioOptions][] = [
  ["its default options", {}],
  ["WebSocket only", { transports: ["websocket"] }],
  ["polling only", { transports: ["polling"] }],
];

/** With headers that fetch does not let one set. */
const got = (url: string, headers: Record<string, string>): Promise<{ status: number | undefined; body: unknown }> =>
  new Promise((resolve, reject) => {
    get(url, { headers }, answer => {
      json(answer).then(body => resolve({ status: answer.statusCode, body }), reject);
    }).on("error", reject);
  });

/** What documents wrote against Socket.IO rely on, tried with its own unmodified client. */
describe("Socket.IO at /socket.io", () => {
  let server: Server;
  let stage: Stage;
  const open: SocketioClient[] = [];

  beforeAll(async () => {
    server = await startServer();
    stage = await Stage.on(server);
  });
  afterEach(() => open.splice(0).forEach(client => client.close()));
  afterAll(() => stage.end());

  const connect = async (client: Client, options?: SocketioOptions): Promise<SocketioClient> => {
    const made = await SocketioClient.open(server.url, client.token as string, options);
    open.push(made);
    return made;
  };
  const told = (client: SocketioClient, name: string, count: number) =>
    eventually(
      `${count} ${name}`,
      () => client.all(name),
      all => all.length >= count,
    );

  describe.each(WAYS)("with %s", (_, way) => {
    test("joins, sends, hears itself and others, edits, reacts, deletes, marks", async () => {
      const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
      const room = await stage.channel([]);
      const [one, other] = [await connect(ann, way), await connect(bob, way)];
      expect(await one.ask("join", room)).toEqual({ ok: true, offset: expect.any(Number), lastSeq: 0 });
      expect(await other.ask("join", { channelId: room })).toMatchObject({ ok: true });

      const sent = await one.ask("message", { channelId: room, text: "hello", clientId: "c-1" });
      expect(sent).toEqual({ ok: true, message: expect.objectContaining({ text: "hello", seq: 1, senderId: ann.id }) });
      const again = await one.ask("message", { channelId: room, text: "hello", clientId: "c-1" });
      expect(again).toEqual({ ok: true, message: sent.message, duplicate: true });
      for (const client of [one, other])
        expect(await told(client, "message", 1)).toEqual([{ channelId: room, message: sent.message }]);

      const edited = await one.ask("edit", { id: sent.message.id, text: "hello again" });
      expect(await told(other, "message-updated", 1)).toEqual([{ channelId: room, message: edited.message }]);
      expect(await other.ask("react", { id: sent.message.id, emoji: "👍", on: true })).toMatchObject({ ok: true });
      expect(await told(one, "reaction", 1)).toEqual([
        { channelId: room, messageId: sent.message.id, userId: bob.id, emoji: "👍", on: true },
      ]);
      expect(await other.ask("typing", { channelId: room, isTyping: true })).toEqual({ ok: true });
      expect(await told(one, "typing", 1)).toEqual([{ channelId: room, userId: bob.id, isTyping: true }]);
      const receipts = async () => (await ann.get(`/api/messages/${sent.message.id}/receipts`)).body.items;
      expect(await other.ask("read", { channelId: room, seq: 1, private: true })).toEqual({ ok: true });
      expect(await receipts()).toContainEqual({ userId: bob.id, state: "delivered" });
      expect(await other.ask("read", { channelId: room, seq: 1 })).toEqual({ ok: true });
      expect(await receipts()).toContainEqual({ userId: bob.id, state: "read" });
      expect(await one.ask("delete", { id: sent.message.id })).toMatchObject({ ok: true, message: { text: "" } });
      expect(await told(other, "message-deleted", 1)).toMatchObject([{ channelId: room, message: { text: "" } }]);
      expect(await other.ask("leave", room)).toEqual({ ok: true });
    });

    test("has what it missed first, once, in order, and then what is new", async () => {
      const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
      const room = await stage.channel([ann, bob]);
      for (let n = 1; n <= 5; n++) await say(ann, room, `m${n}`);
      const client = await connect(bob, way);
      expect(await client.ask("join", { channelId: room, afterSeq: 2 })).toMatchObject({ ok: true, lastSeq: 5 });
      expect(client.all("message").map(({ message }) => message.seq)).toEqual([3, 4, 5]);
      await say(ann, room, "m6");
      await told(client, "message", 4);
      expect(client.all("message").map(({ message }) => message.seq)).toEqual([3, 4, 5, 6]);
    });

    test("a refusal is acknowledged with its code, and the connection stays", async () => {
      const [ann] = (await stage.users("ann")) as [Client];
      const client = await connect(ann, way);
      const secret = await stage.channel([], { isPrivate: true });
      expect(await client.ask("join", secret)).toMatchObject({ ok: false, code: "NOT_FOUND", status: 404 });
      expect(await client.ask("join", { channelId: 7 })).toMatchObject({ ok: false, code: "INVALID", status: 422 });
      expect(await client.ask("fly")).toMatchObject({ ok: false, code: "NOT_FOUND" });
      const room = await stage.channel([ann]);
      expect(await client.ask("message", { channelId: room, text: "x", colour: "red" })).toMatchObject({
        ok: false,
        code: "INVALID",
      });
      expect(await client.ask("message", { channelId: room, text: "x" })).toMatchObject({ ok: true });
    });
  });

  test.each(["polling", "websocket"])("binary data is refused, and the connection stays (%s)", async transport => {
    const [ann] = (await stage.users("ann")) as [Client];
    const client = await connect(ann, { transports: [transport] });
    const room = await stage.channel([ann]);
    const binary = client.ask("message", {
      channelId: room,
      text: "x",
      metadata: { a: Buffer.of(1), b: Buffer.of(2) },
    });
    expect(await binary).toMatchObject({ ok: false, code: "INVALID", detail: expect.stringContaining("Binary") });
    expect(await client.ask("message", { channelId: room, text: "x" })).toMatchObject({ ok: true });
  });

  test("another version of the transport is refused, whatever way it comes", async () => {
    for (const transport of ["polling", "websocket"]) {
      const upgrade = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13" };
      const headers = transport === "polling" ? {} : { ...upgrade, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==" };
      const answer = await got(`${server.url}/socket.io/?EIO=3&transport=${transport}`, headers);
      expect(answer).toEqual({ status: 400, body: { code: 5, message: "Unsupported protocol version" } });
    }
  });

  test("by default it begins with polling and moves to a WebSocket, losing nothing on the way", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const room = await stage.channel([ann, bob]);
    const client = await connect(bob);
    await client.ask("join", room);
    for (let n = 1; n <= 20; n++) await say(ann, room, `m${n}`);
    await told(client, "message", 20);
    expect(client.all("message").map(({ message }) => message.seq)).toEqual(
      Array.from({ length: 20 }, (_, n) => n + 1),
    );
    if (!server.wsUrl.startsWith(server.url.replace("http", "ws"))) return;
    await eventually("it has moved", () => client.transport === "websocket");
  });

  test("a direct room's message comes as a private one to both people", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const clients = [await connect(ann), await connect(bob, { transports: ["polling"] })];
    const room = await stage.direct(ann, bob);
    const sent = expectStatus(await ann.post(`/api/channels/${room}/messages`, { text: "psst" }), 201).body;
    for (const client of clients)
      expect(await told(client, "private-message", 1)).toEqual([{ targetUserId: bob.id, message: sent }]);
  });

  test("a bad token is refused with its code, and another namespace too", async () => {
    await expect(SocketioClient.open(server.url, "nonsense")).rejects.toMatchObject({
      data: { code: "UNAUTHENTICATED", detail: expect.any(String) },
    });
    const [ann] = (await stage.users("ann")) as [Client];
    await expect(SocketioClient.open(`${server.url}/elsewhere`, ann.token as string)).rejects.toThrow(
      "Invalid namespace",
    );
  });

  test("who signs out is disconnected and does not come back", async () => {
    const [ann] = (await stage.users("ann")) as [Client];
    const client = await connect(ann, { reconnectionDelay: 10 });
    const reasons: string[] = [];
    client.socket.on("disconnect", reason => void reasons.push(reason));
    expectStatus(await ann.post("/api/auth/logout"), 204);
    await eventually("he is", () => reasons.length > 0);
    expect(reasons).toEqual(["io server disconnect"]);
  });
});
