import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import { WebSocketServer, type ServerOptions, type WebSocket } from "ws";
import { TrustedProxies } from "../core/client-address";
import { CLOSES } from "../core/closes";
import { PAYLOAD_ROOM, type Accept, type Engine, type EngineHandlers, type EngineOptions, type Socket } from "./engine";
import { cutReason, readHandshake } from "./engine.handshake";
import { isHttps, STOPPING } from "./engine.http";
import { cleanClient, ignoreUpgrade, NodeExchange, replyRaw } from "./engine.ws.http";

/** Milliseconds for all of a request's headers. */
const HEADERS_TIMEOUT = 10_000;
/** Milliseconds a peer has to answer a close frame. */
const CLOSE_TIMEOUT = 2_000;
/** Frames a message may come in. */
const MAX_FRAGMENTS = 1_024;

const TEXT = 0x81;
const PONG = 0x8a;

/** One unmasked final frame (RFC 6455, 5.2), to be written to any number of sockets. */
function frame(head: number, payload: string | Uint8Array): Buffer {
  const size = typeof payload === "string" ? Buffer.byteLength(payload) : payload.byteLength;
  const offset = size < 126 ? 2 : size < 65_536 ? 4 : 10;
  const bytes = Buffer.allocUnsafe(offset + size);
  bytes[0] = head;
  bytes[1] = offset === 2 ? size : offset === 4 ? 126 : 127;
  if (offset === 4) bytes.writeUInt16BE(size, 2);
  if (offset === 10) bytes.writeBigUInt64BE(BigInt(size), 2);
  if (typeof payload === "string") bytes.write(payload, offset, "utf8");
  else bytes.set(payload, offset);
  return bytes;
}

let lastId = 0;

class WsSocket implements Socket {
  readonly id = ++lastId;
  readonly topics = new Set<string>();
  closed = false;
  /** `bytesRead` at the last sweep, and how many sweeps it has stood still. */
  read = 0;
  silent = 0;
  #corked = false;

  constructor(
    private readonly engine: WsEngine,
    private readonly ws: WebSocket,
    readonly tcp: TcpSocket,
    readonly address: string,
    public data: unknown,
  ) {}

  get protocol(): string {
    return this.ws.protocol;
  }

  get buffered(): number {
    return this.closed ? 0 : this.tcp.writableLength;
  }

  send(text: string | Uint8Array): void {
    if (!this.closed && !this.write(frame(TEXT, text))) this.endSlow();
  }

  /** Every tick is a cork already. */
  cork(write: () => void): void {
    write();
  }

  subscribe(topic: string): void {
    if (!this.closed) this.engine.join(this, topic);
  }

  unsubscribe(topic: string): void {
    this.engine.part(this, topic);
  }

  end(code: number, reason: string): void {
    if (this.closed) return;
    const cut = cutReason(reason);
    this.ws.close(code, cut);
    this.engine.closed(this, code, cut);
  }

  close(): void {
    if (this.closed) return;
    this.ws.terminate();
    this.engine.closed(this, 1006, "");
  }

  endSlow(): void {
    this.end(CLOSES.TOO_SLOW.code, CLOSES.TOO_SLOW.reason);
  }

  ping(): void {
    this.ws.ping();
  }

  /**
   * Writes one frame; those of a tick leave together when it ends.
   * @returns false, and nothing is written, if too much waits already: the socket has to be closed
   */
  write(bytes: Buffer): boolean {
    const limit = this.engine.maxBackpressure;
    if (this.tcp.writableLength + bytes.length > limit && this.tcp.writableLength > 0) {
      // What this tick has gathered may well fit into the kernel.
      this.flush();
      if (this.tcp.writableLength > limit) return false;
    }
    if (!this.#corked) {
      this.#corked = true;
      this.tcp.cork();
      process.nextTick(() => this.flush());
    }
    this.tcp.write(bytes);
    return true;
  }

  flush(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.tcp.uncork();
  }
}

/** Driver for the `ws` library on a Node HTTP server. */
export class WsEngine implements Engine {
  readonly name = "ws";
  readonly maxBackpressure: number;
  /** One a port; all with the same handlers. */
  readonly #servers: Server[] = [];
  readonly #wss: WebSocketServer;
  /** Of paths where messages may be larger: what takes them, and how large. */
  readonly #larger: ReadonlyMap<string, { wss: WebSocketServer; most: number }>;
  readonly #proxies: TrustedProxies;
  readonly #sockets = new Set<WsSocket>();
  readonly #topics = new Map<string, Set<WsSocket>>();
  readonly #sweeper: NodeJS.Timeout;
  /** The upgrade in hand: it is all synchronous. */
  #protocol: string | undefined;
  #stopping = false;
  /** Answers of requests under way. */
  readonly #answers = new Set<ServerResponse>();
  /** Called when the last request is answered. */
  readonly #settled: (() => void)[] = [];

  constructor(
    private readonly handlers: EngineHandlers,
    private readonly options: EngineOptions,
    readonly fallback: string | undefined,
  ) {
    this.maxBackpressure = options.maxBackpressure;
    this.#proxies = new TrustedProxies(options.trustProxies);
    this.#wss = this.#accepting(PAYLOAD_ROOM * options.maxPayload);
    this.#larger = new Map(
      Object.entries(options.largerAt ?? {}).map(([path, most]) => [path, { wss: this.#accepting(most), most }]),
    );
    this.#sweeper = setInterval(() => this.#sweep(), (options.idleTimeout * 1000) / 4).unref();
  }

  /** @param read bytes of a message that are read */
  #accepting(read: number): WebSocketServer {
    // `closeTimeout` and `maxFragments` are younger than the published types.
    const options: ServerOptions & { closeTimeout: number; maxFragments: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: read,
      maxFragments: MAX_FRAGMENTS,
      closeTimeout: CLOSE_TIMEOUT,
      // Its pongs would count against no bound.
      autoPong: false,
      handleProtocols: () => this.#protocol ?? false,
    };
    return new WebSocketServer(options);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async listen(host: string, port: number): Promise<number> {
    const server = this.#serve();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port, exclusive: true }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    this.#servers.push(server);
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  publish(topic: string, text: string | Uint8Array): void {
    const subscribers = this.#topics.get(topic);
    if (subscribers === undefined) return;
    const bytes = frame(TEXT, text);
    const slow: WsSocket[] = [];
    for (const socket of subscribers) if (!socket.write(bytes)) slow.push(socket);
    // Closing calls the gateway, which may change the topic.
    for (const socket of slow) socket.endSlow();
  }

  stopListening(): void {
    this.#stopping = true;
    for (const answer of this.#answers) if (!answer.headersSent) answer.setHeader("Connection", "close");
    for (const server of this.#servers) server.close();
  }

  async settled(): Promise<void> {
    if (this.#answers.size > 0) await new Promise<void>(resolve => this.#settled.push(resolve));
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    const stopped = this.#servers.map(server => new Promise<void>(resolve => server.close(() => resolve())));
    for (const socket of [...this.#sockets]) socket.close();
    for (const server of this.#servers) server.closeAllConnections();
    await Promise.all(stopped);
  }

  join(socket: WsSocket, topic: string): void {
    const subscribers = this.#topics.get(topic);
    if (subscribers === undefined) this.#topics.set(topic, new Set([socket]));
    else subscribers.add(socket);
    socket.topics.add(topic);
  }

  part(socket: WsSocket, topic: string): void {
    const subscribers = this.#topics.get(topic);
    if (!socket.topics.delete(topic) || subscribers === undefined) return;
    subscribers.delete(socket);
    if (subscribers.size === 0) this.#topics.delete(topic);
  }

  /** The one way out of a socket's life. */
  closed(socket: WsSocket, code: number, reason: string): void {
    if (socket.closed) return;
    socket.closed = true;
    for (const topic of [...socket.topics]) this.part(socket, topic);
    this.#sockets.delete(socket);
    this.handlers.close(socket, code, reason);
  }

  #serve(): Server {
    // The time for a body is kept by the exchange, by its pace: large files take long.
    const server = createServer({
      headersTimeout: HEADERS_TIMEOUT,
      requestTimeout: 0,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: HEADERS_TIMEOUT,
    });
    server.on("request", (req, res) => this.#request(req, res));
    server.on("upgrade", (req, socket, head) => this.#upgrade(server, req, socket as TcpSocket, head));
    return server;
  }

  #request(req: IncomingMessage, res: ServerResponse): void {
    const exchange = new NodeExchange(req, res, this.#proxies);
    if (this.#stopping) {
      res.setHeader("Connection", "close");
      exchange.reply(STOPPING);
      return;
    }
    this.#answers.add(res);
    res.once("close", () => {
      this.#answers.delete(res);
      if (this.#answers.size === 0) for (const resolve of this.#settled.splice(0)) resolve();
    });
    this.handlers.request(exchange);
  }

  #upgrade(server: Server, req: IncomingMessage, tcp: TcpSocket, head: Buffer): void {
    tcp.on("error", () => tcp.destroy());
    if (req.method !== "GET" || req.headers.upgrade?.toLowerCase() !== "websocket") {
      ignoreUpgrade(server, req, tcp, head);
      return;
    }
    const address = cleanClient(req, this.#proxies);
    const request = readHandshake(req.url ?? "/", address, name => {
      const value = req.headers[name];
      return Array.isArray(value) ? value.join(",") : value;
    });
    const answer = this.#stopping ? STOPPING : "status" in request ? request : this.handlers.upgrade(request);
    if ("status" in answer) {
      replyRaw(tcp, answer, isHttps(req.headers["x-forwarded-proto"]));
      return;
    }
    this.#protocol = answer.protocol;
    const path = "path" in request ? request.path.replace(/\/$/, "") : "";
    const { wss, most } = this.#larger.get(path) ?? { wss: this.#wss, most: this.options.maxPayload };
    wss.handleUpgrade(req, tcp, head, ws => this.#open(ws, tcp, address, answer, most));
  }

  /** @param most bytes of a message */
  #open(ws: WebSocket, tcp: TcpSocket, address: string, accept: Accept, most: number): void {
    const { handlers } = this;
    const socket = new WsSocket(this, ws, tcp, address, accept.data);
    this.#sockets.add(socket);
    ws.on("message", (data, isBinary) => {
      if (socket.closed) return;
      const bytes = data as Buffer;
      if (bytes.length > most) socket.end(CLOSES.BAD_FRAME.code, CLOSES.BAD_FRAME.reason);
      else if (isBinary) handlers.binary(socket, bytes);
      else handlers.message(socket, bytes.toString("utf8"));
    });
    ws.on("ping", data => {
      if (!socket.closed && !socket.write(frame(PONG, data))) socket.endSlow();
    });
    // The library has sent its close frame (1002, 1007, 1009); nothing the peer says from here on counts.
    ws.on("error", () => {
      this.closed(socket, 1006, "");
    });
    ws.on("close", (code, reason) => this.closed(socket, code, reason.toString("utf8")));
    tcp.on("drain", () => {
      if (!socket.closed) handlers.drain(socket);
    });
    handlers.open(socket);
  }

  /** Four times an idle timeout: a socket silent for three sweeps is pinged, for four it is closed. */
  #sweep(): void {
    for (const socket of [...this.#sockets]) {
      const read = socket.tcp.bytesRead;
      socket.silent = read === socket.read ? socket.silent + 1 : 0;
      socket.read = read;
      if (socket.silent === 3) socket.ping();
      else if (socket.silent > 3) socket.end(CLOSES.NO_PONG.code, CLOSES.NO_PONG.reason);
    }
  }
}
