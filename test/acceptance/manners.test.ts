import { Stage, type Client } from "../support/client";
import { enter, knock, REQUESTS, visit, WEB_SOCKETS, type Visitor } from "../support/doors";
import { eventually } from "../support/eventually";
import { describeEmbedded, startServer } from "../support/server";

const BURST = 500;
const PER_USER = 3;
const STRANGERS = 6;

/** One who asks for more than is his, at every door: he is refused or ends, and nobody else notices. */
describeEmbedded("limits of sockets", () => {
  let stage: Stage;
  let url: string;
  let ann: Client;
  let room: string;
  const open: Visitor[] = [];

  beforeAll(async () => {
    stage = await Stage.on(
      await startServer({
        env: {
          RATE_LIMIT: "on",
          LIMIT_FLOOD_BURST: String(BURST),
          LIMIT_FLOOD_PER_SECOND: "20",
          LIMIT_SOCKETS_PER_USER: String(PER_USER),
        },
      }),
    );
    url = stage.server.url;
    ann = await stage.user("ann");
    room = await stage.channel([ann]);
  });
  afterEach(async () => {
    const closed = open.splice(0).map(visitor => (visitor.socket.terminate(), visitor.closed));
    await Promise.all(closed);
  });
  afterAll(() => stage.end());

  const kept = (visitor: Visitor): Visitor => (open.push(visitor), visitor);

  /** The status he is refused with, or `open`. */
  const refusal = (trying: Promise<Visitor>): Promise<string> =>
    trying.then(
      visitor => (kept(visitor), "open"),
      (error: Error) => error.message,
    );

  describe.each(WEB_SOCKETS)("$name", door => {
    test.each(["typing", "nothing"] as const)("a flood (%s) ends whose it is, and hurts nobody", async what => {
      const eve = await stage.user("eve");
      await stage.admin.post(`/api/channels/${room}/members`, { userId: eve.id });
      const flooding = kept(await enter(door, url, eve));
      const bystander = await ann.socket([room]);
      const frame = what === "typing" ? door.typing(room) : door.nothing;
      for (let n = 0; n < BURST * 2; n++) flooding.socket.send(frame);
      const sent = await bystander.request({ t: "send", room, text: "meanwhile" });
      expect(sent.t).toBe("ok");
      expect(await flooding.closed).toBe(4029);
      // He may come back, and is listened to again.
      kept(await enter(door, url, eve));
      bystander.cut();
    });

    test("as many as one user may have, and one more: that one is told, the others live on", async () => {
      const eve = await stage.user("eve");
      for (let n = 0; n < PER_USER; n++) kept(await enter(door, url, eve));
      await expect(enter(door, url, eve)).rejects.toThrow(/4504|RATE_LIMITED|Too many/);
      expect(open.map(({ socket }) => socket.readyState)).toEqual(Array(PER_USER).fill(1));
      open[0]?.socket.terminate();
      await open[0]?.closed;
      await eventually(
        "there is room again",
        () => refusal(enter(door, url, eve)),
        answer => answer === "open",
      );
    });

    test("an Origin that is not ours is refused before the upgrade, however like ours it is", async () => {
      const own = new URL(url);
      for (const origin of [
        "https://evil.example",
        "null",
        `${url}.evil.example`,
        `http://${own.hostname}.evil:${own.port}`,
        `https://${own.host}`.replace(own.port, String(Number(own.port) + 1)),
        url.replace("127.0.0.1", "127.0.0.1.nip.io"),
      ])
        await expect(visit(door, url, ann, { Origin: origin })).rejects.toThrow("403");
      kept(await visit(door, url, ann, { Origin: url }));
    });
  });

  describe.each(REQUESTS)("$name", request => {
    test("an Origin that is not ours is refused, ours is not", async () => {
      expect(await knock(request, url, ann, { Origin: "https://evil.example" })).toBe(403);
      expect(await knock(request, url, ann, { Origin: "null" })).toBe(403);
      expect(await knock(request, url, ann, { Origin: url })).toBe(200);
    });
  });
});

describeEmbedded("those who do not say who they are", () => {
  let stage: Stage;
  let url: string;
  let ann: Client;
  const open: Visitor[] = [];
  const kept = (visitor: Visitor): Visitor => (open.push(visitor), visitor);
  const mayEnter = (door: (typeof WEB_SOCKETS)[number]): Promise<boolean> =>
    visit(door, url, ann).then(
      visitor => Boolean(kept(visitor)),
      () => false,
    );
  const [native, , socketio] = WEB_SOCKETS as [never, never, (typeof WEB_SOCKETS)[number]];

  beforeAll(async () => {
    const env = { RATE_LIMIT: "on", LIMIT_STRANGERS_PER_ADDRESS: String(STRANGERS) };
    stage = await Stage.on(await startServer({ env }));
    url = stage.server.url;
    ann = await stage.user("ann");
  });
  afterEach(() => open.splice(0).forEach(({ socket }) => socket.terminate()));
  afterAll(() => stage.end());

  test("are so many of one address over all doors, and no more; who said it is not counted", async () => {
    const known = kept(await enter(native, url, ann));
    for (let n = 0; n < STRANGERS; n++) kept(await visit(n % 2 ? native : socketio, url, ann));
    for (const door of WEB_SOCKETS) await expect(visit(door, url, ann)).rejects.toThrow("429");
    for (const request of REQUESTS) expect(await knock(request, url, ann)).toBe(429);
    for (const { method, path } of REQUESTS) {
      const { headers } = await fetch(url + path, { method, headers: { Authorization: `Bearer ${ann.token}` } });
      expect([path, Number(headers.get("retry-after")) > 0]).toEqual([path, true]);
    }
    expect(known.socket.readyState).toBe(1);
    open.at(-1)?.socket.terminate();
    await eventually("one may come in his place", () => mayEnter(native));
  });

  test("are also those who came to go on with a session that is not there", async () => {
    const moving = { ...socketio, address: () => "/socket.io/?EIO=4&transport=websocket&sid=nobodys" };
    await eventually("nobody is there", async () => {
      if (await mayEnter(moving)) return open.length === STRANGERS;
      open.splice(0).forEach(({ socket }) => socket.terminate());
      return false;
    });
    await expect(visit(native, url, ann)).rejects.toThrow("429");
    open.splice(0).forEach(({ socket }) => socket.terminate());
    await eventually("they are gone", () => mayEnter(native));
  });
});

describeEmbedded("a process that has used up its memory", () => {
  test("takes no more sockets at any door, and goes on with all else", async () => {
    const stage = await Stage.on(await startServer({ env: { LIMIT_MEMORY: "1" } }));
    const { url } = stage.server;
    const ann = await stage.user("ann");
    for (const door of WEB_SOCKETS)
      await eventually(
        `${door.name} is shut`,
        () =>
          visit(door, url, ann).then(
            ({ socket }) => (socket.terminate(), "open"),
            (error: Error) => error.message,
          ),
        answer => answer === "503",
      );
    for (const request of REQUESTS) expect(await knock(request, url, ann)).toBe(503);
    const room = await stage.channel([ann]);
    expect((await ann.post(`/api/channels/${room}/messages`, { text: "still here" })).status).toBe(201);
    await stage.end();
  });
});
