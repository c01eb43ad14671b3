import { once } from "node:events";
import WebSocket from "ws";
import type { Client } from "./client";
import { PATIENCE, within } from "./eventually";

const END = "\x1e";

/** Somebody at a WebSocket of any wire, without a library that would be polite on his behalf. */
export interface Visitor {
  readonly socket: WebSocket;
  /** All he was sent. */
  readonly heard: string;
  /** As he was told, or 1006. */
  readonly closed: Promise<number>;
}

export interface WebSocketDoor {
  name: string;
  /** Where it is. @param token for those that want one at the upgrade */
  address(token: string): string;
  /** What a stranger who was let in becomes somebody by; `until` is in the answer. */
  hello(token: string): { says: string[]; until: string };
  /** Says in a room that he types. */
  typing(room: string): string;
  /** What is no call at all, and no reason to be closed. */
  nothing: string;
}

export const WEB_SOCKETS: readonly WebSocketDoor[] = [
  {
    name: "native",
    address: () => "/ws",
    hello: token => ({ says: [JSON.stringify({ t: "hello", i: 1, token })], until: '"welcome"' }),
    typing: room => JSON.stringify({ t: "typing", room, on: true }),
    nothing: '{"t":"nonsense"}',
  },
  {
    name: "SignalR",
    address: token => `/hubs/chat?access_token=${token}`,
    hello: () => ({
      says: [
        `{"protocol":"json","version":1}${END}`,
        `{"type":1,"target":"x","invocationId":"in","arguments":[]}${END}`,
      ],
      until: '"invocationId":"in"',
    }),
    typing: room => `{"type":1,"target":"Typing","arguments":["${room}",true]}${END}`,
    nothing: `{"type":6}${END}`,
  },
  {
    name: "Socket.IO",
    address: () => "/socket.io/?EIO=4&transport=websocket",
    hello: token => ({ says: [`40{"token":"${token}"}`], until: '40{"sid"' }),
    typing: room => `42["typing",{"channelId":"${room}","isTyping":true}]`,
    nothing: "3",
  },
];

/** Connected; rejects with the status of a refusal. */
export async function visit(
  door: WebSocketDoor,
  url: string,
  client: Client,
  headers: Record<string, string> = {},
): Promise<Visitor> {
  const protocols = door.name === "native" ? ["rookery.v1"] : [];
  const socket = new WebSocket(`${url.replace("http", "ws")}${door.address(client.token as string)}`, protocols, {
    headers,
  });
  let heard = "";
  socket.on("message", data => (heard += String(data)));
  socket.on("error", () => undefined);
  const closed = once(socket, "close").then(([code]) => code as number);
  await within(
    PATIENCE,
    `${door.name} opens`,
    new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("unexpected-response", (_, { statusCode }) => reject(new Error(String(statusCode))));
      socket.once("close", () => reject(new Error("closed")));
    }),
  );
  return {
    socket,
    closed,
    get heard() {
      return heard;
    },
  };
}

/** The same, signed in; rejects if he is closed instead. */
export async function enter(door: WebSocketDoor, url: string, client: Client): Promise<Visitor> {
  const visitor = await visit(door, url, client);
  const { says, until } = door.hello(client.token as string);
  for (const one of says) visitor.socket.send(one);
  await within(
    PATIENCE,
    `${door.name} lets him in`,
    new Promise<void>((resolve, reject) => {
      const look = (): void => void (visitor.heard.includes(until) && resolve());
      visitor.socket.on("message", look);
      void visitor.closed.then(code => reject(new Error(`closed with ${code}: ${visitor.heard}`)));
      look();
    }),
  );
  return visitor;
}

/** Requests by which a client comes in without a WebSocket. */
export const REQUESTS: readonly { name: string; method: string; path: string }[] = [
  { name: "SignalR's negotiate", method: "POST", path: "/hubs/chat/negotiate?negotiateVersion=1" },
  { name: "Socket.IO's polling", method: "GET", path: "/socket.io/?EIO=4&transport=polling" },
  { name: "/stream", method: "GET", path: "/stream" },
];

/** The status such a request is answered with. */
export async function knock(
  { method, path }: (typeof REQUESTS)[number],
  url: string,
  { token }: Client,
  headers: Record<string, string> = {},
): Promise<number> {
  const ended = new AbortController();
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...headers },
    signal: ended.signal,
  });
  ended.abort();
  return answer.status;
}
