import { encode, entryFrame } from "../core/protocol";
import type { RoomEvent, RoomSignal } from "../core/room-bus";
import { isLive, type Connection } from "./connection";
import type { Room } from "./followed-rooms";
import type { Memberships } from "./memberships";
import type { Replayer } from "./replay";
import { ToldMarks } from "./told-marks";

export interface FanOutDependencies {
  /** One frame to every live reader of the room, at once, by the engine. */
  publish(room: string, frame: string): void;
  delivered(count: number): void;
  connectionsOf(user: string): Connection[];
}

/** Longest joined frame; above it the engine would leave its batching. */
const FRAME = 15 * 1024;

/** Passes on what comes to a room: once a room, never once a reader. */
export class FanOut {
  constructor(
    private readonly with_: FanOutDependencies,
    private readonly memberships: Memberships,
    private readonly replayer: Replayer,
  ) {}

  /** Entries in order of offset, joined into few frames; what they say about rights holds from their offset on. */
  entries(room: Room, events: readonly RoomEvent[]): void {
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
      const frame = entryFrame(id, event);
      if (length + frame.length > FRAME) flush();
      frames.push(frame);
      length += frame.length;
      if (event.member) {
        // The cut is this offset: the one concerned gets this entry and none after it.
        flush();
        this.memberships.member(id, event.offset, event.member);
      } else if (event.kind === "room") {
        flush();
        this.memberships.settings(id, room.readers, event.data);
      } else if (event.target && room.replaying) {
        this.memberships.changed(id, room.replaying, event.kind, event.target.offset);
      }
    }
    flush();
    for (const connection of room.replaying ?? []) void this.replayer.pump(connection);
  }

  signal(room: Room, signal: RoomSignal): void {
    const { feed, readers } = room;
    const id = feed.room;
    if (readers.size === 0) return;
    if (signal.type !== "typing") {
      const { type, user, seq } = signal;
      room.marks ??= new ToldMarks();
      if (room.marks.moves(signal)) this.with_.publish(id, encode({ t: type, room: id, user, seq }));
      return;
    }
    // Typing reaches the others only: one's own sockets step aside for this one publish.
    const own = this.with_.connectionsOf(signal.user).filter(connection => {
      const subscription = connection.rooms.get(id);
      return subscription !== undefined && isLive(subscription);
    });
    for (const { socket } of own) socket.unsubscribe(id);
    this.with_.publish(id, encode({ t: "typing", room: id, user: signal.user, on: signal.on }));
    for (const { socket } of own) socket.subscribe(id);
  }
}
