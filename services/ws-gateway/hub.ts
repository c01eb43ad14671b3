import type { ResetCause } from "../../config/metrics";
import { CLOSES } from "../core/closes";
import type { LogHead, LogRange, RoomAccess } from "../core/contract";
import { RookeryError, type ErrorCode } from "../core/errors";
import { Few } from "../core/few";
import { encode, resetFrame, type RoomState } from "../core/protocol";
import type { RoomBus } from "../core/room-bus";
import { Bumps, bumpOf, bumpTopic } from "./bumps";
import { subscription, type Connection, type Manner, type Subscription } from "./connection";
import { isWhole, type FeedCounts, type RoomFeed } from "./feed";
import { FanOut, type FanOutDependencies } from "./fan-out";
import { FollowedRooms, type Room } from "./followed-rooms";
import { fallBehind } from "./late-readers";
import { Memberships } from "./memberships";
import { Preparation, type Prepared } from "./preparation";
import { Rechecks } from "./rechecks";
import { Replayer, resetCause } from "./replay";
import { PendingRights } from "./rights";

/** What the hub needs of the rest of the house. */
export interface HubDependencies extends Pick<FanOutDependencies, "publish" | "delivered"> {
  bus: RoomBus;
  access(user: string, browses: boolean, rooms: string[]): Promise<RoomAccess[]>;
  heads(room: string): Promise<LogHead>;
  range(room: string, after: number, maxBytes: number): Promise<LogRange>;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Milliseconds since 1970. */
  time(): number;
  replayed(outcome: "live" | "replayed" | "reset"): void;
  counts: FeedCounts & { reset(cause: ResetCause, sockets: number): void };
}

/** How a log that may be read goes on. */
type Entered = Exclude<RoomState, { state: "denied" }>;

/** Milliseconds a room's owner is believed about its size. */
const LARGE_TTL = 60_000;

/** Of everybody in his own feed: he reads it, and that is all. */
const OWN: Manner = { member: false, open: true, passive: false, visibleFrom: 0 };

/** Where rooms and sockets meet: who reads what, and what they get. No entry passes through here once per reader. */
export class Hub {
  private readonly rooms: FollowedRooms;
  private readonly memberships: Memberships;
  private readonly preparation: Preparation;
  private readonly rechecks: Rechecks;
  private readonly replayer: Replayer;
  private readonly bumps: Bumps;
  private readonly fanOut: FanOut;

  constructor(private readonly with_: HubDependencies) {
    this.rooms = new FollowedRooms({
      bus: with_.bus,
      heads: with_.heads,
      range: with_.range,
      counts: with_.counts,
      now: with_.now,
      time: with_.time,
      entries: (room, events) => this.fanOut.entries(room, events),
      skipped: room => this.skipped(room),
      signal: (room, signal) => this.fanOut.signal(room, signal),
      awaited: room => this.memberships.awaited(room),
    });
    this.memberships = new Memberships({
      connectionsOf: user => this.connectionsOf(user),
      cut: (connection, room, code) => this.cut(connection, room, code),
      suspend: (connection, room) => this.suspend(connection, room),
      sees: (connection, room, visibleFrom, at) => this.sees(connection, room, visibleFrom, at),
      review: (connection, room, at) => this.review(connection, room, at),
    });
    const { rooms, memberships } = this;
    this.preparation = new Preparation({ rooms, memberships, access: with_.access });
    this.rechecks = new Rechecks({
      access: with_.access,
      answered: (connection, room, access) => this.answered(connection, room, access),
      // He comes back and resumes where it can be found out; it is no access lost.
      unanswered: connection => connection.end(CLOSES.BUSY),
    });
    this.replayer = new Replayer({
      feed: id => this.rooms.get(id)?.feed,
      reset: cause => with_.counts.reset(cause, 1),
      done: (id, connection) => this.caughtUp(this.rooms.get(id), connection),
      ended: (connection, room, code) => this.cut(connection, room, code),
    });
    const { publish, delivered, now } = with_;
    const connectionsOf = (user: string): Connection[] => this.connectionsOf(user);
    this.bumps = new Bumps(publish);
    this.fanOut = new FanOut({ publish, delivered, connectionsOf, now }, this.memberships, this.replayer, this.bumps);
  }

  get size(): number {
    return this.rooms.size;
  }

  /** The rooms that are followed here, with or without readers. */
  feeds(): RoomFeed[] {
    return this.rooms.feeds();
  }

  feed(room: string): RoomFeed | undefined {
    return this.rooms.get(room)?.feed;
  }

  /** Readers of a room, the passive ones among them, and how many are still catching up. */
  readers(room: string): { readers: number; replaying: number } {
    const { readers, passive, replaying } = this.rooms.get(room) ?? {};
    return { readers: (readers?.size ?? 0) + (passive?.size ?? 0), replaying: replaying?.size ?? 0 };
  }

  /**
   * Whether the room is too large for its owner to tell who types; null where that was not said of late, and always of a
   * direct room, since one of the two may block the other from now on.
   */
  silent(id: string): boolean | null {
    const room = this.rooms.get(id);
    return room && !room.direct && this.with_.now() - room.largeAt < LARGE_TTL ? room.large : null;
  }

  /** Whether the owner is to be asked before he is heard. */
  isHushed(id: string, user: string): boolean {
    return this.rooms.get(id)?.hushed?.has(user) === true;
  }

  /** What its owner says of a room and of somebody in it. Of an archived one it is asked again each time. */
  learn(id: string, user: string, { large = false, kind, archived, mutedUntil }: RoomAccess): void {
    const room = this.rooms.get(id);
    if (!room) return;
    const largeAt = archived ? -Infinity : this.with_.now();
    Object.assign(room, { large, direct: kind === "direct", largeAt });
    if (mutedUntil !== undefined) (room.hushed ??= new Set()).add(user);
  }

  /** The user's token grants other things than before: what he reads only because everybody may is looked at again. */
  reread(connection: Connection): void {
    for (const [id, { member, open, pending, ending }] of connection.rooms)
      if (id !== connection.user && open && !member && !pending && !ending) this.suspend(connection, id);
      else if (id !== connection.user && open) connection.own(id).open = false;
  }

  /** Decides about subscriptions. Follow with `admit` in the same tick as the answer. */
  prepare(connection: Connection, user: string, rooms: readonly string[]): Promise<Map<string, Prepared>> {
    return this.preparation.rights(connection, user, rooms);
  }

  /** Ends a preparation that took too long: nothing is registered. */
  abandon(connection: Connection, rooms: readonly string[]): void {
    for (const room of rooms) this.memberships.end(connection, room);
  }

  /** For readers that know of offsets we do not: looks whether the log is that far. Where it does not tell, they are denied. */
  reach(from: ReadonlyMap<string, number>, prepared: Map<string, Prepared>): Promise<void> {
    return this.preparation.reach(from, prepared);
  }

  /**
   * Follows a user's own feed, at least as far as he knows of it: a log whose room is his id. Follow with `admitFeed` in the
   * tick of the answer. Undefined if that is done already. Rejects while the log cannot be asked.
   */
  prepareFeed(user: string, n: number | null): Promise<void> | undefined {
    return this.preparation.feed(user, n);
  }

  /** Registers a reader of his own feed, who needs nobody's leave. Throws UNAVAILABLE if it is not followed. */
  admitFeed(connection: Connection, n: number | null, sameEpoch: boolean): { n: number; feed: Entered["state"] } {
    const room = this.rooms.get(connection.user ?? "");
    if (!room || !isWhole(room.feed)) throw new RookeryError("UNAVAILABLE");
    const { offset, state } = this.enter(connection, room, OWN, n, sameEpoch);
    return { n: offset, feed: state };
  }

  /**
   * Registers what was prepared and says how each room goes on. Nothing is sent to the socket by it.
   * @param passive rooms that are large are to be read passively; whether one is, is decided here and stays
   */
  admit(
    connection: Connection,
    rooms: readonly string[],
    prepared: ReadonlyMap<string, Prepared>,
    from: ReadonlyMap<string, number | null>,
    sameEpoch: boolean,
    passive = false,
  ): Record<string, RoomState> {
    // Names come from outside: without a prototype none of them is special.
    const states = Object.create(null) as Record<string, RoomState>;
    for (const id of rooms) {
      const { access, feed } = prepared.get(id) ?? {};
      const pending = this.memberships.end(connection, id) ?? new PendingRights();
      const rights = pending.settle(access);
      const room = this.rooms.get(id);
      // A feed that began after the preparation may have begun after what ends these rights.
      const whole = room && room.feed === feed && isWhole(feed);
      if (rights.denied || !access || !whole || pending.outgrew(access)) {
        // What was subscribed before under other rights ends with them.
        this.leave(connection, id);
        states[id] = { state: "denied", code: rights.denied ?? "UNAVAILABLE" };
        continue;
      }
      this.learn(id, connection.user ?? "", access);
      const manner = { ...rights, passive: passive && room.large };
      states[id] = this.enter(connection, room, manner, from.get(id) ?? null, sameEpoch);
    }
    return states;
  }

  /** Lets the admitted rooms run: after the answer was sent, in the same tick. */
  run(connection: Connection, rooms: readonly string[]): void {
    for (const id of rooms) {
      const known = connection.rooms.get(id);
      if (!known) continue;
      if (known.cursor === null) connection.socket.subscribe(topicOf(id, known));
      else connection.replay(id);
      const room = this.rooms.get(id);
      if (known.cursor !== null && room) (room.replaying ??= new Set()).add(connection);
    }
    if (connection.replaying.length > 0) void this.replayer.pump(connection);
  }

  /** Ends the reading of a room. One's own feed is none, and ends with the connection. */
  leave(connection: Connection, id: string): void {
    if (id !== connection.user) this.drop(connection, id);
  }

  private drop(connection: Connection, id: string): void {
    const known = connection.rooms.get(id);
    if (!known) return;
    connection.rooms.delete(id);
    connection.socket.unsubscribe(topicOf(id, known));
    const room = this.rooms.get(id);
    if (!room) return;
    exit(room, connection);
    this.caughtUp(room, connection);
    if (room.readers.size === 0 && !room.passive) room.emptySince = this.with_.now();
  }

  private caughtUp(room: Room | undefined, connection: Connection): void {
    room?.replaying?.delete(connection);
    if (room?.replaying?.size === 0) room.replaying = null;
  }

  close(connection: Connection): void {
    for (const id of [...connection.rooms.keys()]) this.drop(connection, id);
  }

  /** Goes on with replays when the socket has taken what was sent. */
  drained(connection: Connection): void {
    void this.replayer.pump(connection);
  }

  /** Once a second: forgets rooms that nobody came back to, and tells what waited for it. */
  sweep(): void {
    this.rooms.sweep();
    this.bumps.tick();
    this.fanOut.tick();
  }

  private enter(
    connection: Connection,
    room: Room,
    { member, open, passive, visibleFrom }: Manner,
    after: number | null,
    sameEpoch: boolean,
  ): Entered {
    const { offset, seq, floor } = room.feed.head;
    // Who gets no entries misses none.
    const from = passive ? null : after;
    const cause = from === null ? null : resetCause(from, { offset, floor, visibleFrom, sameEpoch });
    const state = cause ? "reset" : from !== null && from < offset ? "replayed" : "live";
    if (cause) this.with_.counts.reset(cause, 1);
    const id = room.feed.room;
    const known = connection.rooms.get(id);
    // Subscribing again starts the room anew; the engine's subscription is set when it runs.
    if (known) connection.socket.unsubscribe(topicOf(id, known));
    const manner = { member, open, passive, visibleFrom: passive ? 0 : visibleFrom };
    connection.rooms.set(id, subscription(manner, state === "replayed" ? from : null));
    exit(room, connection);
    if (passive) (room.passive ??= new Few()).add(connection);
    else room.readers.add(connection);
    beLate(room, connection, manner.visibleFrom);
    room.emptySince = null;
    this.with_.replayed(state);
    return { offset, seq, state, ...(passive && { mode: "passive" }) };
  }

  private cut(connection: Connection, id: string, code: ErrorCode): void {
    this.leave(connection, id);
    connection.reply(encode({ t: "unsub", room: id, code }));
    connection.flush();
  }

  /** Somebody may have lost his rights in what was skipped, and no entry will cut him any more: all wait to be looked at. */
  private skipped(room: Room): void {
    const id = room.feed.room;
    this.memberships.skipped(id);
    room.largeAt = -Infinity;
    room.replaying = null;
    this.with_.counts.reset("gap", room.readers.size);
    for (const connection of [...room.readers, ...(room.passive ?? [])]) {
      const known = connection.rooms.get(id);
      if (!known) continue;
      if (known.ending) {
        connection.socket.send(resetFrame(id, known.ending.at, false));
        this.cut(connection, id, known.ending.code);
        continue;
      }
      this.suspend(connection, id);
      if (id === connection.user) this.answered(connection, id, { room: id, role: null, visibleFrom: 0, open: true });
    }
  }

  /** Gives a reader nothing more until his rights are known; of his own feed they are. */
  private suspend(connection: Connection, id: string): void {
    const known = connection.own(id);
    connection.socket.unsubscribe(topicOf(id, known));
    this.caughtUp(this.rooms.get(id), connection);
    Object.assign(known, { member: false, cursor: null, pending: new PendingRights(), resume: null });
    if (id !== connection.user) this.rechecks.add(connection, id);
  }

  /** Who may see more than before goes on where he was, when it is known how much: nothing that passes is left out for him. */
  private review(connection: Connection, id: string, at: number): void {
    const { member, cursor } = connection.own(id);
    this.suspend(connection, id);
    Object.assign(connection.own(id), { member, resume: cursor ?? at });
  }

  private sees(connection: Connection, id: string, visibleFrom: number, at: number): void {
    const known = connection.rooms.get(id);
    const room = this.rooms.get(id);
    if (!room || !known || known.passive || known.visibleFrom === visibleFrom) return;
    connection.own(id).visibleFrom = visibleFrom;
    beLate(room, connection, visibleFrom);
    // What passes with this entry, after it, was to reach him with everybody.
    if (visibleFrom > 0 && known.cursor === null) fallBehind(room, connection, at);
  }

  /** Goes on after what it was suspended for, at the head there is by now, or ends. */
  private answered(connection: Connection, id: string, access: RoomAccess | undefined): void {
    const known = connection.rooms.get(id);
    const room = this.rooms.get(id);
    if (!known?.pending || !room) return;
    const { denied, member, open, visibleFrom } = known.pending.settle(access);
    if (denied) return this.cut(connection, id, denied);
    if (known.pending.outgrew(access)) return this.rechecks.add(connection, id);
    const { passive, resume } = known;
    if (access) this.learn(id, connection.user ?? "", access);
    const manner = { member, open, passive, visibleFrom: passive ? 0 : visibleFrom };
    connection.rooms.set(id, subscription(manner, resume));
    beLate(room, connection, manner.visibleFrom);
    if (resume !== null) return this.run(connection, [id]);
    connection.socket.send(passive ? bumpOf(room) : resetFrame(id, room.feed.head.offset, id === connection.user));
    connection.socket.subscribe(topicOf(id, known));
  }

  private connectionsOf(user: string): Connection[] {
    return [...(this.users.get(user) ?? [])];
  }

  /** Connections by user, kept by the gateway. */
  readonly users = new Map<string, Few<Connection>>();
}

/** What the engine publishes to who reads a room this way. */
const topicOf = (room: string, { passive }: Pick<Subscription, "passive">): string =>
  passive ? bumpTopic(room) : room;

function exit(room: Room, connection: Connection): void {
  room.readers.delete(connection);
  room.passive?.delete(connection);
  if (room.passive?.size === 0) room.passive = null;
  beLate(room, connection, 0);
}

/** Keeps apart who does not see all of the room. */
function beLate(room: Room, connection: Connection, visibleFrom: number): void {
  if (visibleFrom > 0) (room.late ??= new Few()).add(connection);
  else room.late?.delete(connection);
  if (room.late?.size === 0) room.late = null;
}
