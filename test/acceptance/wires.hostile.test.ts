import WebSocket from "ws";
import { seeded } from "../chaos/random";
import { Mutator } from "../fuzz/mutator";
import { Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { describeEmbedded, startServer, type Server } from "../support/server";
import { SignalrClient } from "../support/signalr";

const END = "\x1e";
const HANDSHAKE = `{"protocol":"json","version":1}${END}`;
/** Frames of a mutation run. */
const MUTANTS = 3_000;

/** What no client of theirs would send: it ends who sent it, at most, and nobody else. */
describeEmbedded("hostile input on the wires of others", () => {
  let server: Server;
  let stage: Stage;
  let ann: Client;
  let room: string;
  let base: string;

  beforeAll(async () => {
    server = await startServer();
    stage = await Stage.on(server);
    ann = await stage.user("ann");
    room = await stage.channel([ann]);
    base = server.url.replace("http", "ws");
  });
  afterAll(() => stage.end());

  const hub = () => `${base}/hubs/chat?access_token=${ann.token}`;
  const io = () => `${base}/socket.io/?EIO=4&transport=websocket`;

  async function open(url: string): Promise<WebSocket> {
    const socket = new WebSocket(url);
    socket.on("error", () => undefined);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    return socket;
  }
  const isAlive = async () => expect((await stage.nobody.get("/api/health")).status).toBe(200);

  /** What a client says first, and a part of the answer that shows that it is let in. */
  interface Opening {
    says: string[];
    until: string;
  }

  async function enter(url: string, opening?: Opening): Promise<WebSocket> {
    const socket = await open(url);
    if (!opening) return socket;
    const ready = new Promise<void>(resolve =>
      socket.on("message", data => String(data).includes(opening.until) && resolve()),
    );
    for (const one of opening.says) socket.send(one);
    await ready;
    return socket;
  }

  /** Sends each on a connection of its own, and sees that the server lives. */
  async function survives(url: () => string, frames: (string | Buffer)[], opening?: Opening): Promise<void> {
    for (const frame of frames) {
      const socket = await enter(url(), opening);
      socket.send(frame);
      socket.ping();
      await new Promise(resolve => socket.once("pong", resolve).once("close", resolve));
      socket.terminate();
      await isAlive();
    }
  }

  const hubOpening = (): Opening => ({
    says: [HANDSHAKE, `{"type":1,"invocationId":"in","target":"Typing","arguments":["${room}",false]}${END}`],
    until: '"invocationId":"in"',
  });
  const ioOpening = (): Opening => ({ says: [`40{"token":"${ann.token}"}`], until: '40{"sid"' });

  const deep = "[".repeat(20_000) + "]".repeat(20_000);
  const ODD = [
    ...["null", "[]", "1", '"x"', "{}", "{", "", '{"type":"x"}', '{"type":1}', '{"type":99}', '{"type":null}'],
    ...['{"type":1,"target":{"toString":1}}', '{"type":1,"target":["a"]}', `{"type":1,"target":${deep}}`],
    ...['{"type":1,"target":"__proto__","invocationId":"1"}', '{"type":1,"target":"toString","invocationId":"1"}'],
    ...[
      '{"type":1,"target":"JoinChannel","arguments":{"length":1}}',
      '{"type":1,"target":"JoinChannel","arguments":[null,{}]}',
    ],
    ...[
      '{"type":1,"target":"SendMessage","invocationId":7,"arguments":["x",[]]}',
      '{"type":4}',
      '{"type":5}',
      '{"type":3}',
    ],
    `{"type":1,"target":"SendMessage","invocationId":"1","arguments":["x",{"text":1,"metadata":${deep}}]}`,
  ];

  test("SignalR: odd records, before the handshake and after it", async () => {
    const records = ODD.map(one => one + END);
    await survives(hub, [...records, Buffer.of(1, 2, 3)]);
    await survives(hub, [...records, Buffer.of(1, 2, 3), "x".repeat(60_000)], hubOpening());
  });

  test("Socket.IO: odd packets, before it has connected and after", async () => {
    const packets = [
      ...[
        "",
        "x",
        "9",
        "0",
        "1",
        "3",
        "6",
        "2probe",
        "5",
        "4",
        "49",
        "4x",
        "40{",
        "40[1]",
        "40null",
        "41",
        "41/a,",
        "42",
      ],
      ...[
        "42{}",
        "42[]",
        "42[1]",
        '42["__proto__"]',
        '42["toString",{}]',
        '42999999999999999999["join"]',
        '43["x"]',
        "45-[]",
      ],
      ...[
        '42["join",null]',
        '42["join",[]]',
        '421["message",{"channelId":"x","__proto__":{}}]',
        `421["message",${deep}]`,
      ],
    ];
    await survives(io, [...packets, Buffer.of(1)]);
    await survives(io, [...packets, Buffer.of(1)], ioOpening());
    await survives(() => `${io()}&sid=nonsense`, ["2probe", "5", "x"]);
    await survives(() => `${io()}&sid=bm8uc3VjaA.x`, ["2probe", "5"]);
  });

  test("/stream takes no WebSocket", async () => {
    await expect(open(`${base}/stream?access_token=${ann.token}`)).rejects.toThrow("404");
    await isAlive();
  });

  test("the id of another wire's session does not open it", async () => {
    const owner = await SignalrClient.open(server.url, ann.token as string, { transport: "LongPolling" });
    await owner.invoke("JoinChannel", room);
    const { connectionId: _id } = owner.hub;
    const id = (owner.hub as unknown as { connection: { transport: { _url: string } } }).connection.transport._url;
    const secret = new URL(id).searchParams.get("id") as string;
    const thief = await open(`${io()}&sid=${encodeURIComponent(secret)}`);
    const heard: string[] = [];
    thief.on("message", data => void heard.push(String(data)));
    thief.send("2probe");
    thief.send("5");
    await eventually("the thief is out", () => thief.readyState === WebSocket.CLOSED);
    expect(heard).toEqual([]);
    expect(await owner.invoke("SendMessage", room, "still mine")).toMatchObject({ text: "still mine" });
    await owner.close();
  });

  test.each([
    [
      "SignalR",
      hub,
      hubOpening,
      () => `{"type":1,"invocationId":"1","target":"SendMessage","arguments":["${room}",{"text":"x"}]}${END}`,
    ],
    ["Socket.IO", io, ioOpening, () => `421["message",{"channelId":"${room}","text":"x"}]`],
  ] as const)("%s: thousands of mutated frames leave the server as it was", async (_, url, opening, valid) => {
    const mutator = new Mutator(seeded(7));
    let socket: WebSocket | null = null;
    let ended = 0;
    for (let n = 0; n < MUTANTS; n++) {
      if (socket?.readyState !== WebSocket.OPEN) {
        socket = await enter(url(), opening());
        ended++;
      }
      const { bytes } = mutator.mutant(valid(), valid());
      socket.send(bytes, { binary: false });
      // Some are the end of a connection: those behind them must not be lost on one that is going.
      if (n % 5 === 4 && socket.readyState === WebSocket.OPEN) {
        const one: WebSocket = socket;
        one.ping();
        await new Promise<void>(resolve => {
          const done = (): void => {
            one.off("pong", done).off("close", done);
            resolve();
          };
          one.on("pong", done).on("close", done);
        });
      }
    }
    expect(ended).toBeGreaterThan(10);
    socket?.terminate();
    await isAlive();
    expect((await ann.post(`/api/channels/${room}/messages`, { text: "all is well" })).status).toBe(201);
  });
});
