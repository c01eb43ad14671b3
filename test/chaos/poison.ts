import { randomBytes } from "node:crypto";
import { pick, whole } from "./random";

type Random = () => number;

/** Values that no field wants. */
const VALUES: readonly ((random: Random) => unknown)[] = [
  () => null,
  () => true,
  () => -1,
  () => 1.5,
  () => 1e308,
  () => Number.MAX_SAFE_INTEGER + 2,
  () => "",
  () => "\u0000",
  () => "\ud800",
  () => "‮\u2028\ufeff",
  () => "'; DROP TABLE entries; --",
  () => "../../../etc/passwd",
  () => "x".repeat(70_000),
  () => [],
  () => ({}),
  () => ({ $gt: "" }),
  () => ({ toString: 1, then: 1, length: -1 }),
  () => JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}}}') as unknown,
  () => deep(800),
  () => Array.from({ length: 2_000 }, (_, n) => String(n)),
  random => randomBytes(whole(random, 1, 200)).toString("latin1"),
];

const TYPES = [
  ..."hello sub unsub send history edit delete react read delivered typing watch auth call ping".split(" "),
  "",
  "__proto__",
  "welcome",
];
const FIELDS =
  "i token rooms epoch n from mode room clientId text attachments replyTo metadata before after around limit id emoji on seq users method params".split(
    " ",
  );
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"];
const PATHS = [
  "auth/login",
  "auth/register",
  "auth/refresh",
  "channels",
  "channels/%",
  "channels/%/messages",
  "channels/%/members",
  "conversations",
  "groups",
  "users/me",
  "users",
  "files",
  "files/%",
  "messages/%",
  "unread",
  "search",
];

function deep(levels: number): unknown {
  let value: unknown = 0;
  for (let n = 0; n < levels; n += 1) value = n % 2 ? [value] : { a: value };
  return value;
}

const hostile = (random: Random): unknown => pick(random, VALUES)?.(random);

/** A frame that is JSON with a `t`, and nothing more to be relied on; `room` is one that the sender is in. */
export function poisonedFrame(random: Random, room: string): Record<string, unknown> {
  const frame: Record<string, unknown> = { t: pick(random, TYPES), room, clientId: `p${random()}`, text: "poison" };
  for (let n = whole(random, 1, 4); n > 0; n -= 1) frame[pick(random, FIELDS) as string] = hostile(random);
  return frame;
}

/** A request to REST; its body, where there is one, is text. */
export function poisonedRequest(random: Random, room: string): { method: string; path: string; body?: string } {
  const method = pick(random, METHODS) as string;
  const id =
    random() < 0.5 ? room : encodeURIComponent((JSON.stringify(hostile(random)) ?? "").slice(0, 300).toWellFormed());
  const query = random() < 0.5 ? `?limit=${encodeURIComponent(String(whole(random, -5, 1e9)))}&after=%00&q[$gt]=` : "";
  const path = `/api/${(pick(random, PATHS) as string).replace("%", id)}${query}`;
  if (method === "GET" || method === "HEAD" || method === "OPTIONS") return { method, path };
  return { method, path, body: poisonedBody(random) };
}

function poisonedBody(random: Random): string {
  const body: Record<string, unknown> = {};
  for (const field of [..."username password email name text kind members".split(" ").slice(whole(random, 0, 6))])
    body[field] = hostile(random);
  const text = JSON.stringify(random() < 0.2 ? hostile(random) : body) ?? "";
  // Not all of it, or more than that.
  if (random() < 0.2) return text.slice(0, whole(random, 0, text.length));
  return random() < 0.1 ? `${text}}` : text;
}

/** Bytes in place of a request. */
export const BROKEN_REQUESTS: readonly string[] = [
  "\r\n\r\n\r\n",
  "GET\r\n\r\n",
  "GET / HTTP/9.9\r\n\r\n",
  "GET /%ff%fe%00 HTTP/1.1\r\nHost: x\r\n\r\n",
  `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: x\r\n${"X-A: b\r\n".repeat(5_000)}\r\n`,
  "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
  "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{",
  "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nx",
  "POST /api/files HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=\r\nContent-Length: 4\r\n\r\n----",
  "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "\u0016\u0003\u0001\u0002\u0000\u0001\u0000",
];

/** What a socket says in place of frames of text that are JSON. */
export const BROKEN_TEXTS: readonly string[] = [
  "",
  "\n\n\n",
  "{",
  "null",
  "[]",
  '"hello"',
  "1e999",
  '{"t":1}',
  '{"t":"hello","t":"hello"}',
  "[".repeat(5_000),
  '{"a":'.repeat(2_000),
  '{"t":"hello","i":9007199254740993,"token":{}}',
  '{"__proto__":{"t":"hello"}}',
];
