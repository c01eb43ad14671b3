import { expectStatus, say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { startServer, type Server } from "../support/server";
import { SignalrClient, type SignalrOptions, type SignalrTransport, type SignalrVersion } from "../support/signalr";

const WAYS: { version: SignalrVersion; transport: SignalrTransport }[] = [
  { version: "8", transport: "WebSockets" },
  { version: "10", transport: "WebSockets" },
  { version: "8", transport: "ServerSentEvents" },
  { version: "10", transport: "LongPolling" },
];

/** What documents wrote against SignalR rely on, tried with its own unmodified client. */
describe("SignalR at /hubs/chat", () => {
  let server: Server;
  let stage: Stage;
  const open: SignalrClient[] = [];

  beforeAll(async () => {
    server = await startServer();
    stage = await Stage.on(server);
  });
  afterEach(() => Promise.all(open.splice(0).map(client => client.close())));
  afterAll(() => stage.end());

  const connect = async (client: Client, options?: SignalrOptions): Promise<SignalrClient> => {
    const made = await SignalrClient.open(server.url, client.token as string, options);
    open.push(made);
    return made;
  };
  const seqs = (client: SignalrClient) => client.all("ReceiveMessage").map(([, message]) => message?.seq);
  const received = (client: SignalrClient, name: string, count: number) =>
    eventually(
      `${count} ${name}`,
      () => client.all(name),
      all => all.length >= count,
    );

  describe.each(WAYS)("client $version over $transport", way => {
    test("joins, sends, hears itself and others, edits, reacts, deletes", async () => {
      const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
      const room = await stage.channel([]);
      const [one, other] = [await connect(ann, way), await connect(bob, way)];
      expect(await one.invoke("JoinChannel", room)).toEqual({ offset: expect.any(Number), lastSeq: 0 });
      await other.invoke("JoinChannel", room);
      const members = (await ann.get(`/api/channels/${room}/members`)).body.items.map(
        (m: { userId: string }) => m.userId,
      );
      expect(members).toEqual(expect.arrayContaining([ann.id, bob.id]));

      const sent = await one.invoke("SendMessage", room, "hello");
      expect(sent).toMatchObject({ channelId: room, senderId: ann.id, text: "hello", seq: 1 });
      const again = await one.invoke("SendMessage", room, { text: "with more", clientId: "c-1", metadata: { a: 1 } });
      expect(again).toMatchObject({ seq: 2, clientId: "c-1", metadata: { a: 1 } });
      expect(await one.invoke("SendMessage", room, { text: "with more", clientId: "c-1", metadata: { a: 1 } })).toEqual(
        again,
      );
      for (const client of [one, other])
        expect(await received(client, "ReceiveMessage", 2)).toEqual([
          [room, sent],
          [room, again],
        ]);

      const edited = await one.invoke("EditMessage", sent.id, "hello again");
      expect(await received(other, "MessageUpdated", 1)).toEqual([[room, edited]]);
      await other.invoke("React", sent.id, "👍", true);
      expect(await received(one, "ReactionChanged", 1)).toEqual([
        [room, { messageId: sent.id, userId: bob.id, emoji: "👍", on: true }],
      ]);
      const gone = await one.invoke("DeleteMessage", again.id);
      expect(gone).toMatchObject({ id: again.id, text: "", deletedAt: expect.any(String) });
      expect(await received(other, "MessageDeleted", 1)).toEqual([[room, gone]]);
      expect((await ann.get(`/api/messages/${sent.id}`)).body).toMatchObject({ text: "hello again" });
    });

    test("has what it missed first, once, in order, and then what is new", async () => {
      const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
      const room = await stage.channel([ann, bob]);
      for (let n = 1; n <= 5; n++) await say(ann, room, `m${n}`);
      const client = await connect(bob, way);
      expect(await client.invoke("JoinChannel", room, 2)).toMatchObject({ lastSeq: 5 });
      expect(seqs(client)).toEqual([3, 4, 5]);
      await say(ann, room, "m6");
      await received(client, "ReceiveMessage", 4);
      expect(seqs(client)).toEqual([3, 4, 5, 6]);
    });

    test("joins and leaves of one room take turns", async () => {
      const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
      const room = await stage.channel([ann, bob]);
      for (let n = 1; n <= 5; n++) await say(ann, room, `m${n}`);
      const client = await connect(bob, way);
      await Promise.all([
        client.invoke("JoinChannel", room, 0),
        client.invoke("LeaveChannel", room),
        client.invoke("JoinChannel", room, 3),
      ]);
      await say(ann, room, "m6");
      await received(client, "ReceiveMessage", 8);
      expect(seqs(client)).toEqual([1, 2, 3, 4, 5, 4, 5, 6]);
      await Promise.all([client.invoke("JoinChannel", room), client.invoke("LeaveChannel", room)]);
      await say(ann, room, "m7");
      await client.invoke("MarkRead", room, 7);
      expect(seqs(client)).toHaveLength(8);
    });

    test("a burst of calls is done in the order they were made, however they are put together on the way", async () => {
      const [ann] = (await stage.users("ann")) as [Client];
      const room = await stage.channel([ann]);
      const client = await connect(ann, way);
      // Many, and in all more than a frame may have.
      const texts = Array.from({ length: 1_200 }, (_, n) => `${n} ${"鴉".repeat(100)}`);
      const sent = await Promise.all(texts.map(text => client.invoke("SendMessage", room, text)));
      expect(sent.map(({ seq, text }) => [seq, text])).toEqual(texts.map((text, n) => [n + 1, text]));
    });

    test("a refused call completes with its code, and the connection stays", async () => {
      const [ann] = (await stage.users("ann")) as [Client];
      const secret = await stage.channel([], { isPrivate: true });
      const client = await connect(ann, way);
      await expect(client.invoke("JoinChannel", secret)).rejects.toThrow(/NOT_FOUND: /);
      await expect(client.invoke("SendMessage", secret, "hi")).rejects.toThrow(/NOT_FOUND: /);
      await expect(client.invoke("JoinChannel", 7)).rejects.toThrow(/INVALID: /);
      await expect(client.invoke("SendMessage", secret, { text: "x", colour: "red" })).rejects.toThrow(/INVALID: /);
      await expect(client.invoke("SendMessage", secret, "x".repeat(70_000))).rejects.toThrow(/TOO_LARGE: /);
      await expect(client.invoke("Fly")).rejects.toThrow(/NOT_FOUND: /);
      const room = await stage.channel([ann]);
      await client.invoke("JoinChannel", room);
      expect(await client.invoke("SendMessage", room, "still here")).toMatchObject({ seq: 1 });
    });
  });

  test("has everything once and in order, also if it missed more than is ever replayed and people go on", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const room = await stage.channel([ann, bob]);
    const socket = await ann.socket();
    const send = (n: number) => socket.request({ t: "send", room, clientId: `c${n}`, text: `m${n}` });
    const MISSED = 1_100;
    for (let n = 1; n <= MISSED; n += 100) await Promise.all(Array.from({ length: 100 }, (_, at) => send(n + at)));
    const client = await connect(bob);
    const joined = client.invoke("JoinChannel", room, 0);
    for (let n = MISSED + 1; n <= MISSED + 50; n++) await send(n);
    await joined;
    await received(client, "ReceiveMessage", MISSED + 50);
    expect(seqs(client)).toEqual(Array.from({ length: MISSED + 50 }, (_, at) => at + 1));
  });

  test("skips negotiation where it is told to", async () => {
    const [ann] = (await stage.users("ann")) as [Client];
    const room = await stage.channel([ann]);
    const client = await connect(ann, { transport: "WebSockets", skipNegotiation: true });
    await client.invoke("JoinChannel", room);
    expect(await client.invoke("SendMessage", room, "hi")).toMatchObject({ seq: 1 });
  });

  test("who is connected reads his direct rooms: he is told all that is said after what he then fetches", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const room = await stage.direct(ann, bob);
    for (let round = 0; round < 8; round++) {
      let over = false;
      const talk = async (): Promise<number> => {
        for (;;) {
          const { seq } = await say(ann, room, "and on");
          if (over) return seq;
        }
      };
      const talking = talk();
      const client = await connect(bob);
      const { items } = (await bob.get(`/api/conversations/${room}/messages?limit=1`)).body;
      over = true;
      const [first, last] = [(items[0]?.seq ?? 0) + 1, await talking];
      const told = () => client.all("ReceivePrivateMessage").map(([, message]) => message.seq as number);
      await eventually("the last of it", () => told().at(-1) === last);
      const fetched = (seq: number): boolean => seq < first;
      expect(told().filter(seq => !fetched(seq))).toEqual(
        Array.from({ length: last - first + 1 }, (_, n) => first + n),
      );
    }
  });

  test("direct rooms need no join: both people's connections have each message once, as a private one", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const old = await stage.direct(ann, bob);
    const clients = [await connect(ann), await connect(ann, { transport: "LongPolling" }), await connect(bob)];
    // Who reads the room is known once a message comes through.
    const first = await eventually(
      "the first private message",
      async () => (await say(ann, old, "one"), clients.every(client => client.all("ReceivePrivateMessage").length > 0)),
    );
    expect(first).toBe(true);
    await clients[2]?.invoke("Typing", old, true);
    for (const client of clients) await client.invoke("LeaveChannel", old);
    const sent = expectStatus(await bob.post(`/api/channels/${old}/messages`, { text: "to ann" }), 201).body;
    for (const client of clients) {
      await eventually("it", () => client.all("ReceivePrivateMessage").some(([, message]) => message?.id === sent.id));
      expect(client.all("ReceivePrivateMessage").filter(([, message]) => message?.id === sent.id)).toEqual([
        [ann.id, sent],
      ]);
      expect(client.all("ReceiveMessage")).toEqual([]);
    }
    const carl = await stage.user("carl");
    const late = await stage.direct(carl, ann);
    const news = expectStatus(await carl.post(`/api/channels/${late}/messages`, { text: "new here" }), 201).body;
    for (const client of clients.slice(0, 2)) {
      await eventually("it", () => client.all("ReceivePrivateMessage").some(([, message]) => message?.id === news.id));
      expect(client.all("ReceivePrivateMessage").filter(([, message]) => message?.id === news.id)).toEqual([
        [ann.id, news],
      ]);
    }
  });

  test("tells who types, and contacts who comes and goes", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    await stage.direct(ann, bob);
    const room = await stage.channel([ann, bob]);
    const one = await connect(ann);
    await one.invoke("JoinChannel", room);
    const other = await connect(bob);
    await other.invoke("JoinChannel", room);
    await other.invoke("Typing", room, true);
    expect(await received(one, "UserTyping", 1)).toEqual([[room, bob.id, true]]);
    expect(other.all("UserTyping")).toEqual([]);
    await eventually("bob is there", () => one.all("UserConnected").some(([id]) => id === (bob.id as never)));
    await other.close();
    await eventually(
      "bob is gone",
      () => one.all("UserDisconnected").some(([id]) => id === (bob.id as never)),
      Boolean,
      60_000,
    );
    // Told before it, in one go.
    expect(one.all("UserPresenceUpdate").at(-1)).toEqual([bob.id, "offline"]);
  }, 90_000);

  test("marks are marks, whatever the wire", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const room = await stage.channel([ann, bob]);
    const message = await say(ann, room, "read me");
    const client = await connect(bob);
    const mark = async () => (await ann.get(`/api/messages/${message.id}/receipts`)).body.items;
    const unread = async () => (await bob.get("/api/unread")).body.items;
    expect(await unread()).toMatchObject([{ roomId: room, unread: 1 }]);
    await client.invoke("MarkRead", room, 1, true);
    expect(await unread()).toMatchObject([{ roomId: room, unread: 0 }]);
    expect(await mark()).toContainEqual({ userId: bob.id, state: "delivered" });
    await client.invoke("MarkRead", room, 1);
    expect(await mark()).toContainEqual({ userId: bob.id, state: "read" });
    await expect(client.invoke("MarkRead", room, 1, "yes")).rejects.toThrow("INVALID");
  });

  test("who has no token, a bad one or one that was taken back is not let in", async () => {
    for (const token of ["", "nonsense"]) await expect(SignalrClient.open(server.url, token)).rejects.toThrow(/401/);
    await expect(
      SignalrClient.open(server.url, "nonsense", { transport: "WebSockets", skipNegotiation: true }),
    ).rejects.toThrow();
    const [ann] = (await stage.users("ann")) as [Client];
    const client = await connect(ann, { reconnect: [0, 100, 100] });
    expectStatus(await ann.post("/api/auth/logout"), 204);
    await eventually("it is closed for good", () => client.states.some(state => state.startsWith("closed")));
    expect(client.states).not.toContain("reconnecting");
    await expect(SignalrClient.open(server.url, ann.token as string)).rejects.toThrow(/401/);
  });

  test("a session over HTTP is its user's alone", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const ask = (client: Client, method: string, query: string) =>
      fetch(`${server.url}/hubs/chat${query}`, {
        method,
        headers: { Authorization: `Bearer ${client.token}` },
        ...(method === "POST" && { body: "{}" }),
      });
    const negotiated = (await (await ask(ann, "POST", "/negotiate?negotiateVersion=1")).json()) as {
      connectionToken: string;
    };
    const query = `?id=${encodeURIComponent(negotiated.connectionToken)}`;
    expect((await ask(bob, "GET", query)).status).toBe(404);
    expect((await ask(bob, "POST", query)).status).toBe(404);
    expect((await ask(ann, "GET", query)).status).toBe(200);
    expect((await ask(ann, "DELETE", query)).status).toBe(202);
    expect((await ask(ann, "GET", query)).status).toBe(404);
    expect((await ask(ann, "GET", "?id=bm8.such")).status).toBe(404);
  });
});
