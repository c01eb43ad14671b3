import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import { CLOSES } from "../../core/closes";
import { hasCode } from "../../core/errors";
import type { Accept, EngineHandlers, HttpExchange, Reply, Socket, UpgradeRequest } from "../engine";
import { problem } from "../engine.http";
import type { Gateway } from "../gateway";
import type { HttpDoor } from "./http/http-door";
import type { HttpTransport } from "./http/http.transport";
import type { HttpSessions, Opening } from "./http/http-sessions";
import { tokenOf } from "./token";
import type { Topics } from "./topics";
import type { Wire } from "./wire";
import { WireSocket } from "./wire-socket";

/** A wire, where its clients come in, and what they ask over plain HTTP. */
export interface Door extends HttpDoor {
  /** What a WebSocket there begins with: its token, or nothing, since that comes later. `none`: there are none. */
  webSockets: "token" | "open" | "none";
  /** For a WebSocket that goes on with a session over HTTP: what listens until it has moved; undefined for any other. */
  resume?(socket: Socket, query: URLSearchParams, sessions: HttpSessions): Listener | undefined;
}

interface Listener {
  /** It has taken a session over. */
  readonly relaying: boolean;
  text(text: string): void;
  closed(): void;
}

/** What an accepted upgrade brings along until it is open. */
class Entering {
  constructor(
    readonly door: Door,
    readonly query: URLSearchParams,
    readonly token: string,
    /** Empty where that is not known yet. */
    readonly user: string,
  ) {}
}

/** A WebSocket that is not yet anybody's. */
class Waiting {
  constructor(
    readonly listener: Listener,
    /** Monotonic milliseconds; null before the first look. */
    public since: number | null = null,
  ) {}
}

/** Milliseconds in which a WebSocket that was opened to go on with a session does so. */
const MOVING = 20_000;
/** WebSockets that may be doing so. */
const WAITING = 2_000;

/** All doors of the engine: the native one is the gateway itself, the rest translate for it. */
export class Doors implements EngineHandlers {
  /** Monotonic milliseconds of the last ping of each wire. */
  private readonly pingedAt = new Map<Wire, number>();

  private readonly waiting = new Set<Socket>();

  /** @param http answers what is no WebSocket's at a door */
  constructor(
    private readonly gateway: Gateway,
    private readonly topics: Topics,
    private readonly doors: readonly Door[],
    private readonly sessions: HttpSessions,
    private readonly http: Server,
  ) {}

  upgrade(request: UpgradeRequest): Accept | Reply {
    const door = this.doors.find(({ path }) => request.path === path || request.path === `${path}/`);
    if (!door) return this.gateway.upgrade(request);
    if (door.webSockets === "none") return problem("NOT_FOUND");
    const refusal = this.gateway.refusal(request);
    if (refusal) return refusal;
    if (this.waiting.size >= WAITING) return problem("UNAVAILABLE");
    const query = new URLSearchParams(request.query);
    const token = tokenOf(query, request.header("authorization"));
    if (door.webSockets === "open") return { data: new Entering(door, query, token, "") };
    try {
      const { identity } = this.gateway.verify(token);
      return { data: new Entering(door, query, token, identity.id) };
    } catch (error) {
      return problem(hasCode(error, "UNAVAILABLE") ? "UNAVAILABLE" : "UNAUTHENTICATED");
    }
  }

  open(socket: Socket): void {
    const entering = socket.data;
    if (!(entering instanceof Entering)) return this.gateway.open(socket);
    const { door, query, token, user } = entering;
    // Who negotiated and then takes a WebSocket has no use for the place that was kept for him.
    this.sessions.release(query.get("id") ?? "", user);
    const listener = door.resume?.(socket, query, this.sessions);
    if (listener) {
      socket.data = new Waiting(listener);
      this.waiting.add(socket);
    } else this.enter(socket, door.wire, token, randomUUID());
  }

  /** Lets one in who has no WebSocket. */
  admit(transport: HttpTransport, { wire, token }: Opening, id: string): WireSocket {
    return this.enter(transport, wire, token, id);
  }

  message(socket: Socket, text: string): void {
    const inside = socket.data;
    if (inside instanceof WireSocket) inside.hear(text);
    else if (inside instanceof Waiting) inside.listener.text(text);
    else this.gateway.message(socket, text);
  }

  binary(socket: Socket): void {
    const inside = socket.data;
    if (inside instanceof WireSocket) inside.end(CLOSES.BAD_FRAME);
    else if (inside instanceof Waiting) socket.end(CLOSES.BAD_FRAME.code, CLOSES.BAD_FRAME.reason);
    else this.gateway.binary(socket);
  }

  drain(socket: Socket): void {
    const inside = socket.data;
    if (!(inside instanceof Waiting)) this.gateway.drain(inside instanceof WireSocket ? inside : socket);
  }

  close(socket: Socket, code: number): void {
    const inside = socket.data;
    if (inside instanceof WireSocket) this.left(inside, code);
    else if (inside instanceof Waiting) {
      this.waiting.delete(socket);
      inside.listener.closed();
    } else this.gateway.close(socket, code);
  }

  /** A socket of another wire has closed. */
  left(inside: WireSocket, code: number): void {
    this.gateway.close(inside, code);
    inside.left();
  }

  request(exchange: HttpExchange): void {
    if (this.at(exchange.url.split("?", 1)[0] ?? "")) exchange.serve(this.http);
    else this.gateway.request(exchange);
  }

  /** Once a second. @param now monotonic milliseconds */
  tick(now: number): void {
    this.sweep(now);
    for (const { wire } of this.doors) {
      if (!wire.ping || now - (this.pingedAt.get(wire) ?? -Infinity) < wire.ping.every) continue;
      this.pingedAt.set(wire, now);
      this.topics.toAll(wire, wire.ping.text);
    }
  }

  private sweep(now: number): void {
    for (const socket of this.waiting) {
      const inside = socket.data;
      if (!(inside instanceof Waiting) || inside.listener.relaying) this.waiting.delete(socket);
      else if (now - (inside.since ??= now) > MOVING) socket.end(CLOSES.NO_HELLO.code, CLOSES.NO_HELLO.reason);
    }
  }

  private enter(transport: Socket, wire: Wire, token: string, name: string): WireSocket {
    const inside = new WireSocket(wire, token, name, transport, this.topics, this.gateway);
    // Before anything can be said: an end must find whose it is.
    transport.data = inside;
    this.gateway.open(inside);
    return inside;
  }

  private at(path: string): Door | undefined {
    return this.doors.find(door => path === door.path || path.startsWith(`${door.path}/`));
  }
}
