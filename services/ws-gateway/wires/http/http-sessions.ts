import { randomBytes } from "node:crypto";
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
/** Close code of who takes his leave. */
const NORMAL = 1_000;
/** Sessions of one gateway that are open: each has a request that waits, of which an engine takes so many. */
const OPEN = 2_000;
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
    take(node: string, params: HttpSession & { wait: number }): Promise<HttpTaken | null>;
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
  private openCount = 0;

  constructor(private readonly with_: HttpSessionsDependencies) {}

  /** Keeps a place for a session, which opens when it is first asked for. Returns its id. Throws RATE_LIMITED or UNAVAILABLE. */
  reserve(opening: Opening): string {
    if (this.held.size >= MOST || this.openCount >= OPEN) throw new RookeryError("UNAVAILABLE");
    const { user } = opening;
    const reserved = this.reserved.get(user) ?? 0;
    if (user !== ANYBODY && reserved >= RESERVED) throw new RookeryError("RATE_LIMITED", "Too many connections.");
    this.reserved.set(user, reserved + 1);
    const id = `${Buffer.from(this.with_.nodeID).toString("base64url")}.${randomBytes(18).toString("base64url")}`;
    this.held.set(id, { opening, live: null, madeAt: this.with_.now(), endedAt: null });
    return id;
  }

  /** Null: there is no such session of this user. Rejects where its node does not answer. */
  async take(session: string, user: string, wait: number): Promise<HttpTaken | null> {
    const node = this.elsewhere(session);
    if (node !== null) return this.with_.remote.take(node, { session, user, wait });
    const live = this.mine(session, user);
    if (!live) return null;
    const texts = await live.transport.take(wait);
    // Another asks in his place: for him it is over.
    return texts ? { texts, open: !live.transport.closed } : { texts: [], open: false };
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

  /** Once a second: who does not come back is gone. */
  tick(now: number): void {
    for (const [id, { live, madeAt, endedAt }] of this.held) {
      if (endedAt !== null ? now - endedAt > LAST_WORDS : !live && now - madeAt > LONELY) this.forget(id);
      else if (live && endedAt === null && now - (live.transport.idleSince ?? now) > LONELY) live.transport.close();
    }
  }

  private mine(session: string, user: string): Live | undefined {
    const held = this.held.get(session);
    if (held?.opening.user !== user) return undefined;
    return (held.live ??= this.open(session, held));
  }

  private forget(id: string): void {
    const held = this.held.get(id);
    if (!held) return;
    this.held.delete(id);
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
    const transport = new HttpTransport(held.opening.address, this.with_.topics, this.with_.now, {
      closed: code => {
        held.endedAt = this.with_.now();
        if (held.live) this.with_.closed(held.live.socket, code);
      },
      drained: () => held.live && this.with_.drained(held.live.socket),
    });
    return { transport, socket: this.with_.admit(transport, held.opening, id) };
  }

  /** The node that an id names, if it is another. */
  private elsewhere(session: string): string | null {
    const node = Buffer.from(session.split(".", 1)[0] ?? "", "base64url").toString("utf8");
    return node === this.with_.nodeID ? null : node;
  }
}
