import { createServer } from "node:net";
import { CLOSES } from "../core/closes";
import { normalAddress, TrustedProxies } from "../core/client-address";
import { PAYLOAD_ROOM, type Engine, type EngineHandlers, type EngineOptions, type Socket } from "./engine";
import { cutReason, readHandshake } from "./engine.handshake";
import { isHttps, problem, replyHeaders, statusLine, STOPPING } from "./engine.http";
import { UwsExchange } from "./engine.uws.http";
import type {
  Native,
  NativeApp,
  NativeBehavior,
  NativeRequest,
  NativeResponse,
  NativeSocket,
} from "./engine.uws.native";

/** HTTP requests under way at a time; above it the answer is 503. */
const MAX_REQUESTS = 8_192;
/** The sweep visits a tenth of the sockets each time. */
const SWEEP_INTERVAL = 100;
/** SO_REUSEPORT off: a taken port is an error, not a port shared with a stranger. */
const EXCLUSIVE_PORT = 1;

/**
 * Never published to. With its last topic a socket loses what this tick has published to it and not yet written, so one
 * that unsubscribes keeps this.
 */
const KEPT_TOPIC = "\0";

let lastId = 0;

class UwsSocket implements Socket {
  readonly id = ++lastId;
  native: NativeSocket | undefined;

  constructor(
    readonly address: string,
    readonly protocol: string,
    public data: unknown,
    /** Bytes waiting above which the socket is ended with a code, before the library cuts it off without one. */
    private readonly softLimit: number,
  ) {}

  get closed(): boolean {
    return this.native === undefined;
  }

  get buffered(): number {
    return this.native?.getBufferedAmount() ?? 0;
  }

  send(text: string | Uint8Array): void {
    if (this.native?.send(text, false, false) === 0) this.endIfSlow();
  }

  cork(write: () => void): void {
    if (this.native === undefined) write();
    else this.native.cork(write);
  }

  subscribe(topic: string): void {
    this.native?.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    if (this.native === undefined) return;
    this.native.subscribe(KEPT_TOPIC);
    this.native.unsubscribe(topic);
  }

  end(code: number, reason: string): void {
    this.native?.end(code, cutReason(reason));
  }

  close(): void {
    this.native?.close();
  }

  endIfSlow(): void {
    if (this.buffered > this.softLimit) this.end(CLOSES.TOO_SLOW.code, CLOSES.TOO_SLOW.reason);
  }
}

/** A peer's address: 4 or 16 bytes. */
function addressOf(res: NativeResponse): string {
  const bytes = Buffer.from(res.getRemoteAddress());
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  return normalAddress(bytes.toString("hex").replace(/(....)(?!$)/g, "$1:"));
}

const socketOf = (ws: NativeSocket): UwsSocket => (ws.getUserData() as { socket: UwsSocket }).socket;

/** Driver for uWebSockets.js. */
export class UwsEngine implements Engine {
  readonly name = "uws";
  readonly fallback = undefined;
  readonly #app: NativeApp;
  readonly #proxies: TrustedProxies;
  readonly #sockets = new Set<UwsSocket>();
  readonly #exchanges = new Set<UwsExchange>();
  readonly #sweeper: NodeJS.Timeout;
  #cursor = this.#sockets.values();
  readonly #listeners: unknown[] = [];
  #stopping = false;
  /** Called when the last request is answered. */
  readonly #settled: (() => void)[] = [];

  constructor(
    private readonly native: Native,
    private readonly handlers: EngineHandlers,
    private readonly options: EngineOptions,
  ) {
    this.#proxies = new TrustedProxies(options.trustProxies);
    this.#app = native.App();
    this.#app.ws("/*", this.#behavior(options.maxPayload, PAYLOAD_ROOM * options.maxPayload));
    for (const [path, most] of Object.entries(options.largerAt ?? {}))
      for (const pattern of [path, `${path}/`]) this.#app.ws(pattern, this.#behavior(most, most));
    this.#app.any("/*", (res, req) => this.#request(res, req));
    // A publish does not tell who is slow.
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_INTERVAL).unref();
  }

  /** @param most bytes of a message, of which `read` are read */
  #behavior(most: number, read: number): NativeBehavior {
    const { options, handlers } = this;
    return {
      maxPayloadLength: read,
      maxBackpressure: options.maxBackpressure,
      // Without it a slow socket misses frames and lives on.
      closeOnBackpressureLimit: true,
      idleTimeout: Math.min(960, Math.max(8, options.idleTimeout)),
      maxLifetime: 0,
      sendPingsAutomatically: true,
      compression: 0,
      upgrade: (res, req, context) => this.#upgrade(res, req, context),
      open: ws => {
        const socket = socketOf(ws);
        socket.native = ws;
        this.#sockets.add(socket);
        handlers.open(socket);
      },
      message: (ws, message, isBinary) => {
        const socket = socketOf(ws);
        if (message.byteLength > most) socket.end(CLOSES.BAD_FRAME.code, CLOSES.BAD_FRAME.reason);
        // Both views end with this call.
        else if (isBinary) handlers.binary(socket, new Uint8Array(message));
        else handlers.message(socket, Buffer.from(message).toString("utf8"));
      },
      drain: ws => handlers.drain(socketOf(ws)),
      close: (ws, code, reason) => {
        const socket = socketOf(ws);
        socket.native = undefined;
        this.#sockets.delete(socket);
        handlers.close(socket, code, Buffer.from(reason).toString("utf8"));
      },
    };
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async listen(host: string, port: number): Promise<number> {
    const listener = await new Promise<unknown>(resolve => {
      this.#app.listen(host, port, EXCLUSIVE_PORT, resolve);
    });
    if (!listener) throw await explain(host, port);
    this.#listeners.push(listener);
    return this.native.portOf(listener);
  }

  publish(topic: string, text: string | Uint8Array): void {
    this.#app.publish(topic, text, false, false);
  }

  stopListening(): void {
    this.#stopping = true;
    for (const exchange of this.#exchanges) exchange.closeAfter();
    for (const listener of this.#listeners.splice(0)) this.native.closeListener(listener);
  }

  async settled(): Promise<void> {
    if (this.#exchanges.size > 0) await new Promise<void>(resolve => this.#settled.push(resolve));
  }

  async close(): Promise<void> {
    this.stopListening();
    clearInterval(this.#sweeper);
    for (const socket of [...this.#sockets]) socket.close();
    for (const exchange of [...this.#exchanges]) exchange.close();
    await Promise.resolve();
  }

  #client(res: NativeResponse, req: NativeRequest): { address: string; trusted: boolean } {
    const peer = addressOf(res);
    const trusted = this.#proxies.has(peer);
    return { address: trusted ? this.#proxies.client(peer, req.getHeader("x-forwarded-for")) : peer, trusted };
  }

  #upgrade(res: NativeResponse, req: NativeRequest, context: unknown): void {
    if (req.getHeader("upgrade").toLowerCase() !== "websocket") {
      this.#request(res, req);
      return;
    }
    const query = req.getQuery();
    const { address, trusted } = this.#client(res, req);
    const https = trusted && isHttps(req.getHeader("x-forwarded-proto"));
    const request = readHandshake(
      query ? `${req.getUrl()}?${query}` : req.getUrl(),
      address,
      name => req.getHeader(name) || undefined,
    );
    const answer = this.#stopping ? STOPPING : "status" in request ? request : this.handlers.upgrade(request);
    if ("status" in answer) {
      res.cork(() => {
        res.writeStatus(statusLine(answer.status));
        for (const [name, value] of replyHeaders(answer, https)) res.writeHeader(name, value);
        res.end(answer.body ?? "", true);
      });
      return;
    }
    if ("status" in request) return;
    const protocol = answer.protocol ?? "";
    const socket = new UwsSocket(request.address, protocol, answer.data, this.options.maxBackpressure / 2);
    // No extensions are offered back: compression stays off.
    res.upgrade({ socket }, req.getHeader("sec-websocket-key"), protocol, "", context);
  }

  #request(res: NativeResponse, req: NativeRequest): void {
    const { address, trusted } = this.#client(res, req);
    const exchange = new UwsExchange(res, req, address, trusted, done => this.#done(done));
    if (this.#stopping) {
      exchange.closeAfter();
      exchange.reply(STOPPING);
      return;
    }
    if (this.#exchanges.size >= MAX_REQUESTS) {
      exchange.reply(problem("UNAVAILABLE"));
      return;
    }
    this.#exchanges.add(exchange);
    this.handlers.request(exchange);
  }

  #done(exchange: UwsExchange): void {
    this.#exchanges.delete(exchange);
    if (this.#exchanges.size === 0) for (const resolve of this.#settled.splice(0)) resolve();
  }

  #sweep(): void {
    for (let left = Math.ceil(this.#sockets.size / 10); left > 0; left -= 1) {
      const next = this.#cursor.next();
      if (next.done === true) {
        this.#cursor = this.#sockets.values();
        return;
      }
      next.value.endIfSlow();
    }
  }
}

/** The library says only that it could not listen; Node's own attempt says why. */
async function explain(host: string, port: number): Promise<Error> {
  const probe = createServer();
  return new Promise(resolve => {
    probe.once("error", resolve);
    probe.listen({ host, port, exclusive: true }, () => {
      probe.close(() =>
        resolve(Object.assign(new Error(`listen EADDRINUSE: ${host}:${port}`), { code: "EADDRINUSE" })),
      );
    });
  });
}
