import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { isForwardingHeader, recordClientAddress, type TrustedProxies } from "../core/client-address";
import type { HttpExchange, Reply } from "./engine";
import { isBodiless, isHttps, isKnownCoding, problem, replyHeaders, statusLine, watchBody } from "./engine.http";

/** One request on the engine's own Node server, passed on as it is. */
export class NodeExchange implements HttpExchange {
  readonly method: string;
  readonly url: string;
  readonly address: string;

  constructor(
    private readonly req: IncomingMessage,
    private readonly res: ServerResponse,
    proxies: TrustedProxies,
  ) {
    this.method = req.method ?? "GET";
    this.url = req.url ?? "/";
    this.address = cleanClient(req, proxies);
  }

  serve(server: Server): void {
    const coding = this.req.headers["transfer-encoding"];
    if (coding !== undefined && !isKnownCoding(coding)) {
      this.res.setHeader("Connection", "close");
      return this.reply(problem("BAD_REQUEST"));
    }
    recordClientAddress(this.req, this.address);
    if (hasBody(this.req)) this.#watch();
    server.emit("request", this.req, this.res);
  }

  reply(reply: Reply): void {
    const body = reply.body ?? "";
    const head: [string, string | number][] = replyHeaders(reply, isHttps(this.req.headers["x-forwarded-proto"]));
    if (this.method === "HEAD" || !isBodiless(this.method, reply.status)) {
      head.push(["Content-Length", Buffer.byteLength(body)]);
    }
    this.res.writeHead(reply.status, head.flat());
    this.res.end(isBodiless(this.method, reply.status) ? undefined : body);
  }

  #watch(): void {
    const { req } = this;
    const start = req.socket.bytesRead;
    const watch = watchBody(
      () => req.socket.bytesRead - start,
      () => {
        if (!req.complete) req.socket.destroy();
      },
    );
    req.once("end", () => watch.stop());
    req.once("close", () => watch.stop());
    this.res.once("close", () => watch.stop());
  }
}

const hasBody = (req: IncomingMessage): boolean =>
  req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) > 0;

/** Takes out what only a proxy may say. @returns the client's address */
export function cleanClient(req: IncomingMessage, proxies: TrustedProxies): string {
  const raw = req.rawHeaders;
  if (!proxies.has(proxies.client(req.socket.remoteAddress, undefined))) {
    // Before anything reads `headers`, which Node makes of the raw ones when first asked.
    for (let i = raw.length - 2; i >= 0; i -= 2) if (isForwardingHeader((raw[i] ?? "").toLowerCase())) raw.splice(i, 2);
    for (const name of Object.keys(req.headers)) if (isForwardingHeader(name)) delete req.headers[name];
  }
  const forwardedFor = req.headers["x-forwarded-for"];
  return proxies.client(req.socket.remoteAddress, Array.isArray(forwardedFor) ? forwardedFor.join(",") : forwardedFor);
}

/** A complete answer on a connection that has left HTTP, and its end. */
export function replyRaw(socket: Duplex, reply: Reply, https: boolean): void {
  const body = reply.body ?? "";
  const head = [
    `HTTP/1.1 ${statusLine(reply.status)}`,
    ...replyHeaders(reply, https).map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

/**
 * Reads a request again without its Upgrade header: what is not offered is ignored (RFC 9110, 7.8). Some clients offer
 * h2c with every request.
 */
export function ignoreUpgrade(server: Server, req: IncomingMessage, socket: Duplex, head: Buffer): void {
  const lines = [`${req.method} ${req.url} HTTP/${req.httpVersion}`];
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    const name = (req.rawHeaders[i] ?? "").toLowerCase();
    if (name === "upgrade" || name === "http2-settings" || name === "connection") continue;
    lines.push(`${req.rawHeaders[i]}: ${req.rawHeaders[i + 1]}`);
  }
  lines.push("Connection: close");
  if (head.length > 0) socket.unshift(head);
  socket.unshift(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"));
  server.emit("connection", socket);
}
