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
  /** What is wrong with the query of one who wants a WebSocket; absent or undefined: nothing. */
  fault?(query: URLSearchParams): Reply | undefined;
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

/** A WebSocket that is not yet anybody's, or stands for a session of another gateway. */
class Waiting {
  /** Monotonic milliseconds; null before the first look. */
  since: number | null = null;
  /** Nobody knows yet whether it has a session. */
  stranger = true;

  constructor(readonly listener: Listener) {}
}

/** Milliseconds in which a WebSocket that was opened to go on with a session does so. */
const MOVING = 20_000;
/** WebSockets that may be doing so; beyond it the oldest goes. */
const WAITING = 2_000;
/** Share of those that stand for sessions of other gateways which leave each second of a drain. */
const LEAVING = 0.2;

/** All doors of the engine: the native one is the gateway itself, the rest translate for it. */
export class Doors implements EngineHandlers {
  /** Monotonic milliseconds of the last ping of each wire. */
  private readonly pingedAt = new Map<Wire, number>();

  private readonly waiting = new Set<Socket>();
  private strangers = 0;

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
    const query = new URLSearchParams(request.query);
    const fault = door.fault?.(query);
    if (fault) return fault;
    const token = tokenOf(door.tokenInQuery ? query : null, request.header("authorization"));
    // Of a token that has to be looked up hello will tell.
    if (door.webSockets === "open" || this.gateway.isStrange(token))
      return { data: new Entering(door, query, token, "") };
    try {
      const { identity } = this.gateway.verify(token);
      return { data: new Entering(door, query, token, identity.id) };
    } catch (error) {
      const told = (["UNAVAILABLE", "FORBIDDEN"] as const).find(code => hasCode(error, code));
      return problem(told ?? "UNAUTHENTICATED");
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
      this.strangers++;
      this.makeRoom();
      this.gateway.addresses.opened(socket.address);
    } else this.enter(socket, door.wire, token, randomUUID());
  }

  /** Lets one in who has no WebSocket. */
  admit(transport: HttpTransport, { wire, token }: Opening, id: string): WireSocket {
    return this.enter(transport, wire, token, id);
  }

  message(socket: Socket, text: string): void {
    const inside = socket.data;
    if (inside instanceof WireSocket) inside.hear(text);
    else if (inside instanceof Waiting) this.heard(socket, inside, text);
    else this.gateway.message(socket, text);
  }

  binary(socket: Socket): void {
    const inside = socket.data;
    if (inside instanceof WireSocket) inside.hearBinary();
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
      this.settled(socket, inside);
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

  /** Those that are nobody's here have no place in a drain, which tells each when to go. */
  closeWaiting(): void {
    for (const socket of this.waiting) socket.end(CLOSES.GOING_AWAY.code, CLOSES.GOING_AWAY.reason);
  }

  /** Who has had the most time to show his session goes first. */
  private makeRoom(): void {
    if (this.strangers <= WAITING) return;
    for (const socket of this.waiting)
      if ((socket.data as Waiting).stranger) return socket.end(CLOSES.NO_HELLO.code, CLOSES.NO_HELLO.reason);
  }

  private heard(socket: Socket, inside: Waiting, text: string): void {
    inside.listener.text(text);
    if (socket.data instanceof WireSocket) this.settled(socket, inside);
    else if (inside.stranger && inside.listener.relaying) {
      inside.stranger = false;
      this.strangers--;
      this.gateway.addresses.known(socket.address);
    }
  }

  /** It is closed, or has become somebody's. */
  private settled(socket: Socket, { stranger }: Waiting): void {
    if (!this.waiting.delete(socket)) return;
    if (stranger) this.strangers--;
    this.gateway.addresses.closed(socket.address, stranger);
  }

  private sweep(now: number): void {
    const { shut } = this.gateway;
    for (const socket of this.waiting) {
      const inside = socket.data as Waiting;
      if (shut && Math.random() < LEAVING) socket.end(CLOSES.GOING_AWAY.code, CLOSES.GOING_AWAY.reason);
      else if (inside.stranger && now - (inside.since ??= now) > MOVING)
        socket.end(CLOSES.NO_HELLO.code, CLOSES.NO_HELLO.reason);
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
