import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { WebSocketServer, type WebSocket } from "ws";
import type { HistoryLine } from "../../judge/history";
import { Journal } from "../../chaos/journal";
import type { Outcome } from "../../chaos/outcome";
import { Wire } from "../../chaos/wire";
import { eventually } from "../../support/eventually";
import { temporaryFolder } from "../../support/temp";

/** A server that says what the test tells it to. */
let server: WebSocketServer;
let theirs: WebSocket;
let journal: Journal;
let file: string;
let wire: Wire;
let frames: unknown[];
let complaints: string[];

const asked = { op: "send", room: "r", clientId: "k", hash: "h" } as const;
const frame = { t: "send", room: "r", clientId: "k", text: "x" };
const message = { id: "m", offset: 3, seq: 2, senderId: "u", clientId: "k", text: "x" };

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "rookery.v1" });
  await once(server, "listening");
  file = join(temporaryFolder(), "history.jsonl");
  journal = new Journal(file);
  frames = [];
  complaints = [];
  const door = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const who = { client: "c", user: "u", session: "s1", door };
  const connected = once(server, "connection");
  const opened = await Wire.open(door, journal, who, "sid", {
    took: one => frames.push(one),
    closed: () => undefined,
    misbehaved: what => complaints.push(what),
  });
  wire = opened as Wire;
  [theirs] = (await connected) as [WebSocket];
});

afterEach(() => {
  for (const socket of server.clients) socket.terminate();
  server.close();
});

/** Everything that was written, without what every line has. */
function lines(): Record<string, unknown>[] {
  journal.close();
  const all = readFileSync(file, "utf8").trim().split("\n");
  return all
    .map(line => JSON.parse(line) as HistoryLine)
    .map(({ t: _t, client: _c, user: _u, session: _s, door: _d, ...rest }) => rest);
}

const ask = (): Promise<Outcome> => new Promise(resolve => wire.ask(asked, frame, resolve));

describe("a recorded socket", () => {
  test("an answer ends its operation as ok, as refused, or as unknown, by its code", async () => {
    const answers = [
      { t: "ok", message, duplicate: true },
      { t: "err", code: "UNAVAILABLE" },
      { t: "err", code: "UNKNOWN_OUTCOME" },
      { t: "err", code: "INTERNAL" },
    ];
    theirs.on("message", (data: Buffer) => {
      const { i } = JSON.parse(data.toString());
      theirs.send(JSON.stringify({ ...answers.shift(), i }));
    });
    for (let left = answers.length; left > 0; left -= 1) await ask();
    const ends = lines().filter(({ phase }) => phase !== "invoke" && phase !== "seen");
    expect(ends).toEqual([
      { phase: "ok", id: 1, answer: { message: expect.objectContaining({ id: "m", sender: "u" }), duplicate: true } },
      { phase: "fail", id: 2, code: "UNAVAILABLE" },
      { phase: "info", id: 3, code: "UNKNOWN_OUTCOME" },
      { phase: "info", id: 4, code: "INTERNAL" },
    ]);
  });

  test("what a socket that closes has not answered is unknown, and written after the close", async () => {
    const outcome = ask();
    await once(theirs, "message");
    theirs.close(4013);
    expect(await outcome).toEqual({ state: "info", code: "CLOSED" });
    expect(lines()).toEqual([
      { phase: "seen", what: "open", sid: "sid" },
      { phase: "invoke", id: 1, ...asked },
      { phase: "seen", what: "close", code: 4013 },
      { phase: "info", id: 1, code: "CLOSED" },
    ]);
  });

  test("the events of one text frame are written one by one, in their order", async () => {
    const events = [4, 5].map(offset => ({
      t: "event",
      room: "r",
      offset,
      kind: "message",
      data: { ...message, offset },
    }));
    theirs.send(events.map(event => JSON.stringify(event)).join("\n"));
    await eventually("both", () => frames.length === 2);
    expect(lines().slice(1)).toMatchObject([
      { what: "event", room: "r", offset: 4, message: { offset: 4 } },
      { what: "event", room: "r", offset: 5 },
    ]);
  });

  test("an answer to nothing, a second answer and nonsense are complained of", async () => {
    theirs.on("message", (data: Buffer) => {
      const { i } = JSON.parse(data.toString());
      for (let twice = 0; twice < 2; twice += 1) theirs.send(JSON.stringify({ t: "ok", i, message }));
      theirs.send(JSON.stringify({ t: "ok" }));
      theirs.send("nonsense");
    });
    await ask();
    await eventually("three complaints", () => complaints.length === 3);
    expect(complaints[0]).toMatch(/an answer nobody waits for/);
    expect(complaints[1]).toMatch(/an answer nobody waits for/);
    expect(complaints[2]).toMatch(/not JSON/);
  });

  test("who leaves looks at nothing any more", async () => {
    wire.leave();
    theirs.send(JSON.stringify({ t: "reset", room: "r", offset: 9 }));
    await once(theirs, "close");
    expect(lines()).toEqual([
      { phase: "seen", what: "open", sid: "sid" },
      { phase: "seen", what: "close", code: 1000 },
    ]);
  });

  test("many operations are as few text frames as the server takes, in order", async () => {
    const texts: string[] = [];
    theirs.on("message", (data: Buffer) => texts.push(data.toString()));
    const all = Array.from({ length: 100 }, (_, n) => ({
      asked,
      frame: { ...frame, text: `${n}${"x".repeat(1_000)}` },
    }));
    wire.askAll(all);
    await eventually("all has come", () => texts.join("\n").split("\n").length === 100);
    expect(texts).toHaveLength(2);
    for (const text of texts) expect(Buffer.byteLength(text)).toBeLessThan(65_536);
    const said = texts.flatMap(text => text.split("\n")).map(line => parseInt(JSON.parse(line).text, 10));
    expect(said).toEqual(all.map((_, n) => n));
  });

  test("what is asked of a socket that has ended is settled at once", async () => {
    wire.cut();
    expect(await ask()).toEqual({ state: "info", code: "CLOSED" });
    expect(wire.waiting).toBe(0);
  });
});
