import { createServer as createTcpServer, type AddressInfo } from "node:net";
import {
  createEngine,
  PAYLOAD_ROOM,
  type Engine,
  type EngineHandlers,
  type EngineOptions,
  type Socket,
  type UpgradeRequest,
} from "../../../services/ws-gateway/engine";
import { encodeFrame, OPCODE, RawSocket, rawHttp } from "../../support/raw-socket";

const OPTIONS: EngineOptions = { maxPayload: 66_560, maxBackpressure: 512 * 1024, idleTimeout: 60, trustProxies: [] };

/** Resolves as soon as `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve));
}

describe.each(["uws", "ws"] as const)("engine %s", kind => {
  let engine: Engine;
  let port: number;
  const sockets: Socket[] = [];
  const closes: { id: number; code: number; reason: string }[] = [];
  const messages: string[] = [];
  const binaries: Buffer[] = [];
  const upgrades: { path: string; query: string; address: string; protocols: readonly string[] }[] = [];
  const open: RawSocket[] = [];
  let onMessage: (socket: Socket, text: string) => void;

  const handlers: EngineHandlers = {
    upgrade(request: UpgradeRequest) {
      const { path, query, address, protocols } = request;
      upgrades.push({ path, query, address, protocols });
      if (request.header("origin") === "https://evil.example") return { status: 403, body: "origin" };
      if (path !== "/ws") return { status: 404, headers: { "X-Why": "path" }, body: "no such path" };
      return { protocol: protocols.includes("rookery.v1") ? "rookery.v1" : undefined, data: { path } };
    },
    open: socket => void sockets.push(socket),
    message(socket, text) {
      messages.push(text);
      onMessage(socket, text);
    },
    binary: (_socket, bytes) => void binaries.push(Buffer.from(bytes)),
    drain: () => undefined,
    close: (socket, code, reason) => void closes.push({ id: socket.id, code, reason }),
    request: exchange => exchange.reply({ status: 200, body: "plain" }),
  };

  async function start(options: Partial<EngineOptions> = {}): Promise<void> {
    engine = await createEngine(kind, handlers, { ...OPTIONS, ...options });
    port = await engine.listen("127.0.0.1", 0);
  }

  /** A client and the engine's side of it. */
  async function join(headers: Record<string, string> = {}): Promise<[RawSocket, Socket]> {
    const before = sockets.length;
    const client = await RawSocket.open(port, { headers });
    open.push(client);
    await until(() => sockets.length > before);
    return [client, sockets[before]!];
  }

  /** The engine takes a new connection and answers on it. */
  async function expectAlive(): Promise<void> {
    const [client] = await join();
    client.text("alive");
    expect(await client.take(1)).toEqual(["alive"]);
  }

  beforeEach(() => {
    for (const list of [sockets, closes, messages, binaries, upgrades]) list.length = 0;
    onMessage = (socket, text) => socket.send(text);
  });

  afterEach(async () => {
    for (const client of open.splice(0)) client.destroy();
    await engine.close();
  });

  describe("upgrade", () => {
    beforeEach(() => start());

    it("shows the handler path, query, address and offered subprotocols", async () => {
      const client = await RawSocket.open(port, {
        path: "/ws?a=1&b=2",
        headers: { "Sec-WebSocket-Protocol": "x.v1, rookery.v1" },
      });
      open.push(client);
      expect(upgrades).toEqual([
        { path: "/ws", query: "a=1&b=2", address: "127.0.0.1", protocols: ["x.v1", "rookery.v1"] },
      ]);
    });

    it("echoes the subprotocol chosen and none when none was", async () => {
      const [chosen, socket] = await join({ "Sec-WebSocket-Protocol": "x.v1, rookery.v1" });
      expect(chosen.header("Sec-WebSocket-Protocol")).toBe("rookery.v1");
      expect(socket.protocol).toBe("rookery.v1");
      expect(socket.data).toEqual({ path: "/ws" });
      const [none] = await join({ "Sec-WebSocket-Protocol": "x.v1" });
      expect(none.status).toBe(101);
      expect(none.header("Sec-WebSocket-Protocol")).toBeUndefined();
    });

    it("refuses with the handler's status, headers and body", async () => {
      const client = await RawSocket.open(port, { path: "/other" });
      await client.untilClosed();
      expect([client.status, client.header("X-Why"), client.body]).toEqual([404, "path", "no such path"]);
      expect(sockets).toHaveLength(0);
    });

    it("lets the handler refuse an origin", async () => {
      const client = await RawSocket.open(port, { headers: { Origin: "https://evil.example" } });
      await client.untilClosed();
      expect(client.status).toBe(403);
      expect(engine.connections).toBe(0);
    });

    it.each([
      ["another version", { "Sec-WebSocket-Version": "12" }, 426],
      ["no version", { "Sec-WebSocket-Version": "" }, 426],
      ["a malformed subprotocol", { "Sec-WebSocket-Protocol": "a,,b" }, 400],
    ])("refuses %s before the handler sees it", async (_name, headers, status) => {
      const client = await RawSocket.open(port, { headers });
      await client.untilClosed();
      expect(client.status).toBe(status);
      expect(upgrades).toHaveLength(0);
    });

    it("does not open a socket for a malformed key", async () => {
      const client = await RawSocket.open(port, { headers: { "Sec-WebSocket-Key": "short" } });
      open.push(client);
      expect(client.status).not.toBe(101);
      expect(upgrades).toHaveLength(0);
    });

    it("takes a handshake without Upgrade for a plain request", async () => {
      const client = await RawSocket.open(port, { headers: { Upgrade: "", Connection: "close" } });
      await client.untilClosed();
      expect([client.status, client.body]).toEqual([200, "plain"]);
    });

    it("offers no compression", async () => {
      const [client] = await join({ "Sec-WebSocket-Extensions": "permessage-deflate" });
      expect(client.header("Sec-WebSocket-Extensions")).toBeUndefined();
    });

    it("answers a request that offers another protocol as a plain one", async () => {
      const answer = await rawHttp(
        port,
        "POST /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\nContent-Length: 3\r\n\r\nabc",
        text => text.endsWith("plain"),
      );
      expect(answer).toMatch(/^HTTP\/1.1 200 OK[^]*plain$/);
    });
  });

  describe("messages", () => {
    beforeEach(() => start());

    it("echoes text of every length class", async () => {
      const [client] = await join();
      for (const text of ["", "a", "x".repeat(125), "y".repeat(126), "é".repeat(30_000), "z".repeat(66_000)]) {
        client.text(text);
        expect(await client.take(1)).toEqual([text]);
      }
    });

    it("sends bytes as a text frame", async () => {
      const [client, socket] = await join();
      socket.send(Buffer.from("grüße"));
      expect(await client.take(1)).toEqual(["grüße"]);
    });

    it("keeps the order of corked sends", async () => {
      const [client, socket] = await join();
      const sent = Array.from({ length: 200 }, (_, i) => `m${i}`);
      socket.cork(() => {
        for (const text of sent) socket.send(text);
      });
      expect(await client.take(200)).toEqual(sent);
    });

    it("hands binary messages over apart from text", async () => {
      const [client] = await join();
      client.frame(OPCODE.BINARY, Buffer.from([1, 2, 3]));
      await until(() => binaries.length === 1);
      expect([...binaries[0]!]).toEqual([1, 2, 3]);
      expect(messages).toEqual([]);
    });

    it("joins fragments, with a ping between them", async () => {
      const [client] = await join();
      client.frame(OPCODE.TEXT, "one ", { fin: false });
      client.frame(OPCODE.PING, "between");
      client.frame(OPCODE.CONTINUATION, "two ", { fin: false });
      client.frame(OPCODE.CONTINUATION, "three");
      expect(await client.take(1)).toEqual(["one two three"]);
      expect(client.frames.find(frame => frame.opcode === OPCODE.PONG)?.payload.toString()).toBe("between");
    });

    it("takes a frame that arrives byte by byte and two that arrive at once", async () => {
      const [client] = await join();
      client.tcp.setNoDelay(true);
      for (const byte of encodeFrame(OPCODE.TEXT, "slowly")) {
        await new Promise<void>(resolve => client.tcp.write(Buffer.from([byte]), () => resolve()));
      }
      client.tcp.write(Buffer.concat([encodeFrame(OPCODE.TEXT, "a"), encodeFrame(OPCODE.TEXT, "b")]));
      expect(await client.take(3)).toEqual(["slowly", "a", "b"]);
    });

    it("answers a ping with a pong of the same payload", async () => {
      const [client] = await join();
      client.frame(OPCODE.PING, "are you there");
      await client.until(() => client.frames.length > 0);
      expect(client.frames[0]).toMatchObject({ opcode: OPCODE.PONG, payload: Buffer.from("are you there") });
    });
  });

  describe("topics", () => {
    beforeEach(() => start());

    it("publishes to exactly the subscribers", async () => {
      const [a, aSocket] = await join();
      const [b, bSocket] = await join();
      const [c] = await join();
      aSocket.subscribe("room");
      bSocket.subscribe("room");
      bSocket.subscribe("other");
      bSocket.unsubscribe("room");
      engine.publish("room", "for a");
      engine.publish("other", Buffer.from("for b"));
      engine.publish("nobody", "lost");
      for (const client of [a, b, c]) client.text("end");
      expect(await a.take(2)).toEqual(["for a", "end"]);
      expect(await b.take(2)).toEqual(["for b", "end"]);
      expect(await c.take(1)).toEqual(["end"]);
    });

    it("keeps program order between send and publish", async () => {
      const [client, socket] = await join();
      socket.subscribe("room");
      socket.subscribe("room2");
      const sent: string[] = [];
      for (let i = 0; i < 300; i += 1) {
        // Large publishes take another way through the native engine.
        const text = `${i}${i % 50 === 7 ? "x".repeat(20_000) : ""}`;
        sent.push(text);
        if (i % 3 === 0) socket.send(text);
        else engine.publish(i % 3 === 1 ? "room" : "room2", text);
      }
      expect(await client.take(sent.length)).toEqual(sent);
    });

    it("does not deliver what was published before the subscription in the same tick", async () => {
      const [client, socket] = await join();
      engine.publish("room", "before");
      socket.subscribe("room");
      engine.publish("room", "after");
      socket.send("end");
      expect(await client.take(2)).toEqual(["after", "end"]);
    });

    it("delivers what was published before the subscription ended in the same tick", async () => {
      const [client, socket] = await join();
      socket.subscribe("room");
      engine.publish("room", "before");
      socket.unsubscribe("room");
      engine.publish("room", "after");
      socket.send("end");
      expect(await client.take(2)).toEqual(["before", "end"]);
    });

    it("delivers what was published before the socket was ended in the same tick", async () => {
      const [client, socket] = await join();
      socket.subscribe("room");
      engine.publish("room", "last words");
      socket.end(4001, "going away");
      engine.publish("room", "unheard");
      await client.untilClosed();
      expect(client.texts).toEqual(["last words"]);
      expect(client.closeCode).toBe(4001);
    });

    it("keeps the order of 1,000 messages to many sockets", async () => {
      const pairs = await Promise.all(Array.from({ length: 20 }, () => RawSocket.open(port)));
      open.push(...pairs);
      await until(() => sockets.length === 20);
      for (const socket of sockets) socket.subscribe("room");
      const sent = Array.from({ length: 1_000 }, (_, i) => `message ${i}`);
      for (const [i, text] of sent.entries()) {
        engine.publish("room", text);
        if (i % 100 === 99) await new Promise(resolve => setImmediate(resolve));
      }
      for (const client of pairs) expect(await client.take(1_000)).toEqual(sent);
    });
  });

  describe("closing", () => {
    beforeEach(() => start());

    it("sends code and reason of end, calls close before it returns, and is inert from then on", async () => {
      const [client, socket] = await join();
      socket.subscribe("room");
      socket.end(4001, "going away");
      expect(closes).toEqual([{ id: socket.id, code: 4001, reason: "going away" }]);
      expect(engine.connections).toBe(0);
      expect([socket.closed, socket.buffered]).toEqual([true, 0]);
      socket.send("late");
      socket.subscribe("room");
      socket.unsubscribe("room");
      socket.cork(() => socket.send("late"));
      socket.end(4000, "again");
      socket.close();
      engine.publish("room", "late");
      await client.untilClosed();
      expect([client.closeCode, client.closeReason]).toEqual([4001, "going away"]);
      expect(client.texts).toEqual([]);
      expect(closes).toHaveLength(1);
    });

    it("delivers nothing that a client says after it was ended", async () => {
      const [client, socket] = await join();
      socket.end(4001, "going away");
      client.tcp.write(encodeFrame(OPCODE.TEXT, "too late"));
      await client.untilClosed();
      expect(messages).toEqual([]);
    });

    it("cuts a reason to what a close frame holds", async () => {
      const [client, socket] = await join();
      socket.end(4001, "ü".repeat(100));
      await client.untilClosed();
      expect([client.closeCode, client.closeReason]).toEqual([4001, "ü".repeat(61)]);
    });

    it("may be ended within its own message", async () => {
      onMessage = socket => {
        socket.send("answer");
        socket.end(4500, "bad frame");
      };
      const [client] = await join();
      client.text("x");
      client.text("y");
      await client.untilClosed();
      expect([client.texts, client.closeCode, messages]).toEqual([["answer"], 4500, ["x"]]);
    });

    it("drops without a close frame on close", async () => {
      const [client, socket] = await join();
      socket.close();
      await client.untilClosed();
      expect(client.closeCode).toBeUndefined();
      expect(closes).toEqual([{ id: socket.id, code: 1006, reason: "" }]);
    });

    it("reports the client's code and reason", async () => {
      const [client, socket] = await join();
      client.end(4321, "bye");
      await until(() => closes.length === 1);
      expect(closes).toEqual([{ id: socket.id, code: 4321, reason: "bye" }]);
    });

    it("reports 1006 for a connection that breaks", async () => {
      const [client] = await join();
      client.destroy();
      await until(() => closes.length === 1);
      expect(closes[0]?.code).toBe(1006);
    });

    it("reports 1005 for a close frame without code", async () => {
      const [client] = await join();
      client.frame(OPCODE.CLOSE, "");
      await until(() => closes.length === 1);
      expect(closes[0]?.code).toBe(1005);
    });

    it("counts 1,000 sockets that open and close back to 0", async () => {
      const clients: RawSocket[] = [];
      for (let batch = 0; batch < 10; batch += 1) {
        clients.push(...(await Promise.all(Array.from({ length: 100 }, () => RawSocket.open(port)))));
      }
      await until(() => engine.connections === 1_000);
      for (const [i, client] of clients.entries()) {
        if (i % 2 === 0) client.destroy();
        else client.end(1000);
      }
      await until(() => engine.connections === 0);
      expect(new Set(closes.map(close => close.id)).size).toBe(1_000);
    });
  });

  describe("violations close the connection and nothing else", () => {
    beforeEach(() => start());

    const large = "x".repeat(OPTIONS.maxPayload + 1);
    const huge = encodeFrame(OPCODE.TEXT, "x".repeat(PAYLOAD_ROOM * OPTIONS.maxPayload + 1));
    const fragment = encodeFrame(OPCODE.CONTINUATION, "x".repeat(20_000), { fin: false });
    it("takes larger messages at a path that has them, up to a bound", async () => {
      await engine.close();
      await start({ largerAt: { "/ws": 4 * huge.length } });
      const text = "x".repeat(2 * huge.length);
      const [client, socket] = await join();
      onMessage = (from, said) => void (said !== text && from.send(said));
      client.text(text);
      await until(() => messages.length > 0);
      expect(messages).toEqual([text]);
      client.tcp.write(encodeFrame(OPCODE.TEXT, "x".repeat(5 * huge.length)).subarray(0, 100));
      await until(() => socket.closed);
      await expectAlive();
    });

    const cases: [string, Buffer][] = [
      ["a message far too large, announced only", huge.subarray(0, 20)],
      ["a length of 2^63", Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])],
      [
        "a message far too large in fragments",
        Buffer.concat([encodeFrame(OPCODE.TEXT, "x", { fin: false }), ...Array<Buffer>(14).fill(fragment)]),
      ],
      ["an unmasked frame", encodeFrame(OPCODE.TEXT, "bare", { masked: false })],
      ["a reserved bit", encodeFrame(OPCODE.TEXT, "x", { reserved: 0x20 })],
      ["the compression bit", encodeFrame(OPCODE.TEXT, "x", { reserved: 0x40 })],
      ["an unknown opcode", encodeFrame(3, "x")],
      ["an unknown control opcode", encodeFrame(11, "x")],
      ["invalid UTF-8", encodeFrame(OPCODE.TEXT, Buffer.from([0x61, 0xc0, 0xaf]))],
      ["a half surrogate", encodeFrame(OPCODE.TEXT, Buffer.from([0xed, 0xa0, 0x80]))],
      ["an oversize control frame", encodeFrame(OPCODE.PING, "p".repeat(126))],
      ["a fragmented control frame", encodeFrame(OPCODE.PING, "p", { fin: false })],
      ["a continuation of nothing", encodeFrame(OPCODE.CONTINUATION, "x")],
      [
        "a new message within a fragmented one",
        Buffer.concat([encodeFrame(OPCODE.TEXT, "a", { fin: false }), encodeFrame(OPCODE.TEXT, "b")]),
      ],
      ["a close frame of one byte", encodeFrame(OPCODE.CLOSE, Buffer.from([3]))],
      ["a close code nobody may send", encodeFrame(OPCODE.CLOSE, Buffer.from([3, 0xee]))],
    ];

    // A client that is told 1006 comes back and sends the same again.
    it.each([
      ["text", encodeFrame(OPCODE.TEXT, large)],
      ["bytes", encodeFrame(OPCODE.BINARY, large)],
      [
        "fragments",
        Buffer.concat([
          encodeFrame(OPCODE.TEXT, large.slice(0, 40_000), { fin: false }),
          encodeFrame(OPCODE.CONTINUATION, large.slice(40_000)),
        ]),
      ],
      ["bytes that are few characters", encodeFrame(OPCODE.TEXT, "é".repeat(OPTIONS.maxPayload / 2 + 1))],
    ])("too large a message: %s, with the code that says not to try again", async (_name, bytes) => {
      const [client] = await join();
      client.tcp.write(Buffer.concat([bytes, encodeFrame(OPCODE.TEXT, "after")]));
      await client.untilClosed();
      expect(client.closeCode).toBe(4500);
      await until(() => closes.length === 1);
      expect(closes[0]).toMatchObject({ code: 4500, reason: "bad frame" });
      expect([messages, binaries]).toEqual([[], []]);
      await expectAlive();
    });

    it.each(cases)("%s", async (_name, bytes) => {
      const [client] = await join();
      client.tcp.write(Buffer.concat([bytes, encodeFrame(OPCODE.TEXT, "after")]));
      await client.untilClosed();
      await until(() => closes.length === 1);
      expect(messages).toEqual([]);
      expect(client.texts).toEqual([]);
      await expectAlive();
    });
  });

  describe("slow readers", () => {
    beforeEach(() => start({ maxBackpressure: 128 * 1024 }));

    const pad = "x".repeat(8_000);

    it.each([
      ["sends", (socket: Socket, text: string) => socket.send(text)],
      ["publishes", (_: Socket, text: string) => engine.publish("room", text)],
    ])("are closed, and have every frame up to the close in order: %s", async (_name, write) => {
      const [slow, socket] = await join();
      const [other, otherSocket] = await join();
      socket.subscribe("room");
      slow.tcp.pause();
      let sent = 0;
      while (!socket.closed && sent < 20_000) {
        write(socket, `${sent} ${pad}`);
        sent += 1;
        if (sent % 10 === 0) await new Promise(resolve => setImmediate(resolve));
      }
      expect(socket.closed).toBe(true);
      expect(sent).toBeGreaterThan(16);
      expect([1006, 4008]).toContain(closes[0]?.code);
      slow.tcp.resume();
      await slow.untilClosed();
      const numbers = slow.texts.map(text => Number(text.split(" ", 1)[0]));
      expect(numbers.length).toBeGreaterThan(0);
      expect(numbers).toEqual(numbers.map((_number, i) => i));
      otherSocket.send("fine");
      expect(await other.take(1)).toEqual(["fine"]);
    });

    it("that catch up in time stay, and miss nothing", async () => {
      const [client, socket] = await join();
      for (let i = 0; i < 400; i += 1) {
        socket.send(`${i} ${pad}`);
        if (i % 8 === 7) await client.until(() => client.texts.length === i + 1);
      }
      expect(socket.closed).toBe(false);
      expect(client.texts.map(text => Number(text.split(" ", 1)[0]))).toEqual(Array.from({ length: 400 }, (_, i) => i));
    });

    it("that flood with pings and read no pong are closed", async () => {
      const [client, socket] = await join();
      client.tcp.pause();
      const pings = Buffer.concat(Array.from({ length: 500 }, () => encodeFrame(OPCODE.PING, "p".repeat(125))));
      while (!socket.closed && !client.ended && socket.buffered <= 256 * 1024) {
        await new Promise<void>(resolve => client.tcp.write(pings, () => resolve()));
      }
      expect(socket.buffered).toBeLessThanOrEqual(256 * 1024);
      await expectAlive();
    });

    it("may get one frame larger than the bound", async () => {
      const [client, socket] = await join();
      const large = "L".repeat(1024 * 1024);
      socket.send(large);
      expect((await client.take(1))[0] === large).toBe(true);
    });
  });

  it("closes a socket that answers no ping, and keeps one that does", async () => {
    await start({ idleTimeout: 8 });
    const [silent, socket] = await join();
    const [polite, politeSocket] = await join();
    polite.tcp.on("data", () => {
      for (const frame of polite.frames.splice(0)) {
        if (frame.opcode === OPCODE.PING) polite.frame(OPCODE.PONG, frame.payload);
      }
    });
    await silent.untilClosed();
    await until(() => socket.closed);
    expect(politeSocket.closed).toBe(false);
    polite.text("still here");
    expect(await polite.take(1)).toEqual(["still here"]);
  });

  describe("listening", () => {
    it("refuses a taken port by name", async () => {
      const holder = createTcpServer();
      await new Promise<void>(resolve => holder.listen(0, "127.0.0.1", resolve));
      const taken = (holder.address() as AddressInfo).port;
      engine = await createEngine(kind, handlers, OPTIONS);
      await expect(engine.listen("127.0.0.1", taken)).rejects.toMatchObject({
        code: "EADDRINUSE",
        message: expect.stringContaining(String(taken)),
      });
      await new Promise(resolve => holder.close(resolve));
    });

    it("refuses a port that another engine holds", async () => {
      await start();
      const second = await createEngine(kind, handlers, OPTIONS);
      await expect(second.listen("127.0.0.1", port)).rejects.toMatchObject({ code: "EADDRINUSE" });
      await second.close();
    });

    it("lets open sockets live on after it stopped listening", async () => {
      await start();
      const [client] = await join();
      engine.stopListening();
      const late = await RawSocket.open(port);
      expect(late.head).toBe("");
      client.text("still here");
      expect(await client.take(1)).toEqual(["still here"]);
    });

    it("closes every socket on close", async () => {
      await start();
      const [client] = await join();
      await engine.close();
      await client.untilClosed();
      expect(engine.connections).toBe(0);
      expect(closes).toHaveLength(1);
    });
  });

  it("takes the client's address from a trusted proxy only", async () => {
    await start({ trustProxies: ["127.0.0.0/8", "10.0.0.0/8"] });
    const [, socket] = await join({ "X-Forwarded-For": "6.6.6.6, 203.0.113.7, 10.1.2.3" });
    expect(socket.address).toBe("203.0.113.7");
    await engine.close();
    await start();
    const [, direct] = await join({ "X-Forwarded-For": "203.0.113.7" });
    expect(direct.address).toBe("127.0.0.1");
  });
});

it("auto takes the native engine where it has a binary", async () => {
  const handlers = {} as EngineHandlers;
  const engine = await createEngine("auto", handlers, OPTIONS);
  expect(engine.fallback === undefined ? "uws" : "ws").toBe(engine.name);
  await engine.close();
});
