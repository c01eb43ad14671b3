import type { LogHead, LogRange } from "../core/contract";
import { entryFrame } from "../core/protocol";
import type { RoomBus, RoomEvent, RoomSignal } from "../core/room-bus";
import type { Connection } from "./connection";
import { RoomFeed, type FeedCounts } from "./feed";
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
  readers: Set<Connection>;
  /** Readers that are still catching up. */
  replaying: Set<Connection>;
  /** Made by the first mark that is told. */
  marks: ToldMarks | null;
  /** Resolves to what ends the interest in the bus. */
  leave: Promise<() => void>;
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

  constructor(private readonly with_: FollowedRoomsDependencies) {}

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
    const { bus, range, counts, now, time } = this.with_;
    const leave = bus.subscribe(id, packet => {
      if (packet.type === "signal") this.with_.signal(room, packet.signal);
      else room.feed.receive(packet);
    });
    const feed = new RoomFeed(id, {
      heads: async () => {
        await leave;
        return this.with_.heads(id);
      },
      range,
      counts,
      encode: event => entryFrame(id, event),
      entries: events => this.with_.entries(room, events),
      skipped: () => this.with_.skipped(room),
      heal: work => this.heals.run(work),
      now,
      time,
    });
    const room: Room = { feed, leave, readers: new Set(), replaying: new Set(), marks: null, emptySince: now() };
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
    if (this.rooms.get(room.feed.room) === room) this.rooms.delete(room.feed.room);
    room.leave.then(leave => leave(), ignore);
  }
}

const ignore = (): void => undefined;
