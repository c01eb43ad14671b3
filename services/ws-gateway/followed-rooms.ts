import type { LogHead, LogRange } from "../core/contract";
import { Few } from "../core/few";
import { entryFrame } from "../core/protocol";
import type { RoomBus, RoomEvent, RoomSignal } from "../core/room-bus";
import type { Connection } from "./connection";
import { RoomFeed, type FeedCounts, type FeedDependencies } from "./feed";
import { Lanes } from "./lanes";
import type { ToldMarks } from "./told-marks";

export interface FollowedRoomsDependencies {
  bus: RoomBus;
  heads(room: string): Promise<LogHead>;
  range(room: string, after: number, maxBytes: number): Promise<LogRange>;
  counts: FeedCounts;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Milliseconds since 1970. */
  time(): number;
  /** Told of a room's entries in order of offset, without a hole, once each. */
  entries(room: Room, events: readonly RoomEvent[]): void;
  /** Entries were skipped. */
  skipped(room: Room): void;
  signal(room: Room, signal: RoomSignal): void;
  /** Somebody is about to read the room. */
  awaited(room: string): boolean;
}

/** A room that is followed, and who reads it. */
export interface Room {
  feed: RoomFeed;
  readers: Few<Connection>;
  /** Who reads it passively; the two have nobody in common. Null while there is nobody. */
  passive: Few<Connection> | null;
  /** Of the readers, those who do not see what was said before they came. Null while there are none. */
  late: Few<Connection> | null;
  /** As its owner last said here, and when, monotonic milliseconds: a matter of cost, never of rights. */
  large: boolean;
  /** Whether it is a direct room; false until that was said. */
  direct: boolean;
  largeAt: number;
  /** Of whose voice here the owner is asked whenever they would be heard: they are or were muted. Null: of nobody's. */
  hushed: Set<string> | null;
  /** Readers that are still catching up; null while there are none. */
  replaying: Set<Connection> | null;
  /** Made by the first mark that is told. */
  marks: ToldMarks | null;
  /** Ends the interest in the bus; null until it is known. */
  leave: (() => void) | null;
  /** Monotonic milliseconds since nobody reads; null while somebody does. */
  emptySince: number | null;
}

/** Milliseconds a room without readers is kept: reconnects then cost no read of the log. */
const LINGER = 60_000;
/** Gaps that are healed at once: after an outage every room may have one. */
const HEALS = 32;

/** The rooms this gateway follows: from the first who wants to read one until a while after the last. */
export class FollowedRooms {
  private readonly rooms = new Map<string, Room>();
  private readonly heals = new Lanes(HEALS);
  private readonly feedsWith: FeedDependencies;

  constructor(private readonly with_: FollowedRoomsDependencies) {
    const { heads, range, counts, now, time } = with_;
    this.feedsWith = {
      heads,
      range,
      counts,
      encode: entryFrame,
      entries: (feed, events) => this.of(feed, room => with_.entries(room, events)),
      skipped: feed => this.of(feed, room => with_.skipped(room)),
      heal: work => this.heals.run(work),
      now,
      time,
    };
  }

  get size(): number {
    return this.rooms.size;
  }

  get(id: string): Room | undefined {
    return this.rooms.get(id);
  }

  /** With or without readers. */
  feeds(): RoomFeed[] {
    return Array.from(this.rooms.values(), ({ feed }) => feed);
  }

  open(id: string): Room {
    const there = this.rooms.get(id);
    if (there) return there;
    const { bus, now } = this.with_;
    const interest = bus.subscribe(id, packet => {
      if (packet.type === "signal") this.with_.signal(room, packet.signal);
      else room.feed.receive(packet);
    });
    const feed = new RoomFeed(id, this.feedsWith, interest);
    const nobody = { readers: new Few<Connection>(), passive: null, late: null, replaying: null, marks: null };
    const room: Room = {
      feed,
      ...nobody,
      large: false,
      direct: false,
      largeAt: -Infinity,
      hushed: null,
      leave: null,
      emptySince: now(),
    };
    interest.then(leave => {
      if (this.rooms.get(id) === room) room.leave = leave;
      else leave();
    }, ignore);
    this.rooms.set(id, room);
    // Without a head there is no order to keep: whoever comes next tries anew.
    feed.ready.catch(() => this.drop(room));
    return room;
  }

  /** For readers that know of offsets we do not: goes as far as the log. Resolves to the rooms where that failed. */
  async reach(from: ReadonlyMap<string, number>): Promise<string[]> {
    const failed: string[] = [];
    const reach = async (id: string, offset: number): Promise<void> => {
      const feed = this.rooms.get(id)?.feed;
      if (!feed || offset <= feed.head.offset) return;
      await feed.catchUp().catch(() => failed.push(id));
    };
    await Promise.all(Array.from(from, ([id, offset]) => reach(id, offset)));
    return failed;
  }

  /** Forgets rooms that nobody came back to. */
  sweep(): void {
    const now = this.with_.now();
    for (const [id, room] of this.rooms)
      if (room.emptySince !== null && now - room.emptySince >= LINGER && !this.with_.awaited(id)) this.drop(room);
  }

  private drop(room: Room): void {
    if (this.rooms.get(room.feed.room) !== room) return;
    this.rooms.delete(room.feed.room);
    room.leave?.();
  }

  /** The room of a feed, unless it was forgotten meanwhile. */
  private of(feed: RoomFeed, work: (room: Room) => void): void {
    const room = this.rooms.get(feed.room);
    if (room?.feed === feed) work(room);
  }
}

const ignore = (): void => undefined;
