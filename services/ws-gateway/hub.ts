import type { LogHead, LogRange, RoomAccess } from "../core/contract";
import { publicError, type ErrorCode } from "../core/errors";
import { isId } from "../core/ids";
import { INTERNAL } from "../core/limits";
import { encode, eventFrame, type RoomState } from "../core/protocol";
import { endsMembership, type RoomBus, type RoomEvent, type RoomSignal } from "../core/room-bus";
import type { Connection, Joining, Subscription } from "./connection";
import { RoomFeed } from "./feed";
import { Lanes } from "./lanes";
import { Replayer } from "./replay";

/** What the hub needs of the rest of the house. */
export interface HubDependencies {
  bus: RoomBus;
  /** One frame to every live reader of the room, at once, by the engine. */
  publish(room: string, frame: string): void;
  access(user: string, rooms: string[]): Promise<RoomAccess[]>;
  heads(room: string): Promise<LogHead>;
  range(room: string, after: number, maxBytes: number): Promise<LogRange>;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Milliseconds since 1970. */
  time(): number;
  delivered(count: number): void;
  replayed(outcome: "live" | "replayed" | "reset"): void;
}

interface Room {
  feed: RoomFeed;
  readers: Set<Connection>;
  /** Readers that are still catching up. */
  replaying: Set<Connection>;
  /** Resolves to what ends the interest in the bus. */
  leave: Promise<() => void>;
  /** Monotonic milliseconds since nobody reads; null while somebody does. */
  emptySince: number | null;
}

/** Milliseconds a room without readers is kept: reconnects then cost no read of the log. */
const LINGER = 60_000;
/** Gaps that are healed, and users whose rights are looked at again, at once: after an outage every room may have some. */
const HEALS = 32;
/** Longest joined frame; above it the engine would leave its batching. */
const FRAME = 15 * 1024;

/** Where rooms and sockets meet: who reads what, and what they get. No entry passes through here once per reader. */
export class Hub {
  private readonly rooms = new Map<string, Room>();
  /** Connections whose subscription to a room is being decided. */
  private readonly joiners = new Map<string, Set<Connection>>();

  private readonly replayer: Replayer;
  private readonly lanes = new Lanes(HEALS);

  constructor(private readonly with_: HubDependencies) {
    this.replayer = new Replayer({
      feed: id => this.rooms.get(id)?.feed,
      range: with_.range,
      done: (id, connection) => this.rooms.get(id)?.replaying.delete(connection),
    });
  }

  get size(): number {
    return this.rooms.size;
  }

  /** The rooms that are followed here, with or without readers. */
  feeds(): RoomFeed[] {
    return Array.from(this.rooms.values(), ({ feed }) => feed);
  }

  feed(room: string): RoomFeed | undefined {
    return this.rooms.get(room)?.feed;
  }

  /** Readers of a room, and how many of them are still catching up. */
  readers(room: string): { readers: number; replaying: number } {
    const { readers, replaying } = this.rooms.get(room) ?? {};
    return { readers: readers?.size ?? 0, replaying: replaying?.size ?? 0 };
  }

  /**
   * Decides about subscriptions: position first, then access, so that whoever is cut meanwhile is not let in. Follow with
   * `admit` in the same tick as the answer. One at a time for a connection: what passes meanwhile is marked once a room.
   */
  async prepare(connection: Connection, user: string, rooms: readonly string[]): Promise<Map<string, RoomAccess>> {
    const wanted = [...new Set(rooms)].filter(room => isId(room));
    for (const room of wanted) {
      connection.joining.set(room, {});
      this.joiners.set(room, (this.joiners.get(room) ?? new Set()).add(connection));
    }
    const known = wanted.filter(room => this.rooms.has(room));
    const allowed = await this.ask(user, wanted);
    const fresh = wanted.filter(room => !known.includes(room) && !allowed.get(room)?.denied);
    const opened = wanted.filter(room => !allowed.get(room)?.denied).map(room => this.open(room));
    await Promise.all(opened.map(room => room.feed.ready.catch(() => undefined)));
    // What was not followed while access was asked for is asked again: nothing may slip between the two.
    if (fresh.length > 0) for (const [room, access] of await this.ask(user, fresh)) allowed.set(room, access);
    return allowed;
  }

  /** Ends a preparation that took too long: nothing is registered. */
  abandon(connection: Connection, rooms: readonly string[]): void {
    for (const room of rooms) this.joined(connection, room);
  }

  /** For readers that know of offsets we do not: looks whether the log is that far. */
  async reach(from: ReadonlyMap<string, number>): Promise<void> {
    const behind = [...from].filter(([room, offset]) => offset > (this.rooms.get(room)?.feed.head.offset ?? offset));
    await Promise.all(
      behind.map(([room]) =>
        this.rooms
          .get(room)
          ?.feed.catchUp()
          .catch(() => undefined),
      ),
    );
  }

  /** Registers what was prepared and says how each room goes on. Nothing is sent to the socket by it. */
  admit(
    connection: Connection,
    rooms: readonly string[],
    allowed: ReadonlyMap<string, RoomAccess>,
    from: ReadonlyMap<string, number | null>,
    sameEpoch: boolean,
  ): Record<string, RoomState> {
    // Names come from outside: without a prototype none of them is special.
    const states = Object.create(null) as Record<string, RoomState>;
    for (const id of rooms) {
      const access = allowed.get(id);
      const joining = this.joined(connection, id);
      const room = this.rooms.get(id);
      const member = joining?.member ?? access?.role != null;
      const closed =
        joining?.closed === "all" || (joining?.closed === "strangers" && !member) ? "NOT_FOUND" : undefined;
      const denied = joining?.denied ?? access?.denied ?? closed ?? (access ? undefined : "NOT_FOUND");
      if (denied || !access || !room || room.feed.head.offset < 0) {
        // What was subscribed before under other rights ends with them.
        this.leave(connection, id);
        states[id] = { state: "denied", code: denied ?? "UNAVAILABLE" };
        continue;
      }
      states[id] = this.enter(connection, room, access, member, from.get(id) ?? null, sameEpoch);
    }
    return states;
  }

  /** Lets the admitted rooms run: after the answer was sent, in the same tick. */
  run(connection: Connection, rooms: readonly string[]): void {
    for (const id of rooms) {
      const subscription = connection.rooms.get(id);
      if (!subscription) continue;
      if (subscription.cursor === null) connection.socket.subscribe(id);
      else if (!connection.replaying.includes(id)) connection.replaying.push(id);
      if (subscription.cursor !== null) this.rooms.get(id)?.replaying.add(connection);
    }
    void this.replayer.pump(connection);
  }

  leave(connection: Connection, id: string): void {
    if (!connection.rooms.delete(id)) return;
    connection.socket.unsubscribe(id);
    const room = this.rooms.get(id);
    room?.readers.delete(connection);
    room?.replaying.delete(connection);
    if (room?.readers.size === 0) room.emptySince = this.with_.now();
  }

  close(connection: Connection): void {
    for (const id of [...connection.rooms.keys()]) this.leave(connection, id);
    for (const id of [...connection.joining.keys()]) this.joined(connection, id);
  }

  /** Goes on with replays when the socket has taken what was sent. */
  drained(connection: Connection): void {
    void this.replayer.pump(connection);
  }

  /** Forgets rooms that nobody came back to. */
  sweep(): void {
    const now = this.with_.now();
    for (const [id, room] of this.rooms) {
      if (room.emptySince === null || now - room.emptySince < LINGER) continue;
      this.rooms.delete(id);
      room.leave.then(leave => leave(), ignore);
    }
  }

  private async ask(user: string, rooms: string[]): Promise<Map<string, RoomAccess>> {
    if (rooms.length === 0) return new Map();
    try {
      return new Map((await this.with_.access(user, rooms)).map(access => [access.room, access]));
    } catch (error) {
      const { code } = publicError(error);
      const denied = code === "INTERNAL" || code === "UNKNOWN_OUTCOME" ? "UNAVAILABLE" : code;
      return new Map(rooms.map(room => [room, { room, denied, role: null, visibleFrom: 0 }]));
    }
  }

  private open(id: string): Room {
    const there = this.rooms.get(id);
    if (there) return there;
    const { bus, now } = this.with_;
    const leave = bus.subscribe(id, packet => {
      if (packet.type === "signal") this.signal(id, packet.signal);
      else room.feed.receive(packet);
    });
    const feed = new RoomFeed(id, {
      heads: async () => {
        await leave;
        return this.with_.heads(id);
      },
      range: (name, after, maxBytes) => this.with_.range(name, after, maxBytes),
      entries: events => this.entries(room, events),
      skipped: head => this.skipped(room, head),
      heal: work => this.lanes.run(work),
      now,
      time: this.with_.time,
    });
    const room: Room = { feed, leave, readers: new Set(), replaying: new Set(), emptySince: now() };
    this.rooms.set(id, room);
    feed.ready.catch(() => {
      // Without a head there is no order to keep: whoever comes next tries anew.
      if (this.rooms.get(id) === room) this.rooms.delete(id);
      leave.then(end => end(), ignore);
    });
    return room;
  }

  private enter(
    connection: Connection,
    room: Room,
    access: RoomAccess,
    member: boolean,
    from: number | null,
    sameEpoch: boolean,
  ): RoomState {
    const { offset, seq, floor } = room.feed.head;
    const subscription: Subscription = { member, open: access.open === true, cursor: null, replayed: 0 };
    let state: "live" | "replayed" | "reset" = "live";
    if (from !== null && (!sameEpoch || from > offset || from < floor - 1 || from < access.visibleFrom))
      state = "reset";
    else if (from !== null && offset - from > INTERNAL.replayEntries) state = "reset";
    else if (from !== null && from < offset) state = "replayed";
    if (state === "replayed") subscription.cursor = from;
    // Subscribing again starts the room anew; the engine's subscription is set when it runs.
    connection.socket.unsubscribe(room.feed.room);
    connection.rooms.set(room.feed.room, subscription);
    room.readers.add(connection);
    room.emptySince = null;
    this.with_.replayed(state);
    return { offset, seq, state };
  }

  private entries(room: Room, events: readonly RoomEvent[]): void {
    const id = room.feed.room;
    let frames: string[] = [];
    let length = 0;
    const flush = (): void => {
      if (frames.length > 0 && room.readers.size > 0) {
        this.with_.publish(id, frames.length === 1 ? (frames[0] as string) : frames.join("\n"));
        this.with_.delivered(frames.length * room.readers.size);
      }
      frames = [];
      length = 0;
    };
    for (const event of events) {
      const frame = eventFrame(id, event.offset, event.kind, event.data);
      if (length + frame.length > FRAME) flush();
      frames.push(frame);
      length += frame.length;
      if (event.member) {
        // The cut is this offset: the one concerned gets this entry and none after it.
        flush();
        this.member(room, event.member);
      } else if (event.kind === "room") {
        flush();
        this.settings(room, event.data);
      }
    }
    flush();
    for (const connection of room.replaying) void this.replayer.pump(connection);
  }

  private member(room: Room, { user, change }: NonNullable<RoomEvent["member"]>): void {
    const id = room.feed.room;
    const ends = endsMembership(change);
    for (const connection of this.connectionsOf(user)) {
      const joining = connection.joining.get(id);
      if (joining && change === "join") joining.member = true;
      if (joining && ends) joining.member = false;
      if (joining && ends && change !== "leave") joining.denied = "FORBIDDEN";
      const subscription = connection.rooms.get(id);
      if (!subscription) continue;
      if (change === "join") subscription.member = true;
      if (!ends) continue;
      subscription.member = false;
      if (change !== "leave" || !subscription.open)
        this.cut(connection, id, subscription.open ? "FORBIDDEN" : "NOT_FOUND");
    }
  }

  /** A room that became private or is gone is cut from those who may no longer read it. */
  private settings(room: Room, data: string): void {
    const { isPrivate = true, deletedAt } = JSON.parse(data) as { isPrivate?: boolean; deletedAt?: string };
    for (const connection of this.joiners.get(room.feed.room) ?? []) {
      const joining = connection.joining.get(room.feed.room);
      if (joining) joining.closed = deletedAt !== undefined ? "all" : isPrivate ? "strangers" : undefined;
    }
    for (const connection of [...room.readers]) {
      const subscription = connection.rooms.get(room.feed.room);
      if (!subscription) continue;
      if (deletedAt !== undefined || (isPrivate && !subscription.member))
        this.cut(connection, room.feed.room, "NOT_FOUND");
      else subscription.open = !isPrivate;
    }
  }

  /** Ends the time in which events leave their mark on a subscription that is being decided. */
  private joined(connection: Connection, id: string): Joining | undefined {
    const joining = connection.joining.get(id);
    connection.joining.delete(id);
    const joiners = this.joiners.get(id);
    joiners?.delete(connection);
    if (joiners?.size === 0) this.joiners.delete(id);
    return joining;
  }

  private cut(connection: Connection, id: string, code: ErrorCode): void {
    this.leave(connection, id);
    connection.reply(encode({ t: "unsub", room: id, code }));
    connection.flush();
  }

  private skipped(room: Room, { offset }: { offset: number }): void {
    const id = room.feed.room;
    for (const connection of room.readers) {
      const subscription = connection.rooms.get(id);
      if (subscription) subscription.cursor = null;
      connection.socket.subscribe(id);
    }
    this.with_.publish(id, encode({ t: "reset", room: id, offset }));
    // Somebody may have lost his rights in what was skipped, and no entry will cut him any more.
    for (const user of new Set(Array.from(room.readers, ({ user = "" }) => user)))
      void this.lanes.run(() => this.recheck(room, user));
  }

  /** Cuts a user who may not read a room any more, or of whom that is not known. */
  private async recheck(room: Room, user: string): Promise<void> {
    const id = room.feed.room;
    const access = (await this.ask(user, [id])).get(id);
    for (const connection of this.connectionsOf(user)) {
      const subscription = connection.rooms.get(id);
      if (!subscription) continue;
      if (!access || access.denied) this.cut(connection, id, access?.denied ?? "NOT_FOUND");
      else Object.assign(subscription, { member: access.role !== null, open: access.open === true });
    }
  }

  private signal(id: string, signal: RoomSignal): void {
    if (!this.rooms.get(id)?.readers.size) return;
    if (signal.type !== "typing") {
      const { type, user, seq } = signal;
      return this.with_.publish(id, encode({ t: type, room: id, user, seq }));
    }
    // Typing reaches the others only: one's own sockets step aside for this one publish.
    const own = this.connectionsOf(signal.user).filter(connection => connection.rooms.get(id)?.cursor === null);
    for (const { socket } of own) socket.unsubscribe(id);
    this.with_.publish(id, encode({ t: "typing", room: id, user: signal.user, on: signal.on }));
    for (const { socket } of own) socket.subscribe(id);
  }

  private connectionsOf(user: string): Connection[] {
    return [...(this.users.get(user) ?? [])];
  }

  /** Connections by user, kept by the gateway. */
  readonly users = new Map<string, Set<Connection>>();
}

const ignore = (): void => undefined;
