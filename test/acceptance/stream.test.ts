import { EventSource } from "eventsource";
import { say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { startServer, type Server } from "../support/server";

/** For networks without WebSockets: native frames as a stream of events, and requests the other way. */
describe("/stream", () => {
  let server: Server;
  let stage: Stage;
  const open: Listener[] = [];

  beforeAll(async () => {
    server = await startServer();
    stage = await Stage.on(server);
  });
  afterEach(() => open.splice(0).forEach(({ source }) => source.close()));
  afterAll(() => stage.end());

  interface Listener {
    source: EventSource;
    frames: Body[];
    welcome: Body;
    say(frame: object): Promise<{ status: number; body: Body }>;
  }

  const headers = (client: Client) => ({ Authorization: `Bearer ${client.token}` });

  async function listen(client: Client, rooms: string): Promise<Listener> {
    const frames: Body[] = [];
    const source = new EventSource(`${server.url}/stream?rooms=${rooms}`, {
      fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...headers(client) } }),
    });
    source.onmessage = ({ data }) => void frames.push(JSON.parse(data as string) as Body);
    const [welcome] = await eventually(
      "welcome",
      () => frames,
      all => all.length > 0,
    );
    const listener: Listener = {
      source,
      frames,
      welcome,
      async say(frame) {
        const answer = await fetch(`${server.url}/stream?session=${encodeURIComponent(welcome.session)}`, {
          method: "POST",
          headers: headers(client),
          body: JSON.stringify(frame),
        });
        return { status: answer.status, body: (await answer.json()) as Body };
      },
    };
    open.push(listener);
    return listener;
  }

  test("begins with a welcome, goes on from an offset, and takes frames one by one", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const room = await stage.channel([ann, bob]);
    const first = await say(ann, room, "before");
    const one = await listen(bob, `${room}:${first.offset - 1}`);
    expect(one.welcome).toMatchObject({ t: "welcome", user: { id: bob.id }, rooms: { [room]: { state: "replayed" } } });
    const sent = await one.say({ t: "send", i: 7, room, text: "from bob", clientId: "c-1" });
    expect(sent).toMatchObject({ status: 200, body: { t: "ok", i: 7, message: { text: "from bob", seq: 2 } } });
    expect(await one.say({ t: "send", room, text: "", i: 8 })).toMatchObject({
      body: { t: "err", i: 8, code: "INVALID" },
    });
    expect(await one.say({ t: "fly", i: 9 })).toMatchObject({ body: { t: "err", i: 9, code: "INVALID" } });
    const events = await eventually(
      "both messages",
      () => one.frames.filter(({ t, kind }) => t === "event" && kind === "message"),
      all => all.length >= 2,
    );
    expect(events.map(({ data }) => data)).toEqual([first, sent.body.message]);
  });

  test("resumes where it was, with nothing missed and nothing twice", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const room = await stage.channel([ann, bob]);
    const one = await listen(bob, room);
    for (let n = 0; n < 3; n++) await say(ann, room, `m${n}`);
    const messages = (listener: Listener) => listener.frames.filter(({ kind }) => kind === "message");
    await eventually("three", () => messages(one).length === 3);
    one.source.close();
    for (let n = 3; n < 6; n++) await say(ann, room, `m${n}`);
    const again = await listen(bob, `${room}:${messages(one).at(-1)?.offset}`);
    await eventually("the rest", () => messages(again).length >= 3);
    expect([...messages(one), ...messages(again)].map(({ data }) => data.text)).toEqual([
      "m0",
      "m1",
      "m2",
      "m3",
      "m4",
      "m5",
    ]);
  });

  test("is nobody's but his whose it is", async () => {
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const one = await listen(ann, "");
    const ask = (who: Record<string, string>, method: string, query: string) =>
      fetch(`${server.url}/stream${query}`, {
        method,
        headers: who,
        ...(method === "POST" && { body: '{"t":"ping"}' }),
      });
    const query = `?session=${encodeURIComponent(one.welcome.session)}`;
    expect((await ask(headers(bob), "POST", query)).status).toBe(404);
    expect((await ask({}, "POST", query)).status).toBe(401);
    expect((await ask({}, "GET", "")).status).toBe(401);
    expect((await ask(headers(ann), "GET", "?rooms=a:b")).status).toBe(422);
    expect(await (await ask(headers(ann), "POST", query)).json()).toEqual({ t: "pong" });
  });
});
