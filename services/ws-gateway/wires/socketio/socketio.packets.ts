import type { Happened } from "../wire";

/**
 * Engine.IO 4 around Socket.IO 5, as text. Each packet begins with the digit of the outer kind; of a `message` the next is
 * that of the inner. Sources: engine.io-protocol and socket.io-protocol of socketio.
 */
export const ENGINE = { open: "0", close: "1", ping: "2", pong: "3", message: "4", upgrade: "5", noop: "6" } as const;

/** Between packets in a body of HTTP; a WebSocket's message is one packet. */
export const SEPARATOR = "\x1e";

const CONNECT = "0";
const DISCONNECT = "1";
const EVENT = "2";
const ACK = "3";
const CONNECT_ERROR = "4";
const BINARY_EVENT = "5";
const BINARY_ACK = "6";
/** What a binary message begins with in a body of HTTP. */
export const BINARY = "b";

/** What a client says inside. */
export type Packet =
  | { kind: "connect"; namespace: string; auth: unknown }
  | { kind: "disconnect"; namespace: string }
  /** `parts`: binary messages that follow and belong to it. */
  | { kind: "event"; namespace: string; id: number | undefined; event: string; args: unknown[]; parts: number }
  | { kind: "ack"; parts: number };

const SHAPE = /^(\d)(?:(\d{1,3})-)?(?:(\/[^,]*),?)?(\d{0,15})/;

/** The packet of a message, without the outer digit; null if it is none that we know. */
export function parsePacket(text: string): Packet | null {
  const [head = "", kind, parts = "0", namespace = "/", id = ""] = SHAPE.exec(text) ?? [];
  const rest = text.slice(head.length);
  try {
    if (kind === CONNECT) return { kind: "connect", namespace, auth: rest === "" ? undefined : JSON.parse(rest) };
    if (kind === DISCONNECT) return { kind: "disconnect", namespace };
    if (kind === ACK || kind === BINARY_ACK) return { kind: "ack", parts: Number(parts) };
    if (kind !== EVENT && kind !== BINARY_EVENT) return null;
    const [event, ...args] = JSON.parse(rest) as unknown[];
    if (typeof event !== "string") return null;
    return { kind: "event", namespace, id: id === "" ? undefined : Number(id), event, args, parts: Number(parts) };
  } catch {
    return null;
  }
}

export const connected = (sid: string): string => `40${JSON.stringify({ sid })}`;

export const refused = (namespace: string, error: object): string =>
  `4${CONNECT_ERROR}${namespace === "/" ? "" : `${namespace},`}${JSON.stringify(error)}`;

export const acknowledgement = (id: number, outcome: object): string => `43${id}${JSON.stringify([outcome])}`;

/** After it the client does not come back by itself. */
export const DISCONNECTED = `4${DISCONNECT}`;

export function eventPacket({ name, ...data }: Happened): string {
  if ("status" in data) return `42${JSON.stringify([name, { userId: data.userId, status: data.status }])}`;
  if ("reaction" in data) return `42${JSON.stringify([name, { channelId: data.channelId, ...data.reaction }])}`;
  return `42${JSON.stringify([name, data])}`;
}
