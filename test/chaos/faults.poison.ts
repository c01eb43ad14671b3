import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { encodeFrame, OPCODE, RawSocket } from "../support/raw-socket";
import type { Fault, Ground } from "./ground";
import { BROKEN_REQUESTS, BROKEN_TEXTS, poisonedFrame, poisonedRequest } from "./poison";
import { pick, whole } from "./random";

/** Milliseconds between two bites, and how long an answer may take. */
const PACE = 25;
const PATIENCE = 10_000;
/** Frames of one socket that are JSON; a bad one may close it. */
const FRAMES = 8;

interface Guest {
  token: string;
  room: string;
}

/**
 * Whatever no client says, at every door, while others talk. Rejects if a process ends by it, or if one is answered with
 * INTERNAL or a 500: then something was met that nobody had thought of.
 */
export const poisoning = (lasts: readonly [least: number, most: number]): Fault => ({
  name: "poison",
  shapes: ["embedded", "cluster"],
  async run(ground, random, told) {
    told("all doors", "begin");
    try {
      const guest = await guestOf(ground);
      const ports = [ground.url, ...ground.doors].map(url => Number(new URL(url).port));
      for (const end = performance.now() + whole(random, ...lasts); performance.now() < end; await pause(PACE)) {
        const port = pick(random, ports) as number;
        const bite = pick(random, [brokenRequest, brokenSocket, hostileSocket, hostileRequest]);
        await bite?.({ ground, port, guest, random });
      }
      const gone = ground.processes.filter(({ isRunning }) => !isRunning).map(({ name }) => name);
      if (gone.length > 0) throw new Error(`poison ended ${gone.join(", ")}`);
    } finally {
      told("all doors", "end");
    }
  },
});

export const poison = poisoning([5_000, 15_000]);

interface Bite {
  ground: Ground;
  port: number;
  guest: Guest | null;
  random: () => number;
}

/** Somebody with a room of his own; null if nobody can be had now. */
async function guestOf({ url }: Ground): Promise<Guest | null> {
  const name = `poison${randomBytes(6).toString("hex")}`;
  const post = async (path: string, body: object, token = ""): Promise<Record<string, string> | null> => {
    const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
    const signal = AbortSignal.timeout(PATIENCE);
    const answer = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body), signal });
    return answer.ok ? ((await answer.json()) as Record<string, string>) : null;
  };
  const user = { username: name, email: `${name}@example.com`, password: `Correct-horse-${name}-1` };
  const token = (await post("/api/auth/register", user).catch(() => null))?.accessToken;
  if (!token) return null;
  const room = (await post("/api/conversations", { type: "group", name, members: [] }, token).catch(() => null))?.id;
  return room ? { token, room } : null;
}

/** Bytes that are no request; whatever is answered, the next one must be served. */
async function brokenRequest({ port, random }: Bite): Promise<void> {
  const tcp = connect(port, "127.0.0.1");
  tcp.on("error", () => undefined);
  tcp.write(pick(random, BROKEN_REQUESTS) as string, "latin1");
  await pause(whole(random, 0, 100));
  tcp.destroy();
}

async function brokenSocket({ port, random }: Bite): Promise<void> {
  const socket = await opened(port);
  if (!socket) return;
  const bites: readonly (() => unknown)[] = [
    () => socket.text(pick(random, BROKEN_TEXTS) as string),
    () => socket.frame(OPCODE.TEXT, Buffer.from([0xc3, 0x28, 0xff])),
    () => socket.frame(OPCODE.BINARY, randomBytes(200)),
    () => socket.frame(OPCODE.CONTINUATION, "x"),
    () => socket.frame(OPCODE.TEXT, "x", { reserved: 0x70 }),
    () => socket.frame(OPCODE.TEXT, "x", { masked: false }),
    () => socket.frame(OPCODE.PING, "x".repeat(126)),
    () => socket.frame(13, "x"),
    () => socket.end(whole(random, 0, 65_535)),
    () => socket.tcp.write(encodeFrame(OPCODE.TEXT, "x".repeat(500)).subarray(0, 20)),
    () => socket.tcp.write(Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
    () => socket.tcp.write(randomBytes(whole(random, 1, 2_000))),
  ];
  for (let n = whole(random, 1, 3); n > 0; n -= 1) pick(random, bites)?.();
  await pause(whole(random, 0, 100));
  socket.destroy();
}

/** Signed in, or not, and then frames that are JSON. */
async function hostileSocket({ port, guest, random }: Bite): Promise<void> {
  const socket = await opened(port);
  if (!socket) return;
  const room = guest?.room ?? "nowhere";
  if (guest && random() < 0.8)
    socket.text(JSON.stringify({ t: "hello", i: 0, token: guest.token, rooms: { [room]: 0 } }));
  for (let n = 0; n < FRAMES; n += 1) socket.text(JSON.stringify({ i: n + 1, ...poisonedFrame(random, room) }));
  // Answered after all others are, if it lives on.
  socket.text('{"t":"ping","i":77777}');
  await Promise.race([
    socket.until(() => socket.ended || socket.texts.some(text => text.includes("77777"))),
    pause(PATIENCE, undefined, { ref: false }),
  ]);
  const defect = socket.texts.find(text => /"code":"INTERNAL"/.test(text));
  socket.destroy();
  if (defect) throw new Error(`poison was answered with ${defect.slice(0, 300)}`);
}

async function hostileRequest({ ground: { url }, guest, random }: Bite): Promise<void> {
  const { method, path, body } = poisonedRequest(random, guest?.room ?? "nowhere");
  const token = guest && random() < 0.8 ? guest.token : "x".repeat(whole(random, 0, 3_000));
  const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
  const answer = await fetch(url + path, { method, headers, body, signal: AbortSignal.timeout(PATIENCE) }).catch(
    () => null,
  );
  await answer?.arrayBuffer().catch(() => null);
  if (answer?.status === 500) throw new Error(`${method} ${path} was answered with 500; body ${body?.slice(0, 300)}`);
}

async function opened(port: number): Promise<RawSocket | null> {
  const open = RawSocket.open(port, { headers: { "Sec-WebSocket-Protocol": "rookery.v1" } });
  const socket = await Promise.race([open, pause(PATIENCE, null, { ref: false })]);
  return socket?.status === 101 ? socket : null;
}
