import {
  createServer,
  request,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import { connect } from "node:net";
import { clientAddress } from "../../../services/core/client-address";
import { createEngine, type Engine, type EngineHandlers } from "../../../services/ws-gateway/engine";
import { HttpHandover } from "../../../services/ws-gateway/handover";
import { rawHttp } from "../../support/raw-socket";

interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  rawHeaders: string[];
  body: Buffer;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve));
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe.each(["uws", "ws"] as const)("HTTP handed over by engine %s", kind => {
  let engine: Engine;
  let port: number;
  let origin: Server | undefined;
  let respond: (req: IncomingMessage, res: ServerResponse) => void | Promise<void>;

  async function start(trustProxies: string[] = []): Promise<void> {
    const handover = new HttpHandover(() => origin);
    const handlers: EngineHandlers = {
      upgrade: () => ({ status: 404 }),
      open: () => undefined,
      message: () => undefined,
      binary: () => undefined,
      drain: () => undefined,
      close: () => undefined,
      request: exchange => handover.handle(exchange),
    };
    engine = await createEngine(kind, handlers, {
      maxPayload: 65_536,
      maxBackpressure: 65_536,
      idleTimeout: 60,
      trustProxies,
    });
    port = await engine.listen("127.0.0.1", 0);
  }

  function send(
    method: string,
    path: string,
    options: { headers?: OutgoingHttpHeaders; body?: Buffer | string } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const req = request({ port, host: "127.0.0.1", method, path, headers: options.headers, agent: false }, res => {
        readAll(res).then(
          body => resolve({ status: res.statusCode ?? 0, headers: res.headers, rawHeaders: res.rawHeaders, body }),
          reject,
        );
      });
      req.on("error", reject);
      req.end(options.body);
    });
  }

  beforeEach(async () => {
    origin = createServer((req, res) => void respond(req, res));
    respond = async (req, res) => {
      const body = await readAll(req);
      res.setHeader("Content-Type", "application/json");
      res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, length: body.length }));
    };
    await start();
  });

  afterEach(async () => {
    await engine.close();
    origin?.closeAllConnections();
  });

  it.each(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])("answers %s", async method => {
    const body = method === "GET" || method === "OPTIONS" ? undefined : "hello";
    const answer = await send(method, "/api/x%20y?a=1&b=%2F", {
      body,
      headers: { "X-Custom": "Value", ...(body === undefined ? {} : { "Content-Length": 5 }) },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers["content-length"]).toBe(String(answer.body.length));
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      method,
      url: "/api/x%20y?a=1&b=%2F",
      headers: { "x-custom": "Value", host: `127.0.0.1:${port}` },
      length: body === undefined ? 0 : 5,
    });
  });

  it("answers HEAD with the length and no body, and 204 and 304 with neither", async () => {
    respond = (req, res) => {
      if (req.url === "/204") res.writeHead(204).end();
      else if (req.url === "/304") res.writeHead(304, { ETag: '"x"' }).end();
      else res.writeHead(200, { "Content-Length": 1234 }).end();
    };
    const head = await send("HEAD", "/");
    expect([head.status, head.headers["content-length"], head.body.length]).toEqual([200, "1234", 0]);
    const empty = await send("GET", "/204");
    expect([empty.status, empty.headers["transfer-encoding"], empty.body.length]).toEqual([204, undefined, 0]);
    // A length here, whatever it says, makes some clients wait for a body on a connection that is kept alive.
    expect(empty.headers["content-length"]).toBeUndefined();
    const same = await send("GET", "/304");
    expect([same.status, same.headers["etag"], same.body.length]).toEqual([304, '"x"', 0]);
  });

  it("keeps status phrase, repeated headers and an empty body", async () => {
    respond = (_req, res) => {
      res.writeHead(418, "Short And Stout", [
        ["Set-Cookie", "a=1"],
        ["Set-Cookie", "b=2"],
        ["X-Name", "v"],
        ["Content-Length", "0"],
      ] as never);
      res.end();
    };
    const raw = await rawHttp(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", text => text.includes("\r\n\r\n"));
    expect(raw).toMatch(/^HTTP\/1.1 418 Short And Stout\r\n/);
    const answer = await send("GET", "/");
    expect(answer.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    expect(answer.headers["content-length"]).toBe("0");
    for (const name of ["date", "content-length", "x-name"]) {
      const seen = answer.rawHeaders.filter((header, i) => i % 2 === 0 && header.toLowerCase() === name);
      expect([name, seen.length]).toEqual([name, 1]);
    }
  });

  it.each([
    ["1 MiB with its length", 1024 * 1024, false],
    ["1 MiB chunked", 1024 * 1024, true],
    ["25 MiB with its length", 25 * 1024 * 1024, false],
  ])("carries a body both ways unchanged: %s", async (_name, size, chunked) => {
    respond = (req, res) => {
      if (!chunked) res.setHeader("Content-Length", size);
      req.pipe(res);
    };
    const body = Buffer.alloc(size);
    for (let i = 0; i < size; i += 4) body.writeUInt32LE((i * 2654435761) >>> 0, i);
    const answer = await send("PUT", "/", {
      body,
      headers: chunked ? { "Transfer-Encoding": "chunked" } : { "Content-Length": size },
    });
    expect(answer.status).toBe(200);
    expect(answer.body.equals(body)).toBe(true);
    expect(answer.headers["transfer-encoding"]).toBe(chunked ? "chunked" : undefined);
  });

  it("slows the answering side down to the pace of a client that does not read", async () => {
    let produced = 0;
    let waiting = false;
    const total = 64 * 1024 * 1024;
    respond = (_req, res) => {
      const chunk = Buffer.alloc(64 * 1024, "x");
      const write = (): void => {
        waiting = false;
        while (produced < total) {
          produced += chunk.length;
          if (!res.write(chunk)) {
            waiting = true;
            res.once("drain", write);
            return;
          }
        }
        res.end();
      };
      write();
    };
    const tcp = connect(port, "127.0.0.1");
    tcp.pause();
    tcp.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(() => waiting);
    // Quiet for a good while of turns: nothing is being taken any more.
    for (let still = 0, last = produced; still < 5_000; still += 1) {
      await new Promise(resolve => setImmediate(resolve));
      if (produced !== last) still = 0;
      last = produced;
    }
    expect(produced).toBeLessThan(32 * 1024 * 1024);
    let received = 0;
    tcp.on("data", data => (received += data.length));
    tcp.resume();
    await until(() => received > total);
    tcp.destroy();
  });

  it("slows the client down to the pace of a server that does not read the body", async () => {
    let reading: IncomingMessage | undefined;
    respond = req => {
      reading = req;
    };
    const tcp = connect(port, "127.0.0.1");
    const total = 64 * 1024 * 1024;
    tcp.on("error", () => undefined);
    tcp.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${total}\r\n\r\n`);
    const chunk = Buffer.alloc(64 * 1024, "x");
    let room = true;
    tcp.on("drain", () => (room = true));
    let turns = 0;
    while (turns < 5_000) {
      if (room) {
        room = tcp.write(chunk);
        turns = 0;
      }
      turns += 1;
      await new Promise(resolve => setImmediate(resolve));
      if (tcp.bytesWritten >= total) break;
    }
    expect(reading).toBeDefined();
    expect(tcp.bytesWritten).toBeLessThan(32 * 1024 * 1024);
    tcp.destroy();
    // What the client's side still held comes first, then the news that it is gone.
    reading?.on("error", () => undefined);
    reading?.resume();
    await until(() => reading?.destroyed === true);
  });

  it("hands events out one by one, the headers first", async () => {
    let stream: ServerResponse | undefined;
    respond = (_req, res) => {
      stream = res;
      res.writeHead(200, { "Content-Type": "text/event-stream" });
      res.flushHeaders();
    };
    const res = await new Promise<IncomingMessage>(resolve => {
      request({ port, host: "127.0.0.1", path: "/stream", agent: false }, resolve).end();
    });
    let text = "";
    res.on("data", data => (text += String(data)));
    for (let i = 0; i < 3; i += 1) {
      stream?.write(`data: ${i}\n\n`);
      await until(() => text.endsWith(`data: ${i}\n\n`));
    }
    const gone = new Promise<void>(resolve => stream?.once("close", resolve));
    res.destroy();
    await gone;
  });

  it("tells the server when the client goes away before the answer", async () => {
    let aborted = false;
    let seen = false;
    respond = (_req, res) => {
      seen = true;
      res.once("close", () => (aborted = !res.writableFinished));
    };
    const tcp = connect(port, "127.0.0.1");
    tcp.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(() => seen);
    tcp.destroy();
    await until(() => aborted);
  });

  it("tells the server when the client goes away within its body", async () => {
    let failure: unknown;
    let seen = false;
    respond = req => {
      req.on("data", () => (seen = true));
      req.once("error", error => (failure = error));
    };
    const tcp = connect(port, "127.0.0.1");
    tcp.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
    await until(() => seen);
    tcp.destroy();
    await until(() => failure !== undefined);
  });

  it("ends the client's connection when the server breaks its answer off", async () => {
    respond = (_req, res) => {
      res.writeHead(200, { "Content-Length": 100 });
      res.write("half");
      setImmediate(() => res.destroy());
    };
    await expect(send("GET", "/")).rejects.toThrow();
    respond = (_req, res) => void res.end("well");
    expect((await send("GET", "/")).body.toString()).toBe("well");
  });

  it("passes an answer on that comes before the body has", async () => {
    respond = (_req, res) => {
      res.writeHead(413, { Connection: "close" });
      res.end("too large");
    };
    const answer = await rawHttp(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nsome");
    expect(answer).toMatch(/^HTTP\/1.1 413 [^]*too large/);
    respond = (_req, res) => void res.end("well");
    expect((await send("GET", "/")).body.toString()).toBe("well");
  });

  it("takes a body that comes in small pieces, and Expect: 100-continue", async () => {
    const tcp = connect(port, "127.0.0.1");
    tcp.setNoDelay(true);
    let answer = "";
    tcp.on("data", data => (answer += String(data)));
    tcp.write("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n");
    await until(() => answer.includes("100 Continue"));
    for (let i = 0; i < 20; i += 1) {
      await new Promise<void>(resolve => tcp.write("x", () => setImmediate(resolve)));
    }
    await until(() => answer.includes('"length":20'));
    tcp.destroy();
  });

  it("answers requests one after another on one connection", async () => {
    const tcp = connect(port, "127.0.0.1");
    let answer = "";
    tcp.on("data", data => (answer += String(data)));
    for (let i = 0; i < 20; i += 1) {
      tcp.write(`POST /${i} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx`);
      await until(() => answer.includes(`"url":"/${i}"`) && answer.endsWith("}"));
    }
    tcp.destroy();
  });

  it("never mixes up pipelined requests: answers come in order, or the connection ends", async () => {
    const raw = await rawHttp(
      port,
      Array.from({ length: 5 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""),
      text => text.includes('"url":"/4"'),
    );
    const urls = [...raw.matchAll(/"url":"\/(\d)"/g)].map(match => Number(match[1]));
    expect(urls).toEqual(urls.map((_url, i) => i));
    if (kind === "ws") expect(urls).toHaveLength(5);
    expect((await send("GET", "/well")).status).toBe(200);
  });

  it("serves many clients at a time, each its own answer", async () => {
    respond = (req, res) => {
      setImmediate(() => res.end(`${req.url} ${clientAddress(req)}`));
    };
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => send("GET", `/${i}`)));
    expect(answers.map(answer => answer.body.toString())).toEqual(answers.map((_, i) => `/${i} 127.0.0.1`));
  });

  it.each([
    ["two lengths", "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"],
    ["a length and chunks", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a length that is none", "Content-Length: +3\r\n\r\nabc"],
    ["an unknown coding", "Transfer-Encoding: gzip\r\n\r\nabc"],
    ["a folded header", "A: b\r\n c\r\nContent-Length: 3\r\n\r\nabc"],
    ["a header with a bare line feed", "A: b\nContent-Length: 100\r\nContent-Length: 3\r\n\r\nabc"],
  ])("never lets an ambiguous request through as two: %s", async (_name, rest) => {
    const urls: string[] = [];
    respond = async (req, res) => {
      urls.push(req.url ?? "");
      const body = await readAll(req).catch(() => Buffer.alloc(0));
      res.end(String(body.length));
    };
    const tcp = connect(port, "127.0.0.1");
    tcp.on("error", () => undefined);
    tcp.on("data", () => undefined);
    tcp.end(`POST /first HTTP/1.1\r\nHost: x\r\n${rest}`);
    await new Promise(resolve => tcp.once("close", resolve));
    expect(urls.filter(url => url !== "/first")).toEqual([]);
    expect((await send("GET", "/well")).status).toBe(200);
  });

  it("keeps the bytes of headers that are not ASCII, and refuses such a path", async () => {
    respond = (_req, res) => {
      res.setHeader("X-Back", "caf\u00e9");
      res.end(Buffer.from("{}"));
    };
    const answer = await rawHttp(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", text => text.endsWith("{}"));
    // Both the header and what came over the wire are read as Latin-1.
    expect(answer).toContain("X-Back: caf\u00e9\r\n");
    const path = Buffer.from("GET /\u00fc HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(await rawHttp(port, path, text => text.includes("\r\n\r\n"))).toMatch(/^HTTP\/1.1 400 /);
  });

  it("tells the client that the outcome is unknown, or drops it, when the server breaks off without an answer", async () => {
    respond = req => void req.socket.destroy();
    const answer = await rawHttp(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", text => text.endsWith("}"));
    if (kind === "uws") expect(answer).toContain('"code":"UNKNOWN_OUTCOME"');
    else expect(answer).toBe("");
  });

  it("does not pass on what belongs to one connection", async () => {
    const answer = await send("GET", "/", {
      headers: { Connection: "keep-alive, X-Hop", "X-Hop": "1", TE: "trailers", "Keep-Alive": "timeout=9" },
    });
    expect(answer.status).toBe(200);
    const { headers } = JSON.parse(answer.body.toString()) as { headers: Record<string, string> };
    if (kind === "uws") for (const name of ["x-hop", "te", "keep-alive"]) expect(headers[name]).toBeUndefined();
    expect(answer.headers["x-hop"]).toBeUndefined();
  });

  it("drops forwarding headers of a client that is no proxy", async () => {
    let address = "";
    let raw: string[] = [];
    respond = (req, res) => {
      address = clientAddress(req);
      raw = req.rawHeaders.map(name => name.toLowerCase());
      res.end(JSON.stringify(req.headers));
    };
    const forged = {
      "X-Forwarded-For": "203.0.113.7",
      "X-Real-IP": "203.0.113.7",
      Forwarded: "for=203.0.113.7",
      "X-Forwarded-Proto": "https",
    };
    const answer = await send("GET", "/", { headers: { ...forged, "X-Other": "stays" } });
    expect(address).toBe("127.0.0.1");
    expect(answer.body.toString()).not.toContain("203.0.113.7");
    expect(JSON.parse(answer.body.toString())).toMatchObject({ "x-other": "stays" });
    for (const name of Object.keys(forged)) expect(raw).not.toContain(name.toLowerCase());
  });

  it("takes the right-most address that is no proxy from a trusted one", async () => {
    await engine.close();
    await start(["127.0.0.1", "10.0.0.0/8"]);
    const seen: string[] = [];
    respond = (req, res) => {
      seen.push(clientAddress(req));
      res.end();
    };
    for (const chain of ["6.6.6.6, 203.0.113.7, 10.9.9.9", "2001:DB8::1", "junk, 10.1.1.1", "[2001:db8::2]:443", ""]) {
      await send("GET", "/", { headers: chain === "" ? {} : { "X-Forwarded-For": chain } });
    }
    expect(seen).toEqual(["203.0.113.7", "2001:db8::1", "10.1.1.1", "2001:db8::2", "127.0.0.1"]);
  });

  it("answers 503 with a problem while there is no server, and serves as soon as there is", async () => {
    const later = origin;
    origin = undefined;
    const answer = await send("POST", "/api/x", { body: "hello", headers: { "Content-Length": 5 } });
    expect(answer.status).toBe(503);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(JSON.parse(answer.body.toString())).toEqual({
      type: "about:blank",
      title: "Service unavailable",
      status: 503,
      code: "UNAVAILABLE",
    });
    expect((await send("HEAD", "/")).body.length).toBe(0);
    origin = later;
    expect((await send("GET", "/")).status).toBe(200);
  });

  it("closes a connection whose headers do not end", async () => {
    const tcp = connect(port, "127.0.0.1");
    tcp.on("error", () => undefined);
    tcp.resume();
    tcp.write("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    await new Promise(resolve => tcp.once("close", resolve));
    expect((await send("GET", "/well")).status).toBe(200);
  });

  it.each([
    ["a coding it does not know", "Transfer-Encoding: xchunked\r\n"],
    ["a coding before chunked", "Transfer-Encoding: gzip, chunked\r\n"],
    ["chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"],
  ])("refuses a body framed with %s and ends the connection", async (_name, headers) => {
    const seen: string[] = [];
    respond = (req, res) => {
      seen.push(req.url ?? "");
      res.end();
    };
    const refused = `POST /a HTTP/1.1\r\nHost: x\r\n${headers}\r\n5\r\nhello\r\n0\r\n\r\n`;
    expect(await rawHttp(port, refused)).toMatch(/^HTTP\/1.1 400 [^]*connection: close/i);
    expect(await rawHttp(port, `${refused}GET /next HTTP/1.1\r\nHost: x\r\n\r\n`)).not.toMatch(/HTTP\/1.1 200 /);
    expect(seen).not.toContain("/a");
  });

  it("refuses headers of 20 KB and ends the connection", async () => {
    const headers = Array.from({ length: 10 }, (_, i) => `X-${i}: ${"x".repeat(2_000)}\r\n`).join("");
    const answer = await rawHttp(port, `GET / HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
  });

  it.each([
    ["with a length", (res: ServerResponse) => res.setHeader("Content-Length", 6)],
    ["without a length", () => undefined],
  ])("answers what is under way after it stopped listening, %s, and nothing more", async (_name, prepare) => {
    const held: ServerResponse[] = [];
    respond = (_req, res) => void held.push(res);
    let late = "";
    const answers = Array.from({ length: 10 }, () =>
      rawHttp(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", text => /abc[^]*def(\r\n0\r\n\r\n)?$/.test(text)),
    );
    // Its headers are out when the engine stops: the connection lives on.
    const early = connect(port, "127.0.0.1");
    early.on("data", data => (late += data.toString()));
    const ended = new Promise(resolve => early.once("close", resolve));
    await until(() => held.length === 10);
    early.write("GET /early HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(() => held.length === 11);
    const last = held.pop()!;
    prepare(last);
    last.write("abc");
    await until(() => late.includes("abc"));
    engine.stopListening();
    let settled = false;
    const done = engine.settled().then(() => (settled = true));
    for (const res of held) {
      prepare(res);
      res.write("abc");
      res.end("def");
    }
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatch(/^HTTP\/1.1 200 [^]*\r\nConnection: close\r\n[^]*abc[^]*def/i);
      expect(answer).not.toMatch(/abc[^]*connection/i);
    }
    expect(settled).toBe(false);
    last.end("def");
    await done;
    await until(() => late.includes("def"));
    const first = late.length;
    early.write("GET /more HTTP/1.1\r\nHost: x\r\n\r\n");
    await ended;
    // A driver may have ended the connection with the answer already.
    if (late.length > first) expect(late.slice(first)).toMatch(/^[^]*HTTP\/1.1 503 [^]*connection: close/i);
    expect(held).toHaveLength(10);
    await engine.settled();
  });

  it("drops clients that wait for an answer when it closes", async () => {
    let seen = false;
    respond = () => void (seen = true);
    const failed = expect(send("GET", "/")).rejects.toThrow();
    await until(() => seen);
    await engine.close();
    await failed;
  });
});
