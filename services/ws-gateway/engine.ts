import type { Server } from "node:http";
import type { Wire } from "../../config/metrics";
import type { Framed } from "./ring";
import { loadNative } from "./engine.uws.native";
import { UwsEngine } from "./engine.uws";
import { WsEngine } from "./engine.ws";

/**
 * The socket engine: one port that takes WebSockets and passes every other HTTP request on. Two drivers keep the same
 * promises: `uws` (uWebSockets.js, native) and `ws` (pure JavaScript, any Node and libc).
 *
 * Promises: on one socket `send` and `publish` arrive in program order; a publish reaches exactly those subscribed when
 * it was called; a socket that reads too slowly is closed, it never misses a frame and lives on.
 */

/** One accepted WebSocket. Every method is safe after close: it does nothing. */
export interface Socket {
  /** Unique in this process. */
  readonly id: number;
  /** The client's address, resolved through the trusted proxies. */
  readonly address: string;
  /** The subprotocol chosen at upgrade, `""` if none. */
  readonly protocol: string;
  /** Absent: the native one. */
  readonly wire?: Wire;
  /** It consists of requests of HTTP. */
  readonly requests?: boolean;
  /** Rooms that its wire reads on its own account, beside those the client asks for. */
  readonly ownRooms?: number;
  /** Milliseconds until hello, where its wire has a time of its own. */
  readonly helloWithin?: number;
  /** The gateway's state, from {@link Accept.data}. */
  data: unknown;
  readonly closed: boolean;
  /** Bytes not yet taken by the kernel; 0 once closed. */
  readonly buffered: number;
  /** Sends one text frame; bytes must be UTF-8. */
  send(text: string | Uint8Array): void;
  /** Sends entries of a room, where its wire has a form of its own for them; else they are sent as frames. */
  entries?(room: string, entries: readonly Framed[]): void;
  /** Runs `write`; all it sends leaves in one system call. Synchronous. */
  cork(write: () => void): void;
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /** Close frame after all that was sent, then close. `reason` is cut to 123 bytes. Calls `handlers.close` before it returns. */
  end(code: number, reason: string): void;
  /** Drops the connection without a close frame. Calls `handlers.close` before it returns. */
  close(): void;
}

/** A request to become a WebSocket; valid during `handlers.upgrade` only. */
export interface UpgradeRequest {
  /** Path without the query. */
  readonly path: string;
  /** Raw query without `?`, `""` if none. */
  readonly query: string;
  readonly address: string;
  /** Subprotocols offered, in the client's order. */
  readonly protocols: readonly string[];
  /** A header's value by its lower-case name. */
  header(name: string): string | undefined;
}

export interface Accept {
  /** One of the offered subprotocols, echoed. */
  readonly protocol?: string;
  /** Becomes {@link Socket.data}. */
  readonly data?: unknown;
}

/** A complete HTTP answer. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A request that is no WebSocket's. One of its methods must be called before `handlers.request` returns. */
export interface HttpExchange {
  /** Upper case. */
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly address: string;
  /** Lets a Node server of this process answer, listening or not; it knows the client by `clientAddress(req)`. */
  serve(server: Server): void;
  reply(reply: Reply): void;
}

export interface EngineHandlers {
  /** Decides on the spot: an upgrade that waits can lose its socket. */
  upgrade(request: UpgradeRequest): Accept | Reply;
  open(socket: Socket): void;
  /** One text message, valid UTF-8. */
  message(socket: Socket, text: string): void;
  /** One binary message; the bytes are valid during the call only. */
  binary(socket: Socket, bytes: Uint8Array): void;
  /** `buffered` went down after it had risen. A hint. */
  drain(socket: Socket): void;
  /** Once a socket, whoever closed it. 1006: without a close frame; 1005: a close frame without code. */
  close(socket: Socket, code: number, reason: string): void;
  request(exchange: HttpExchange): void;
}

export interface EngineOptions {
  /**
   * Largest message taken, bytes. A larger one is not delivered and ends the socket as a bad frame; one above
   * {@link PAYLOAD_ROOM} times that is not even read, and drops the connection.
   */
  readonly maxPayload: number;
  /** Paths where a message may have more bytes than that, and how many; one above it drops the connection. */
  readonly largerAt?: Readonly<Record<string, number>>;
  /** Bytes a socket may have waiting; above it the socket is closed as too slow. One frame may exceed it. */
  readonly maxBackpressure: number;
  /** Seconds without a sign of life, protocol pings unanswered, after which a socket is closed; 8 to 960. */
  readonly idleTimeout: number;
  /** Addresses and CIDR blocks of proxies whose `X-Forwarded-For` is believed. */
  readonly trustProxies: readonly string[];
}

/** Multiple of `maxPayload` a driver reads, so that the sender of too large a message is told with a code not to try again. */
export const PAYLOAD_ROOM = 4;

export interface Engine {
  readonly name: "uws" | "ws";
  /** Why `auto` did not take the native engine; for one log line. */
  readonly fallback: string | undefined;
  /** Open WebSockets. */
  readonly connections: number;
  /** @returns the real port (`port` 0: any free one). @throws Error with `code` (EADDRINUSE, EACCES, ...) and the port in its message. */
  listen(host: string, port: number): Promise<number>;
  /** One text frame to every subscriber of the topic. */
  publish(topic: string, text: string | Uint8Array): void;
  /**
   * No new connections; open WebSockets live on. Requests under way are answered and their connections end with the
   * answer; a request that comes later gets 503.
   */
  stopListening(): void;
  /** Resolves as soon as no HTTP request is under way. */
  settled(): Promise<void>;
  /** Drops everything. */
  close(): Promise<void>;
}

export type EngineKind = "auto" | "uws" | "ws";

/** @throws Error if `uws` is asked for by name and has no binary here. */
export async function createEngine(
  kind: EngineKind,
  handlers: EngineHandlers,
  options: EngineOptions,
): Promise<Engine> {
  if (kind === "ws") return new WsEngine(handlers, options, undefined);
  const native = await loadNative();
  if (typeof native !== "string") return new UwsEngine(native, handlers, options);
  if (kind === "uws") throw new Error(`engine uws: ${native}`);
  return new WsEngine(handlers, options, native);
}
