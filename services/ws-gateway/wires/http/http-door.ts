import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { clientAddress } from "../../../core/client-address";
import type { Cors } from "../../../core/cors";
import { hasCode, publicError, RookeryError } from "../../../core/errors";
import { securityHeaders } from "../../../core/security-headers";
import type { VerifiedToken } from "../../../core/tokens";
import { isHttps, problem } from "../../engine.http";
import type { Reply } from "../../engine";
import { tokenOf } from "../token";
import type { Wire } from "../wire";
import type { HttpSessions } from "./http-sessions";

/** A request that came to a wire's door. */
export interface WireRequest {
  /** Upper case. */
  method: string;
  /** Below the door, `""` at the door itself. */
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  /** Of the client. */
  address: string;
  /** As it was given; empty if none was. */
  token: string;
  /** Throws UNAUTHENTICATED, FORBIDDEN or UNAVAILABLE. */
  identify(): VerifiedToken;
  /** UTF-8. Throws TOO_LARGE. */
  body(): Promise<string>;
  sessions: HttpSessions;
  /** Why nobody may open a session from there; undefined if he may. */
  refusal(): Reply | undefined;
  /** A stream of texts that ends with the session or the client; `next` gives those of one go, null at the end. */
  stream(headers: Record<string, string>, next: () => Promise<string[] | null>, gone: () => void): Promise<void>;
}

/** `sent` is told when it went on its way to the client; not if the client was gone. */
export type WireReply = Reply & { readonly sent?: () => void };

/** Answers a request, or has answered it by `stream` and returns undefined. */
export type HttpWire = (request: WireRequest) => Promise<WireReply | undefined>;

export interface HttpDoor {
  path: string;
  /** Bytes of a body and of a WebSocket's message, where clients join what they say and it may be more than a frame. */
  longest?: number;
  wire: Wire;
  /** Its clients may give their token as `access_token` in the address. */
  tokenInQuery?: true;
  http: HttpWire;
}

export interface HttpDoorsDependencies {
  sessions: HttpSessions;
  cors: Cors;
  /** Bytes of a body where the door says nothing. */
  longest: number;
  verify(token: string): VerifiedToken;
  /** Has it looked up if need be. Throws UNAUTHENTICATED or UNAVAILABLE. */
  lookUp(token: string): Promise<void>;
  refusal(request: { address: string; header(name: string): string | undefined }): Reply | undefined;
}

/** The HTTP of all doors: who asks, what is too long, and what browsers want to know. What requests mean each wire knows. */
export function httpServer(doors: readonly HttpDoor[], with_: HttpDoorsDependencies): Server {
  return createServer((req, res) => {
    res.on("error", () => undefined);
    const https = isHttps(req.headers["x-forwarded-proto"]);
    for (const [name, value] of securityHeaders("api", https)) res.setHeader(name, value);
    with_.cors.apply(req, res);
    if (req.method === "OPTIONS") return with_.cors.preflight(res);
    answer(doors, with_, req, res).catch((error: unknown) => {
      if (res.headersSent) return void res.destroy();
      write(res, refusalOf(error, req.method));
    });
  });
}

async function answer(
  doors: readonly HttpDoor[],
  with_: HttpDoorsDependencies,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const [path = "", query = ""] = (req.url ?? "").split(/\?(.*)/s);
  const door = doors.find(one => path === one.path || path.startsWith(`${one.path}/`));
  if (!door) return write(res, problem("NOT_FOUND"));
  const parameters = new URLSearchParams(query);
  const token = tokenOf(door.tokenInQuery ? parameters : null, req.headers.authorization);
  const address = clientAddress(req);
  await with_.lookUp(token);
  const reply = await door.http({
    method: req.method ?? "GET",
    path: path.slice(door.path.length).replace(/^\/|\/$/g, ""),
    query: parameters,
    headers: req.headers,
    address,
    token,
    identify: () => with_.verify(token),
    body: () => bodyOf(req, door.longest ?? with_.longest),
    sessions: with_.sessions,
    refusal: () => with_.refusal({ address, header: name => [req.headers[name]].flat()[0] }),
    stream: (headers, next, gone) => stream(res, headers, next, gone),
  });
  if (reply) write(res, reply);
}

const TEXT = { "Content-Type": "text/plain; charset=utf-8" };

function write(res: ServerResponse, reply: WireReply): void {
  const body = reply.body ?? "";
  if (reply.sent) res.once("finish", reply.sent);
  for (const [name, value] of Object.entries({ ...TEXT, ...reply.headers })) res.setHeader(name, value);
  res.writeHead(reply.status, { "Content-Length": Buffer.byteLength(body) }).end(body);
}

async function stream(
  res: ServerResponse,
  headers: Record<string, string>,
  next: () => Promise<string[] | null>,
  gone: () => void,
): Promise<void> {
  res.once("close", () => {
    if (!res.writableFinished) gone();
  });
  res.writeHead(200, { ...headers, "X-Accel-Buffering": "no" });
  res.flushHeaders();
  while (!res.destroyed) {
    const texts = await next();
    if (texts === null) break;
    // What is not read waits in the session, which has a bound, and not here.
    if (texts.length > 0 && !res.write(texts.join(""))) await drained(res);
  }
  res.end();
}

function drained(res: ServerResponse): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      res.off("drain", done).off("close", done);
      resolve();
    };
    res.on("drain", done).on("close", done);
  });
}

async function bodyOf(req: IncomingMessage, longest: number): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of req as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > longest) throw new RookeryError("TOO_LARGE");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function refusalOf(error: unknown, method = "GET"): Reply {
  // What only reads has no outcome that could be unknown.
  if (method === "GET" && hasCode(error, "UNKNOWN_OUTCOME")) return problem("UNAVAILABLE");
  const { code, detail, retryAfterMs } = publicError(error);
  return problem(code, detail, retryAfterMs);
}
