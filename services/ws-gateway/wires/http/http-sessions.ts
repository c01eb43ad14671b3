import { createHash, randomBytes } from "node:crypto";
import { CLOSES } from "../../../core/closes";
import { RookeryError } from "../../../core/errors";
import type { HttpPut, HttpSession, HttpTaken } from "../../../core/contract";
import type { Socket } from "../../engine";
import type { Wire } from "../wire";
import type { WireSocket } from "../wire-socket";
import { HttpTransport } from "./http.transport";
import type { LocalTopics } from "./local-topics";

/** Milliseconds a session lives that nobody asks for. */
const LONELY = 30_000;
/** Milliseconds after its end in which the last words can be fetched. */
const LAST_WORDS = 5_000;
/** Milliseconds that one call waits for what another node has. */
const STEP = 2_000;
/** Close code of who takes his leave. */
const NORMAL = 1_000;
/** Sessions of one gateway that are open: each has a request that waits, of which an engine takes so many. */
const OPEN = 6_000;
/** Of those, sessions of which nobody has said whose they are: beyond it the oldest, who has had the most time, goes. */
const STRANGERS = 2_000;
/** Places that are kept, and of those for one user. */
const MOST = 50_000;
const RESERVED = 100;

/** The user of sessions whose id alone tells them from others. */
export const ANYBODY = "-";

/** Who opens a session, and how. */
export interface Opening {
  wire: Wire;
  user: string;
  token: string;
  address: string;
}

interface Held {
  opening: Opening;
  /** Null until it is asked for: many who ask for one then take a WebSocket. */
  live: { transport: HttpTransport; socket: WireSocket } | null;
  /** Monotonic milliseconds. */
  madeAt: number;
  endedAt: number | null;
}

type Live = NonNullable<Held["live"]>;

export interface HttpSessionsDependencies {
  /** Of this node; another one that is asked for a session learns from its id whose it is. */
  nodeID: string;
  topics: LocalTopics;
  now(): number;
  /** Lets the client in. */
  admit(transport: HttpTransport, opening: Opening, id: string): WireSocket;
  /** Tells of its end. */
  closed(socket: WireSocket, code: number): void;
  /** Its client has taken what waited. */
  drained(socket: WireSocket): void;
  /** The same on another node. */
  remote: {
    /** Ids of all gateways. */
    nodes(): string[];
    take(node: string, params: HttpSession & { wait: number }): Promise<HttpTaken | null>;
    received(node: string, params: HttpSession & { number: number }): Promise<unknown>;
    put(node: string, params: HttpSession & { text: string }): Promise<HttpPut | null>;
    end(node: string, params: HttpSession): Promise<{ ended: boolean }>;
  };
}

/**
 * Sessions that consist of HTTP requests, each of which may come to any gateway. A session lives where it was opened; its id
 * is a secret that names the node, and whoever gets a request for it asks there.
 */
export class HttpSessions {
  private readonly held = new Map<string, Held>();
  /** Of each user the sessions that are not open yet. */
  private readonly reserved = new Map<string, number>();
  /** Sessions of anybody, the oldest first; some may have said by now whose they are. */
  private readonly strangers = new Set<string>();
  private openCount = 0;
  private closing = false;

  constructor(private readonly with_: HttpSessionsDependencies) {}

  /** Keeps a place for a session, which opens when it is first asked for. Returns its id. Throws RATE_LIMITED or UNAVAILABLE. */
  reserve(opening: Opening): string {
    if (this.held.size >= MOST) throw new RookeryError("UNAVAILABLE");
    const { user } = opening;
    const reserved = this.reserved.get(user) ?? 0;
    if (user !== ANYBODY && reserved >= RESERVED) throw new RookeryError("RATE_LIMITED", "Too many connections.");
    this.reserved.set(user, reserved + 1);
    const id = `${nameOf(this.with_.nodeID)}.${randomBytes(18).toString("base64url")}`;
    this.held.set(id, { opening, live: null, madeAt: this.with_.now(), endedAt: null });
    return id;
  }

  /**
   * Null: there is no such session of this user. Rejects where its node does not answer. Who takes texts says by `received`
   * that they went on their way; else the session ends with the next who asks, and its client comes back and says what it has.
   */
  async take(session: string, user: string, wait: number): Promise<HttpTaken | null> {
    const node = this.elsewhere(session);
    if (node !== null) return this.takeThere(node, { session, user, wait });
    const live = this.mine(session, user);
    if (!live) return null;
    const taken = await live.transport.take(wait);
    // Another asks in his place: for him it is over.
    return taken ? { ...taken, open: !live.transport.closed } : { texts: [], number: 0, open: false };
  }

  received(session: string, user: string, number: number): void {
    if (number === 0) return;
    const node = this.elsewhere(session);
    if (node !== null) void this.with_.remote.received(node, { session, user, number }).catch(() => undefined);
    else this.mine(session, user)?.transport.received(number);
  }

  async put(session: string, user: string, text: string): Promise<HttpPut | null> {
    const node = this.elsewhere(session);
    if (node !== null) return this.with_.remote.put(node, { session, user, text });
    const live = this.mine(session, user);
    if (!live || live.transport.closed) return null;
    const { session: client } = live.socket;
    if (client.single) return { answer: await client.single(text) };
    live.socket.hear(text);
    return { answer: null };
  }

  async end(session: string, user: string): Promise<boolean> {
    const node = this.elsewhere(session);
    if (node !== null) return (await this.with_.remote.end(node, { session, user })).ended;
    const live = this.mine(session, user);
    if (!live || live.transport.closed) return false;
    live.transport.end(NORMAL);
    this.forget(session);
    return true;
  }

  /** Opens a session of this node that begins with what its client is taken to have said. */
  begin(session: string, text: string): void {
    const held = this.held.get(session);
    if (held) this.mine(session, held.opening.user)?.socket.hear(text);
  }

  /** Gives up a place that was kept and that nobody asked for yet. */
  release(session: string, user: string): void {
    const held = this.held.get(session);
    if (held && !held.live && held.opening.user === user) this.forget(session);
  }

  /** Goes on over a WebSocket of this node; what waits goes first. False if there is no such session here. */
  moveTo(session: string, user: string, socket: Socket): boolean {
    const held = this.held.get(session);
    const live = held?.opening.user === user ? held.live : null;
    if (!live || live.transport.closed) return false;
    socket.data = live.socket;
    live.socket.moveTo(socket);
    for (const text of live.transport.leave()) socket.send(text);
    this.forget(session);
    return true;
  }

  /** Ends all of them, with their wire's last words; who has another gateway's address goes on there. */
  close(): void {
    this.closing = true;
    for (const { live } of this.held.values()) live?.socket.end(CLOSES.GOING_AWAY);
  }

  /** Once a second: who does not come back is gone. */
  tick(now: number): void {
    for (const [id, { live, madeAt, endedAt }] of this.held) {
      if (endedAt !== null ? now - endedAt > LAST_WORDS : !live && now - madeAt > LONELY) this.forget(id);
      else if (live && endedAt === null && now - (live.transport.idleSince ?? now) > LONELY) live.transport.close();
    }
  }

  /** Step by step: neither node can stop while one waits for the other. */
  private async takeThere(
    node: string,
    { wait, ...session }: HttpSession & { wait: number },
  ): Promise<HttpTaken | null> {
    for (let left = wait; ; left -= STEP) {
      const step = Math.min(STEP, left);
      const since = this.with_.now();
      const taken = await this.with_.remote.take(node, { ...session, wait: step });
      // Who is answered before his time is to know it, though it be nothing.
      const early = this.with_.now() - since < step;
      if (!taken?.open || taken.texts.length > 0 || early || left <= step || this.closing) return taken;
    }
  }

  private mine(session: string, user: string): Live | undefined {
    const held = this.held.get(session);
    if (held?.opening.user !== user) return undefined;
    if (!held.live && this.openCount >= OPEN) throw new RookeryError("UNAVAILABLE");
    return (held.live ??= this.open(session, held));
  }

  private admitStranger(id: string): void {
    this.strangers.add(id);
    for (const other of this.strangers) {
      if (this.strangers.size <= STRANGERS) return;
      this.strangers.delete(other);
      const { live } = this.held.get(other) ?? {};
      if (live && !live.socket.known) live.socket.end(CLOSES.NO_HELLO);
    }
  }

  private forget(id: string): void {
    const held = this.held.get(id);
    if (!held) return;
    this.held.delete(id);
    this.strangers.delete(id);
    if (held.live) this.openCount--;
    else this.unreserve(held.opening);
  }

  private unreserve({ user }: Opening): void {
    const left = (this.reserved.get(user) ?? 1) - 1;
    if (left > 0) this.reserved.set(user, left);
    else this.reserved.delete(user);
  }

  private open(id: string, held: Held): Live {
    this.unreserve(held.opening);
    this.openCount++;
    if (held.opening.user === ANYBODY) this.admitStranger(id);
    const transport = new HttpTransport(held.opening.address, this.with_.topics, this.with_.now, {
      closed: code => {
        held.endedAt = this.with_.now();
        if (held.live) this.with_.closed(held.live.socket, code);
      },
      slow: () => held.live?.socket.end(CLOSES.TOO_SLOW),
      lost: () => held.live?.socket.end(CLOSES.BUSY),
      drained: () => held.live && this.with_.drained(held.live.socket),
    });
    return { transport, socket: this.with_.admit(transport, held.opening, id) };
  }

  /** The node that an id names, if it is another; none has the empty name. */
  private elsewhere(session: string): string | null {
    const name = session.split(".", 1)[0] ?? "";
    if (name === nameOf(this.with_.nodeID)) return null;
    return this.with_.remote.nodes().find(node => nameOf(node) === name) ?? "";
  }
}

/** A node as ids name it: what it is called says on which machine it runs, which is nobody's business. */
function nameOf(nodeID: string): string {
  const known = names.get(nodeID) ?? createHash("sha256").update(nodeID).digest("base64url").slice(0, 12);
  names.set(nodeID, known);
  return known;
}

/** Names by id; there are as many as gateways were started in this process's life. */
const names = new Map<string, string>();
