import type { Client } from "./client";
import type { Body } from "./rest";
import { refusalCode, SignalrClient } from "./signalr";
import { SocketioClient } from "./socketio";
import { StreamClient } from "./stream";

/** How something said was answered: `ok` or the code of a refusal, and all of the answer as text. */
export interface Reply {
  code: string;
  text: string;
  message?: Body;
}

/** Somebody who is in, at a door where one says things and is told of them. */
export interface Speaker {
  readonly door: "native" | "SignalR" | "Socket.IO" | "stream";
  /** A message, with whatever fields. */
  send(room: unknown, body: unknown): Promise<Reply>;
  change(what: "edit" | "delete" | "react", id: unknown, more?: Record<string, unknown>): Promise<Reply>;
  /** Reads a room from its beginning, or from its head. */
  join(room: unknown, from?: "beginning"): Promise<Reply>;
  /** What there may be no such thing as. */
  call(name: string, given: unknown): Promise<Reply>;
  /** Everything he was told, as text. */
  heard(): string;
  readonly ended: Promise<unknown>;
  close(): unknown;
}

export type SpeakerDoor = Speaker["door"];
export const SPEAKERS: readonly SpeakerDoor[] = ["native", "SignalR", "Socket.IO", "stream"];

export function speaker(door: SpeakerDoor, url: string, client: Client): Promise<Speaker> {
  if (door === "SignalR") return signalr(url, client);
  if (door === "Socket.IO") return socketio(url, client);
  return door === "native" ? native(client) : stream(url, client);
}

const ofFrame = (answer: Body): Reply => ({
  code: answer.t === "err" ? (answer.code as string) : "ok",
  text: JSON.stringify({ ...answer, i: 0 }),
  message: (answer.message ?? answer.result) as Body,
});

/** Of native frames, whatever carries them. */
function frames(request: (frame: object) => Promise<Body>): Pick<Speaker, "send" | "change" | "join" | "call"> {
  const call = async (method: string, params: unknown): Promise<Reply> =>
    ofFrame(await request({ t: "call", method, params }));
  return {
    call,
    send: async (room, body) => ofFrame(await request({ t: "send", room, ...fieldsOf(body) })),
    change(what, id, more = {}) {
      if (what === "react") return call("messages.react", { id, ...more });
      return call(what === "edit" ? "messages.edit" : "messages.remove", { id, ...more });
    },
    async join(room, from) {
      const begin = from && typeof room === "string" ? { from: { [room]: 0 } } : {};
      const answer = await request({ t: "sub", rooms: [room], ...begin });
      const state = answer.t === "ok" ? (Object.values(answer.rooms as Body)[0] as Body) : undefined;
      if (state?.state !== "denied") return ofFrame(answer);
      return { code: state.code as string, text: JSON.stringify(state) };
    },
  };
}

const fieldsOf = (body: unknown): Record<string, unknown> =>
  typeof body === "object" && body !== null ? (body as Record<string, unknown>) : { text: body };

async function native(client: Client): Promise<Speaker> {
  const socket = await client.socket();
  return {
    door: "native",
    ...frames(frame => socket.request(frame as Record<string, unknown>)),
    heard: () => socket.texts.join(),
    ended: socket.untilClosed(60_000).catch(() => undefined),
    close: () => socket.cut(),
  };
}

async function stream(url: string, client: Client): Promise<Speaker> {
  const one = await StreamClient.open(url, client.token as string);
  return {
    door: "stream",
    ...frames(frame => one.request(frame)),
    heard: () => one.heard,
    ended: one.ended,
    close: () => one.close(),
  };
}

async function signalr(url: string, client: Client): Promise<Speaker> {
  const one = await SignalrClient.open(url, client.token as string);
  const invoke = async (name: string, ...args: unknown[]): Promise<Reply> => {
    try {
      const result = await one.invoke(name, ...args);
      return { code: "ok", text: JSON.stringify(result ?? null), message: result };
    } catch (error) {
      return { code: refusalCode(error), text: (error as Error).message };
    }
  };
  return {
    door: "SignalR",
    call: (name, given) => invoke(name, given),
    send: (room, body) => invoke("SendMessage", room, body),
    change(what, id, { text, emoji = text, on = true } = {}) {
      if (what === "delete") return invoke("DeleteMessage", id);
      return what === "edit" ? invoke("EditMessage", id, text) : invoke("React", id, emoji, on);
    },
    join: (room, from) => invoke("JoinChannel", room, ...(from ? [0] : [])),
    heard: () => JSON.stringify(one.called),
    ended: new Promise(resolve => one.hub.onclose(resolve)),
    close: () => one.close(),
  };
}

async function socketio(url: string, client: Client): Promise<Speaker> {
  const one = await SocketioClient.open(url, client.token as string, { reconnection: false });
  const ask = async (name: string, given: unknown): Promise<Reply> => {
    const answer = await one.ask(name, given).catch((error: Error): Body => ({ ok: false, code: error.message }));
    return {
      code: answer.ok === true ? "ok" : (answer.code as string),
      text: JSON.stringify(answer),
      message: answer.message as Body,
    };
  };
  return {
    door: "Socket.IO",
    call: ask,
    send: (room, body) => ask("message", { ...fieldsOf(body), channelId: room }),
    change: (what, id, more = {}) => ask(what, { ...(what === "react" && { on: true }), ...more, id }),
    join: (room, from) => ask("join", { channelId: room, ...(from && { afterSeq: 0 }) }),
    heard: () => JSON.stringify(one.told),
    ended: new Promise(resolve => one.socket.once("disconnect", resolve)),
    close: () => one.close(),
  };
}
