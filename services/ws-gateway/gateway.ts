import type { Clock } from "../core/clock";
import type { Wire } from "../../config/metrics";
import type { Refusal } from "../core/audit";
import { CLOSES, type Close } from "../core/closes";
import type { Revocation } from "../core/contract";
import { ERRORS, hasCode, publicError, RookeryError } from "../core/errors";
import type { Limits, RateLimitMode } from "../core/limits";
import { jittered } from "../core/jitter";
import {
  answer,
  checkFrame,
  encode,
  errorAnswer,
  splitFrames,
  SUBPROTOCOL,
  type FrameOf,
  type RawFrame,
} from "../core/protocol";
import { Few } from "../core/few";
import { PATHS } from "../core/paths";
import { isPersonalToken, type PersonalTokenCache } from "../core/personal-tokens";
import { enforceFrame, enforceSocket } from "../core/scopes";
import type { AccessTokens, VerifiedToken } from "../core/tokens";
import type { RevocationFeed } from "../core/revocation-feed";
import type { Addresses } from "./addresses";
import { Admission } from "./admission";
import type { Commands } from "./commands";
import { Connection, Outboxes } from "./connection";
import type { Accept, EngineHandlers, HttpExchange, Reply, Socket, UpgradeRequest } from "./engine";
import { problem } from "./engine.http";
import type { Hub } from "./hub";
import { Manners } from "./manners";
import type { MemoryBudget } from "./memory-budget";
import { StandStill } from "./stand-still";

/** What the gateway counts; called on the hot path, so each must be a plain addition. */
export interface GatewayMetrics {
  opened(wire: Wire): void;
  framesIn(wire: Wire, count: number): void;
  rateLimited(limit: string, refused: boolean): void;
  closed(wire: Wire, code: number): void;
}

export interface GatewayDependencies {
  hub: Hub;
  commands: Commands;
  tokens: AccessTokens;
  revocations: Pick<RevocationFeed, "refuses">;
  personal: Pick<PersonalTokenCache, "get" | "resolve">;
  /** Whether it is known which tokens were revoked; while it is not, nobody new is let in. */
  trusted(): boolean;
  clock: Clock;
  limits: Limits;
  rateLimit: RateLimitMode;
  /** Whether a browser of this origin may connect; no Origin is no browser. */
  allowsOrigin(origin: string, host: string | undefined): boolean;
  /** Passes on what is no WebSocket. */
  request(exchange: HttpExchange): void;
  /** Records that somebody was refused; resolves when he may be told. */
  refused(refusal: Refusal): Promise<void>;
  /** First and last connection of a user on this gateway. */
  present(user: string, online: boolean): void;
  memory: MemoryBudget;
  metrics: GatewayMetrics;
}

/** Milliseconds until hello. */
const HELLO = 5_000;
/** Milliseconds between two sweeps, which are a second apart, that show that the process stood still. */
const STOOD_STILL = 2_500;
/** Milliseconds for one who said hello and could not be let in, to try again; then he is sent to look elsewhere. */
const PUT_OFF = 30_000;
/** Milliseconds after which he should, on the average. */
const RETRY = 1_000;
/** Milliseconds before its end at which a token's holder is told. */
const WARN = 60_000;
/** Milliseconds a socket that is to go waits for its last answer. */
const LAST_ANSWER = 5_000;
/** The same where its session was ended: closed in two seconds, whatever is looked at once a second. */
const LAST_WORD = 500;
/** Milliseconds a socket outlives its token, for the new one to arrive. */
const GRACE = 5_000;
/** Frames of one socket that wait until its token has been looked up. */
const HELD = 100;

/** The native door: sockets from upgrade to close, and who they are. What frames mean is in `Commands`. */
export class Gateway implements EngineHandlers {
  /** Open sockets, the oldest first. */
  readonly connections = new Set<Connection>();
  private readonly admission: Admission;
  private readonly manners: Manners;
  private readonly standStill: StandStill;
  private readonly outboxes = new Outboxes();
  private phase: "starting" | "open" | "draining" = "starting";
  /** Out of reach of the other nodes: a revocation would not be heard of here. */
  private cutOff = false;
  /** Who waits until the last socket is gone. */
  private emptied: (() => void) | null = null;

  constructor(private readonly with_: GatewayDependencies) {
    const { clock, metrics } = with_;
    const rateLimited = (limit: string, refused: boolean): void => metrics.rateLimited(limit, refused);
    this.standStill = new StandStill(() => clock.monotonic(), STOOD_STILL);
    this.admission = new Admission({ ...with_, accepting: () => this.accepting, rateLimited });
    this.manners = new Manners({ ...with_, rateLimited });
  }

  /** Sends clients elsewhere: it is drained, or cut off. */
  get shut(): boolean {
    return this.phase === "draining" || this.cutOff;
  }

  /** Begins to take sockets. */
  accept(): void {
    if (this.phase === "starting") this.phase = "open";
  }

  /** Fails closed while this node is out of reach of the others: closes every socket, to come back elsewhere, and takes none. */
  isolate(cutOff: boolean): void {
    this.cutOff = cutOff;
    if (cutOff) this.closeAll(CLOSES.GOING_AWAY);
  }

  private get accepting(): boolean {
    return this.phase === "open" && !this.cutOff;
  }

  upgrade(request: UpgradeRequest): Accept | Reply {
    if (request.path !== PATHS.websocket) return problem("NOT_FOUND");
    const refusal = this.refusal(request);
    if (refusal) return refusal;
    // Another version is taken and told at once by its close code: a refused upgrade says nothing to a browser.
    const protocol = request.protocols.includes(SUBPROTOCOL) ? SUBPROTOCOL : request.protocols[0];
    return protocol === undefined ? {} : { protocol };
  }

  /** Why nobody is let in who comes from there, whatever his wire; undefined if he is. */
  refusal(request: Pick<UpgradeRequest, "address" | "header">): Reply | undefined {
    const refusal = this.admission.refusal(request, this.connections.size);
    if (refusal?.status === ERRORS.RATE_LIMITED.status)
      void this.with_.refused({ code: "RATE_LIMITED", what: "sockets", address: request.address });
    return refusal;
  }

  /** How many are open from each address, also of those that are not yet anybody's. */
  get addresses(): Addresses {
    return this.admission.addresses;
  }

  open(socket: Socket): void {
    if (socket.protocol !== "" && socket.protocol !== SUBPROTOCOL)
      return socket.end(CLOSES.VERSION.code, CLOSES.VERSION.reason);
    if (!this.accepting) return socket.end(CLOSES.GOING_AWAY.code, CLOSES.GOING_AWAY.reason);
    const connection = new Connection(socket, this.with_.clock.monotonic(), this.outboxes.flushLater);
    socket.data = connection;
    this.connections.add(connection);
    this.with_.metrics.opened(connection.wire);
    this.addresses.opened(socket.address);
  }

  message(socket: Socket, text: string): void {
    const connection = socket.data as Connection | undefined;
    if (!connection) return;
    const frames = splitFrames(text);
    if (!frames) return connection.end(CLOSES.BAD_FRAME);
    this.with_.metrics.framesIn(connection.wire, frames.length);
    for (const frame of frames)
      if (!connection.closed && this.manners.heeds(connection)) this.frame(connection, frame, true);
  }

  /** A frame that a socket of another wire makes of what it heard, which alone is counted. */
  ask(socket: Socket, frame: RawFrame): void {
    const connection = socket.data as Connection | undefined;
    if (connection && !connection.closed) this.frame(connection, frame, false);
  }

  /** Counts a call of a client of another wire. Throws RATE_LIMITED. */
  throttle(socket: Socket): void {
    const connection = socket.data as Connection | undefined;
    if (connection) this.manners.throttle(connection);
  }

  /** Counts what a socket of another wire heard. False: it is too much, and the socket is closed. */
  heeds(socket: Socket): boolean {
    const connection = socket.data as Connection | undefined;
    if (!connection || connection.closed) return false;
    this.with_.metrics.framesIn(connection.wire, 1);
    return this.manners.heeds(connection);
  }

  binary(socket: Socket): void {
    (socket.data as Connection | undefined)?.end(CLOSES.BAD_FRAME);
  }

  drain(socket: Socket): void {
    const connection = socket.data as Connection | undefined;
    if (connection && connection.replaying.length > 0) this.with_.hub.drained(connection);
  }

  close(socket: Socket, code: number): void {
    const connection = socket.data as Connection | undefined;
    if (!connection || !this.connections.delete(connection)) return;
    this.with_.metrics.closed(connection.wire, code);
    this.with_.commands.closed(connection);
    this.with_.hub.close(connection);
    this.addresses.closed(socket.address, !connection.token);
    if (connection.user !== undefined) this.drop(connection, connection.user);
    if (this.connections.size === 0) this.emptied?.();
  }

  request(exchange: HttpExchange): void {
    this.with_.request(exchange);
  }

  /** Closes whom the entries concern: a dead session or a ban for good, a changed user until he comes with a new token. */
  revoked(items: readonly Revocation[]): void {
    for (const { session, user, role, everybody, banned, n } of items) {
      const affected = user ? [...(this.with_.hub.users.get(user) ?? [])] : [...this.connections];
      for (const connection of affected) {
        const { token } = connection;
        if (!token) continue;
        if (session !== undefined && token.identity.sid === session) {
          // Who logs out over this very socket is told that it is done.
          connection.leave(CLOSES.SESSION_REVOKED, this.with_.clock.monotonic() + LAST_WORD);
        } else if (
          token.revision < n &&
          (everybody || token.identity.id === user || (role && token.identity.roles.includes(role)))
        )
          connection.end(banned ? CLOSES.BANNED : CLOSES.TOKEN_EXPIRED);
      }
    }
  }

  /** Once a second: late hellos, tokens near and past their end, rooms nobody reads. */
  sweep(): void {
    const stoodStill = this.standStill.justEnded();
    const now = this.with_.clock.now();
    const monotonic = this.with_.clock.monotonic();
    // A short-lived token is told of at half its life: told at once, its holder would renew it without end.
    const warn = Math.min(WARN, (this.with_.tokens.ttl * 1000) / 2);
    for (const connection of this.connections) {
      const { token } = connection;
      if (connection.left) {
        if (connection.endBy <= monotonic) connection.end(connection.left);
      } else if (connection.leaveAt !== null && connection.leaveAt <= monotonic)
        connection.leave(CLOSES.GOING_AWAY, monotonic + LAST_ANSWER);
      else if (!token) {
        if (stoodStill) continue;
        const silent = monotonic - connection.openedAt;
        if (connection.putOff ? silent >= PUT_OFF : silent >= (connection.socket.helloWithin ?? HELLO))
          connection.end(connection.putOff ? CLOSES.BUSY : CLOSES.NO_HELLO);
      } else if (now > token.expiresAt + GRACE) connection.end(CLOSES.TOKEN_EXPIRED);
      else if (!connection.warned && token.expiresAt - now < warn) {
        connection.warned = true;
        if (connection.bearer !== null) {
          void this.renew(connection, connection.bearer);
          continue;
        }
        connection.reply(encode({ t: "expiring", inMs: Math.max(0, token.expiresAt - now) }));
      }
    }
    for (const slow of this.with_.memory.look(this.connections)) slow.end(CLOSES.TOO_SLOW);
    this.with_.hub.sweep();
    this.with_.commands.sweep();
  }

  /** Takes no new sockets, tells each open one when to come back, spread over `spreadMs`, and closes it then. Returns how many. */
  drainAll(spreadMs: number): number {
    this.phase = "draining";
    const now = this.with_.clock.monotonic();
    for (const connection of this.connections) {
      const afterMs = Math.round(Math.random() * spreadMs);
      connection.leaveAt = now + afterMs;
      connection.reply(encode({ t: "reconnect", afterMs }));
    }
    return this.connections.size;
  }

  /** Has those leave that consist of requests, which nobody takes any more. */
  leaveRequests(): void {
    for (const connection of this.connections) if (connection.socket.requests) connection.leave(CLOSES.GOING_AWAY);
  }

  /** Has everybody leave as soon as he is answered. */
  leaveAll(): void {
    for (const connection of [...this.connections]) connection.leave(CLOSES.GOING_AWAY);
  }

  /** Resolves when the last socket is gone. */
  left(): Promise<void> {
    if (this.connections.size === 0) return Promise.resolve();
    return new Promise(resolve => (this.emptied = resolve));
  }

  closeAll(reason: Close): void {
    for (const connection of [...this.connections]) connection.end(reason);
  }

  /** Whether a token is one of a program that was not asked about yet: `lookUp` does. */
  isStrange(text: string): boolean {
    return isPersonalToken(text) && this.with_.personal.get(text) === null;
  }

  /** Throws UNAUTHENTICATED or UNAVAILABLE. */
  async lookUp(text: string): Promise<void> {
    if (isPersonalToken(text)) await this.with_.personal.resolve(text);
  }

  /** Throws UNAUTHENTICATED, also for what was to be looked up and was not, FORBIDDEN or UNAVAILABLE. */
  verify(text: string): VerifiedToken {
    const token = (isPersonalToken(text) && this.with_.personal.get(text)) || this.with_.tokens.verify(text);
    enforceSocket(token.identity);
    if (!this.with_.trusted()) throw new RookeryError("UNAVAILABLE", undefined, { retryAfterMs: jittered(RETRY) });
    if (this.with_.revocations.refuses(token)) throw new RookeryError("UNAUTHENTICATED", "The token was revoked.");
    return token;
  }

  /** Makes a verified token the connection's own. Throws UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED or UNAVAILABLE. */
  authenticate(connection: Connection, text: string): VerifiedToken {
    const { hub, limits, rateLimit } = this.with_;
    const token = this.verify(text);
    const user = token.identity.id;
    if (connection.token && connection.user !== user)
      throw new RookeryError("FORBIDDEN", "The token is somebody else's.");
    if (!connection.token) {
      const own = hub.users.get(user) ?? new Few();
      if (own.size >= limits.socketsPerUser && rateLimit === "on") throw new TooManyError();
      hub.users.set(user, own.add(connection));
      this.addresses.known(connection.socket.address);
      if (own.size === 1) this.with_.present(user, true);
    }
    const browsed = connection.browses;
    connection.token = token;
    if (browsed && !connection.browses) hub.reread(connection);
    connection.bearer = isPersonalToken(text) ? text : null;
    connection.warned = false;
    return token;
  }

  /** It is his turn; who is not answered in time goes without. */
  private drop(connection: Connection, user: string): void {
    const own = this.with_.hub.users.get(user);
    own?.delete(connection);
    if (own?.size !== 0) return;
    this.with_.hub.users.delete(user);
    this.with_.present(user, false);
  }

  private frame(connection: Connection, raw: RawFrame, throttled: boolean): void {
    const i = Number.isInteger(raw.i) ? raw.i : undefined;
    try {
      if (connection.left) throw new RookeryError("UNAVAILABLE");
      if (connection.held) return this.hold(connection.held, raw);
      if (!connection.token && raw.t !== "hello") throw new RookeryError("UNAUTHENTICATED", "Say hello first.");
      const frame = checkFrame(raw);
      if (throttled && frame.t !== "send") this.manners.throttle(connection);
      // The protocol's own form of ping has no number, and its pong none.
      if (frame.t === "ping") return connection.reply(answer("pong", i));
      if (frame.t === "hello" || frame.t === "auth") {
        if (this.isStrange(frame.token)) return void this.lookUpFor(connection, frame, i);
        return this.identify(connection, frame, i);
      }
      enforceFrame(frame.t, connection.token?.identity);
      this.with_.commands.run(connection, frame, i);
    } catch (error) {
      const told = publicError(error);
      const answer = (): void => void (i !== undefined && !connection.closed && connection.reply(errorAnswer(i, told)));
      if (told.code !== "RATE_LIMITED") return answer();
      const { user, socket } = connection;
      void this.with_
        .refused({ code: told.code, what: "frames", address: socket.address, ...(user && { user }) })
        .then(answer);
    }
  }

  private hold(held: RawFrame[], raw: RawFrame): void {
    if (held.length >= HELD) throw new RookeryError("RATE_LIMITED", "Too much before the answer to hello.");
    held.push(raw);
  }

  /** Has a token looked up; what is said meanwhile waits, and comes after it. Frames were counted when they came. */
  private async lookUpFor(connection: Connection, frame: Introduction, i: number | undefined): Promise<void> {
    connection.held = [];
    const failure: unknown = await this.lookUp(frame.token).then(
      () => null,
      (error: unknown) => error,
    );
    const { held } = connection;
    connection.held = null;
    if (connection.closed) return;
    try {
      this.identify(connection, frame, i, failure);
    } catch (error) {
      if (i !== undefined) connection.reply(errorAnswer(i, publicError(error)));
    }
    for (const raw of held ?? []) if (!connection.closed) this.frame(connection, raw, false);
  }

  private async renew(connection: Connection, bearer: string): Promise<void> {
    try {
      await this.lookUp(bearer);
      if (!connection.closed && connection.bearer === bearer) this.authenticate(connection, bearer);
    } catch (error) {
      // What cannot be judged now is asked again, until the token it has ends.
      if (hasCode(error, "UNAVAILABLE")) connection.warned = false;
      else connection.end(CLOSES.TOKEN_EXPIRED);
    }
  }

  /** @param failure why a token that was looked up does not hold */
  private identify(connection: Connection, frame: Introduction, i: number | undefined, failure: unknown = null): void {
    if (frame.t === "hello") return this.hello(connection, frame, i, failure);
    if (failure !== null) throw failure as Error;
    this.authenticate(connection, frame.token);
    if (i !== undefined) connection.reply(answer("ok", i));
  }

  private hello(connection: Connection, frame: FrameOf<"hello">, i: number | undefined, failure: unknown): void {
    if (connection.greeted) throw new RookeryError("CONFLICT", "Hello was said before; use auth for a new token.");
    if (Object.keys(frame.rooms ?? {}).length > this.with_.limits.rooms)
      throw new RookeryError("INVALID", `rooms: At most ${this.with_.limits.rooms}.`);
    try {
      if (failure !== null) throw failure as Error;
      this.authenticate(connection, frame.token);
    } catch (error) {
      if (i !== undefined) connection.reply(errorAnswer(i, publicError(error)));
      connection.putOff = hasCode(error, "UNAVAILABLE");
      if (connection.putOff) return;
      return connection.end(error instanceof TooManyError ? CLOSES.TOO_MANY : CLOSES.TOKEN_EXPIRED);
    }
    this.with_.commands.hello(connection, frame, i);
    connection.greeted = true;
  }
}

/** A frame that says who it is. */
type Introduction = FrameOf<"hello"> | FrameOf<"auth">;

class TooManyError extends RookeryError {
  constructor() {
    super("RATE_LIMITED", "Too many connections.");
  }
}
