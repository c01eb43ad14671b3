import { pathParameters, ROUTES } from "../../services/api-gateway/routes";
import type { OwnPage, Route } from "../../services/api-gateway/routes/route";
import { isMethod } from "../../services/core/methods";
import type { Client } from "../support/client";
import type { Body } from "../support/rest";
import { Rest } from "../support/rest";
import { refusalCode, SignalrClient } from "../support/signalr";
import { StreamClient } from "../support/stream";
import { SocketioClient } from "../support/socketio";
import type { Place } from "./scene";

/** `ok`, or the code of the refusal. */
export type Verdict = string;

/** What is asked for: an action, what the gateway puts together of several, or what only a socket has a word for. */
export type Asked = Exclude<Route["to"], OwnPage> | "sub" | "typing";

export interface Request {
  method: Asked;
  params: Record<string, unknown>;
  place: Place;
}

/** A way in for one caller. */
export interface Door {
  readonly name: string;
  /** Whether it has a word for that. */
  knows(method: Asked): boolean;
  ask(request: Request): Promise<Verdict>;
  close(): Promise<void> | void;
}

export type Opener = (url: string, client: Client | null) => Promise<Door>;

const verdictOf = ({ status, body }: { status: number; body: Body }): Verdict =>
  status < 300 ? "ok" : (body.code as string);

const routeOf = (method: Asked): Route | undefined =>
  ROUTES.find(({ to, path }) => to === method && !path.startsWith("/conversations/"));

const rest: Opener = async (url, client) => {
  const door = client ?? new Rest(url);
  return {
    name: "REST",
    knows: method => routeOf(method) !== undefined,
    ask({ method, params }) {
      const route = routeOf(method) as Route;
      const inPath = new Set(pathParameters(route));
      const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
      const others = Object.entries(params).filter(([name]) => !inPath.has(name));
      const query = new URLSearchParams(
        others.map(([name, value]): [string, string] => [name, String(value)]),
      ).toString();
      const at = `/api${path}${query && `?${query}`}`;
      if (route.bytes === "upload") return door.raw(route.method, at, "text").then(verdictOf);
      if (!route.body) return door.request(route.method, at).then(verdictOf);
      return door.request(route.method, `/api${path}`, Object.fromEntries(others)).then(verdictOf);
    },
    close: () => undefined,
  };
};

/** Of rooms to hear of, the one that is not for him says so in its place. */
function said(frame: Body): Verdict {
  if (frame.t === "err") return frame.code as string;
  const states: Body[] = Object.values(frame.rooms ?? {});
  return (states.find(({ state }) => state === "denied")?.code as string | undefined) ?? "ok";
}

/**
 * What a native socket answers. Whoever says no hello is asked anew each time, since his socket is closed soon; whoever is
 * refused there hears nothing else.
 */
async function native(
  client: Client | null,
  stranger: Client,
): Promise<{ ask(frame: Record<string, unknown>): Promise<Verdict>; close(): void }> {
  const open = () => (client ?? stranger).connect();
  if (!client)
    return {
      async ask(frame) {
        const socket = await open();
        const answer = await socket.request(frame);
        socket.cut();
        return said(answer);
      },
      close: () => undefined,
    };
  const socket = await open();
  const hello = await socket.hello(client.token as string, {});
  if (hello.t === "err") return { ask: () => Promise.resolve(said(hello)), close: () => socket.cut() };
  return { ask: frame => socket.request(frame).then(said), close: () => socket.cut() };
}

const calls =
  (stranger: Client): Opener =>
  async (_, client) => {
    const { ask, close } = await native(client, stranger);
    return {
      name: "native call",
      knows: isMethod,
      ask: ({ method, params }) => ask({ t: "call", method, params }),
      close,
    };
  };

/** The frames that say what a method says. */
const FRAMES: Partial<Record<Asked, (params: Body, room: string) => Record<string, unknown>>> = {
  "messages.send": ({ id, ...rest }) => ({ t: "send", room: id, ...rest }),
  "messages.history": ({ id, ...rest }) => ({ t: "history", room: id, ...rest }),
  "messages.edit": ({ id, text }, room) => ({ t: "edit", room, id, text }),
  "messages.remove": ({ id }, room) => ({ t: "delete", room, id }),
  "messages.react": ({ id, emoji }, room) => ({ t: "react", room, id, emoji, on: true }),
  "messages.unreact": ({ id, emoji }, room) => ({ t: "react", room, id, emoji, on: false }),
  "messages.read": ({ id, seq }) => ({ t: "read", room: id, seq }),
  "messages.delivered": ({ id, seq }) => ({ t: "delivered", room: id, seq }),
  sub: ({ id }) => ({ t: "sub", rooms: [id] }),
  typing: ({ id }) => ({ t: "typing", room: id, on: true }),
};

const frames =
  (stranger: Client): Opener =>
  async (_, client) => {
    const { ask, close } = await native(client, stranger);
    return {
      name: "native frame",
      knows: method => method in FRAMES,
      ask: ({ method, params, place }) => ask(FRAMES[method]?.(params, place.room) as Record<string, unknown>),
      close,
    };
  };

const stream: Opener = async (url, client) => {
  const name = "stream";
  const opened = await StreamClient.open(url, client?.token ?? "").catch(refusedAtDoor);
  if (!opened) return shut(name, FRAMES);
  return {
    name,
    knows: method => method in FRAMES,
    ask: ({ method, params, place }) => opened.request(FRAMES[method]?.(params, place.room) as object).then(said),
    close: () => opened.close(),
  };
};

/** Name and arguments: at the hub, and for Socket.IO. */
interface Call {
  hub: [string, ...unknown[]];
  event: [string, object];
}
const CALLS: Partial<Record<Asked, (params: Body) => Call>> = {
  "messages.send": ({ id, text }) => ({ hub: ["SendMessage", id, text], event: ["message", { channelId: id, text }] }),
  "messages.edit": ({ id, text }) => ({ hub: ["EditMessage", id, text], event: ["edit", { id, text }] }),
  "messages.remove": ({ id }) => ({ hub: ["DeleteMessage", id], event: ["delete", { id }] }),
  "messages.react": ({ id, emoji }) => ({ hub: ["React", id, emoji, true], event: ["react", { id, emoji, on: true }] }),
  "messages.unreact": ({ id, emoji }) => ({
    hub: ["React", id, emoji, false],
    event: ["react", { id, emoji, on: false }],
  }),
  "messages.read": ({ id, seq }) => ({ hub: ["MarkRead", id, seq], event: ["read", { channelId: id, seq }] }),
  "messages.delivered": ({ id, seq }) => ({
    hub: ["MarkDelivered", id, seq],
    event: ["delivered", { channelId: id, seq }],
  }),
};

const callOf = (method: Asked, params: Body): Call => (CALLS[method] as (params: Body) => Call)(params);

/** Everything such a door says to whoever it does not let in. */
const shut = (name: string, words: object = CALLS): Door => ({
  name,
  knows: method => method in words,
  ask: () => Promise.resolve("UNAUTHENTICATED"),
  close: () => undefined,
});

const signalr: Opener = async (url, client) => {
  const name = "SignalR";
  const opened = await SignalrClient.open(url, client?.token ?? "", { transport: "WebSockets" }).catch(refusedAtDoor);
  if (!opened) return shut(name);
  return {
    name,
    knows: method => method in CALLS,
    ask({ method, params }) {
      const [target, ...args] = callOf(method, params).hub;
      return opened.invoke(target, ...args).then(() => "ok", refusalCode);
    },
    close: () => opened.close(),
  };
};

const socketio: Opener = async (url, client) => {
  const name = "Socket.IO";
  const opened = await SocketioClient.open(url, client?.token ?? "", {
    transports: ["websocket"],
    reconnection: false,
  }).catch(refusedAtDoor);
  if (!opened) return shut(name);
  return {
    name,
    knows: method => method in CALLS,
    ask({ method, params }) {
      const { event } = callOf(method, params);
      return opened.ask(...event).then(({ ok, code }) => (ok ? "ok" : (code as string)));
    },
    close: () => opened.close(),
  };
};

/** A door that lets nobody in for want of a token; for any other reason it is broken. */
function refusedAtDoor(error: Error & { data?: { code?: string } }): null {
  if (error.data?.code === "UNAUTHENTICATED" || /401|Unauthorized/.test(error.message)) return null;
  throw error;
}

export const doorsFor = (stranger: Client): readonly Opener[] => [
  rest,
  calls(stranger),
  frames(stranger),
  stream,
  signalr,
  socketio,
];
