import { pick } from "../chaos/random";
import type { Hostile } from "./hostile";
import { Mutator } from "./mutator";
import { connectPacket, HANDSHAKE, nativeFrames, signalrRecords, socketioPackets, type Speaker } from "./vocabulary";

/** A session that consists of requests. */
interface HttpSession {
  /** Where bodies go. */
  url: string;
  frames: string[];
  /** Ends it as its clients do. */
  end(): Promise<unknown>;
}

type Request = (url: string, options?: RequestInit) => Promise<Response>;

/** Bodies after which a session that still lives is ended. */
const LONGEST = 100;
/** Milliseconds an answer may take; no more than a poll. */
const PATIENCE = 30_000;
/** Status of a session that goes on. */
const LIVING = 200;
/** Sessions in a row that failed: one may, on a connection that the server closed just then. */
const FAILED = 20;

/** Over bodies of HTTP, in sessions that somebody listens to all the while. */
export async function byRequests({ effort, recent, random, speaker, complain }: Hostile): Promise<void> {
  const mutator = new Mutator(random);
  for (let failed = 0; !effort.isOver;) {
    const gone = new AbortController();
    const who = speaker();
    const request: Request = (url, options = {}) =>
      fetch(url, {
        ...options,
        headers: { ...(effort.wire !== "polling-socketio" && { authorization: `Bearer ${who.token}` }) },
        signal: AbortSignal.any([gone.signal, AbortSignal.timeout(PATIENCE)]),
      });
    try {
      const session = await opened(who, request);
      effort.connections++;
      recent.connected();
      effort.closed(String(await speak(session, request)));
      await session.end();
      failed = 0;
    } catch (error) {
      effort.closed("failed");
      if (++failed < FAILED) continue;
      complain(
        `${effort.wire}: ${FAILED} sessions in a row failed: ${String(error)} ${String((error as Error).cause ?? "")}`,
      );
      return;
    } finally {
      gone.abort();
    }
  }

  /** Resolves with the last status. */
  async function speak({ url, frames }: HttpSession, request: Request): Promise<number> {
    let status = LIVING;
    for (let sent = 0; sent < LONGEST && status === LIVING && !effort.isOver; sent++) {
      const { bytes } = mutator.mutant(pick(random, frames) as string, pick(random, frames) as string);
      recent.sent(bytes);
      effort.frames++;
      const answer = await request(url, { method: "POST", body: new Uint8Array(bytes) });
      await answer.arrayBuffer();
      ({ status } = answer);
    }
    return status;
  }

  function opened(who: Speaker, request: Request): Promise<HttpSession> {
    if (effort.wire === "stream") return stream(who, request);
    return effort.wire === "polling-signalr" ? signalr(who, request) : socketio(who, request);
  }
}

const originOf = ({ scene }: Speaker): string => `http://127.0.0.1:${scene.port}`;

async function stream(who: Speaker, request: Request): Promise<HttpSession> {
  const url = `${originOf(who)}/stream`;
  const { body } = await request(`${url}?rooms=${who.room}`);
  if (!body) throw new Error("a stream without a body");
  const reader = body.getReader();
  let text = "";
  while (!text.includes('"session":"')) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`a stream that ends: ${text.slice(0, 200)}`);
    text += Buffer.from(value).toString();
  }
  const welcome = text.split("\n").find(line => line.includes('"session":"')) as string;
  const { session } = JSON.parse(welcome.replace(/^data: /, "")) as { session: string };
  void drain(reader);
  return {
    url: `${url}?session=${encodeURIComponent(session)}`,
    frames: nativeFrames(who),
    end: () => Promise.resolve(),
  };
}

async function drain(reader: ReadableStreamDefaultReader<unknown>): Promise<void> {
  try {
    while (!(await reader.read()).done);
  } catch {
    // It was ended from here.
  }
}

async function signalr(who: Speaker, request: Request): Promise<HttpSession> {
  const hub = `${originOf(who)}/hubs/chat`;
  const negotiated = await request(`${hub}/negotiate?negotiateVersion=1`, { method: "POST" });
  const { connectionToken } = (await negotiated.json()) as { connectionToken?: string };
  if (connectionToken === undefined) throw new Error(`negotiate: ${negotiated.status}`);
  const url = `${hub}?id=${encodeURIComponent(connectionToken)}`;
  await text(request(url));
  await text(request(url, { method: "POST", body: HANDSHAKE }));
  void poll(url, request);
  return { url, frames: signalrRecords(who), end: () => text(request(url, { method: "DELETE" })) };
}

async function socketio(who: Speaker, request: Request): Promise<HttpSession> {
  const door = `${originOf(who)}/socket.io/?EIO=4&transport=polling`;
  const open = await text(request(door));
  const { sid } = JSON.parse(open.slice(1)) as { sid: string };
  const url = `${door}&sid=${encodeURIComponent(sid)}`;
  await text(request(url, { method: "POST", body: connectPacket(who.token) }));
  void poll(url, request);
  return { url, frames: socketioPackets(who), end: () => text(request(url, { method: "POST", body: "1" })) };
}

const text = async (answer: Promise<Response>): Promise<string> => (await answer).text();

/** Until the session is over or its owner gone. */
async function poll(url: string, request: Request): Promise<void> {
  try {
    for (let status = LIVING; status === LIVING;) {
      const answer = await request(url);
      await answer.arrayBuffer();
      ({ status } = answer);
    }
  } catch {
    // It was ended from here.
  }
}
