import { hostname } from "node:os";
import { Stage, type Client } from "../support/client";
import { visit, WEB_SOCKETS, type WebSocketDoor } from "../support/doors";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { describeEmbedded, startServer } from "../support/server";
import { SignalrClient } from "../support/signalr";
import { SocketioClient } from "../support/socketio";

const END = "\x1e";
const HANDSHAKE = `{"protocol":"json","version":1}${END}`;
const HUB = WEB_SOCKETS.find(({ name }) => name === "SignalR") as WebSocketDoor;

describeEmbedded("the times of SignalR, by the names of its own settings", () => {
  let stage: Stage;
  let ann: Client;

  beforeAll(async () => {
    const env = { SignalR__HandshakeTimeout: "00:00:02", SignalR__KeepAliveInterval: "00:00:01" };
    stage = await Stage.on(await startServer({ env }));
    ann = await stage.user("ann");
  });
  afterAll(() => stage.end());

  test("who does not shake hands in time is closed with an error; who did is pinged and stays", async () => {
    const silent = await visit(HUB, stage.server.url, ann);
    const polite = await visit(HUB, stage.server.url, ann);
    polite.socket.send(HANDSHAKE);
    expect(await silent.closed).toBe(4501);
    expect(silent.heard).toBe(`{"error":"no hello in time"}${END}`);
    await eventually(
      "three pings",
      () => polite.heard.split(`{"type":6}${END}`).length - 1,
      count => count >= 3,
    );
    expect(polite.socket.readyState).toBe(1);
    polite.socket.terminate();
  });
});

describeEmbedded("more who come back than a gateway greets at a time", () => {
  const COUNT = 20;

  test("official clients are sent away with leave to come back, and all are in at the end", async () => {
    const stage = await Stage.on(await startServer({ env: { LIMIT_HELLOS: "1" } }));
    const { url } = stage.server;
    const ann = await stage.user("ann");
    const room = await stage.channel([ann]);
    const token = ann.token as string;
    const reconnect = Array.from({ length: 200 }, () => 50);
    /** How many of a crowd were sent away; at its end all were in. */
    const crowd = async (): Promise<number> => {
      const hubs = Array.from({ length: COUNT }, () =>
        SignalrClient.made(url, token, { transport: "WebSockets", skipNegotiation: true, reconnect }),
      );
      const opened = Array.from({ length: COUNT }, () =>
        SocketioClient.made(url, token, {
          transports: ["websocket"],
          reconnectionDelay: 50,
          reconnectionDelayMax: 100,
        }),
      );
      // The library comes back by itself only once it was in.
      let refused = 0;
      const started = ({ hub }: SignalrClient) =>
        eventually(
          "he has begun",
          () =>
            hub.state !== "Disconnected" ||
            hub.start().then(
              () => true,
              () => (refused++, false),
            ),
        );
      await Promise.all(hubs.map(started));
      const entered = (client: { ask(): Promise<unknown> }) =>
        eventually("he is in", () => client.ask().then(Boolean, () => false));
      await Promise.all(hubs.map(client => entered({ ask: () => client.invoke("JoinChannel", room) })));
      await Promise.all(opened.map(client => entered({ ask: () => client.ask("join", room) })));
      const sentAway = refused + hubs.filter(({ states }) => states.includes("reconnecting")).length;
      await Promise.all(hubs.map(client => client.close()));
      for (const client of opened) client.close();
      return sentAway;
    };
    // A crowd that is greeted one by one, since its clients are slow to come, has shown nothing.
    await eventually("a crowd of which some are sent away", crowd, count => count > 0, 90_000);
    await stage.end();
  }, 120_000);
});

/** A session of SignalR over long polling that is in a room, without a client that would come back by itself. */
async function polling(url: string, { token }: Client, room: string) {
  const headers = { Authorization: `Bearer ${token}` };
  const negotiated = await fetch(`${url}/hubs/chat/negotiate?negotiateVersion=1`, { method: "POST", headers });
  const { connectionToken } = (await negotiated.json()) as Body;
  const at = `${url}/hubs/chat?id=${encodeURIComponent(connectionToken as string)}`;
  const poll = async (signal?: AbortSignal): Promise<Body[]> => {
    const answer = await fetch(at, { headers, signal: signal ?? null });
    if (answer.status !== 200) return [{ gone: answer.status }];
    return (await answer.text())
      .split(END)
      .filter(Boolean)
      .map(text => JSON.parse(text) as Body);
  };
  const say = (text: string) => fetch(at, { method: "POST", headers, body: text });
  await poll();
  await say(HANDSHAKE);
  await say(`{"type":1,"invocationId":"j","target":"JoinChannel","arguments":["${room}"]}${END}`);
  await eventually(
    "he is in the room",
    () => poll(),
    all => all.some(({ invocationId }) => invocationId === "j"),
  );
  return { poll };
}

describeEmbedded("a session over HTTP that nobody fetches from", () => {
  test("is closed with leave to come back before anything is skipped, and goes on where it was", async () => {
    const stage = await Stage.on(await startServer());
    const { url } = stage.server;
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const room = await stage.channel([ann, bob]);
    const { poll } = await polling(url, bob, room);

    const writer = await ann.socket();
    const text = "鴉".repeat(4_000);
    const MESSAGES = 160;
    await Promise.all(Array.from({ length: MESSAGES }, () => writer.request({ t: "send", room, text })));
    const heard: Body[] = [];
    await eventually("the end", async () => (heard.push(...(await poll())), heard.some(({ type }) => type === 7)));
    const seqs = heard.filter(({ target }) => target === "ReceiveMessage").map(one => one.arguments[1].seq as number);
    expect(seqs.length).toBeGreaterThan(0);
    expect(seqs.length).toBeLessThan(MESSAGES);
    expect(seqs).toEqual(seqs.map((_, n) => n + 1));
    expect(heard.at(-1)).toEqual({ type: 7, error: "too slow", allowReconnect: true });

    const again = await SignalrClient.open(url, bob.token as string);
    await again.invoke("JoinChannel", room, seqs.at(-1));
    expect(again.all("ReceiveMessage").map(([, message]) => message?.seq as number)).toEqual(
      Array.from({ length: MESSAGES - seqs.length }, (_, n) => seqs.length + n + 1),
    );
    await again.close();
    await stage.end();
  });

  test("ends with leave to come back where an answer found nobody: what follows would leave a hole", async () => {
    const stage = await Stage.on(await startServer());
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const room = await stage.channel([ann, bob]);
    const { poll } = await polling(stage.server.url, bob, room);
    const gone = new AbortController();
    const lost = poll(gone.signal);
    // The server has the request by then.
    for (let n = 0; n < 3; n++) await ann.get("/api/users/me");
    gone.abort();
    await expect(lost).rejects.toThrow();
    for (const text of ["lost", "next"]) await ann.post(`/api/channels/${room}/messages`, { text });
    const heard = await poll();
    expect(heard.filter(({ target }) => target === "ReceiveMessage")).toEqual([]);
    expect(heard.at(-1)).toMatchObject({ type: 7, allowReconnect: true });
    await stage.end();
  });
});

describeEmbedded("one who is in many rooms", () => {
  const ROOMS = 150;
  let stage: Stage;
  let ann: Client;
  let rooms: string[];
  let writers: string[];

  beforeAll(async () => {
    stage = await Stage.on(await startServer({ env: { RATE_LIMIT: "on" } }));
    ann = await stage.user("ann");
    const made = Array.from({ length: ROOMS }, (_, n) =>
      ann.post("/api/conversations", { type: "group", members: [], name: `g${n}` }),
    );
    rooms = (await Promise.all(made)).map(({ body }) => body.id as string);
    writers = rooms.slice(0, 50);
    for (const room of writers) await ann.post(`/api/channels/${room}/messages`, { text: "missed" });
  });
  afterAll(() => stage.end());

  test.each(["SignalR", "Socket.IO"])(
    "comes back to all of them at once over %s, each from where he was",
    async wire => {
      const { url } = stage.server;
      const token = ann.token as string;
      if (wire === "SignalR") {
        const client = await SignalrClient.open(url, token);
        const joined = await Promise.all(rooms.map(room => client.invoke("JoinChannel", room, 0)));
        expect(joined.map(({ lastSeq }) => lastSeq as number)).toEqual(rooms.map((_, n) => (n < 50 ? 1 : 0)));
        expect(new Set(client.all("ReceiveMessage").map(([room]) => room))).toEqual(new Set(writers));
        await client.close();
      } else {
        const client = await SocketioClient.open(url, token);
        const joined = await Promise.all(rooms.map(room => client.ask("join", { channelId: room, afterSeq: 1 })));
        expect(new Set(joined.map(({ ok }) => ok as boolean))).toEqual(new Set([true]));
        client.close();
      }
    },
    60_000,
  );

  test("direct rooms are no part of what he may join, however few that are", async () => {
    const stage = await Stage.on(await startServer({ env: { LIMIT_ROOMS: "3" } }));
    const ann = await stage.user("ann");
    for (let n = 0; n < 5; n++) await stage.direct(ann, await stage.user("bob"));
    const rooms = [await stage.channel([ann]), await stage.channel([ann]), await stage.channel([ann])];
    const client = await SignalrClient.open(stage.server.url, ann.token as string, { reconnect: [0, 0, 0] });
    for (const room of rooms) expect(await client.invoke("JoinChannel", room)).toMatchObject({ lastSeq: 0 });
    await expect(client.invoke("JoinChannel", await stage.channel([ann]))).rejects.toThrow(/INVALID: rooms: At most 3/);
    expect(client.states).toEqual([]);
    await client.close();
    await stage.end();
  });
});

describeEmbedded("those who come to Socket.IO's polling and never say who they are", () => {
  const STRANGERS = 2_200;

  test("keep nobody else out: the oldest of them goes", async () => {
    const stage = await Stage.on(await startServer({ env: { LIMIT_STRANGERS_PER_ADDRESS: "100000" } }));
    const { url } = stage.server;
    const ann = await stage.user("ann");
    const sids: string[] = [];
    while (sids.length < STRANGERS) {
      const opened = Array.from({ length: 100 }, async () => {
        const answer = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
        return ((await answer.text()).match(/"sid":"([^"]+)"/) ?? [])[1] as string;
      });
      sids.push(...(await Promise.all(opened)));
    }
    const client = await SocketioClient.open(url, ann.token as string);
    expect(client.socket.connected).toBe(true);
    client.close();
    const hub = await SignalrClient.open(url, ann.token as string, { transport: "LongPolling" });
    await hub.close();
    // The id tells nobody on which machine it is.
    expect(Buffer.from(sids[0] as string, "base64url").toString()).not.toMatch(new RegExp(hostname(), "i"));
    await stage.end();
  });
});
