import { encode, entryFrame } from "../core/protocol";
import { endsMembership, type RoomEvent, type RoomSignal } from "../core/room-bus";
import type { Bumps } from "./bumps";
import { isLive, type Connection } from "./connection";
import type { Room } from "./followed-rooms";
import { holdBack } from "./late-readers";
import type { Memberships } from "./memberships";
import type { Replayer } from "./replay";
import { ToldMarks } from "./told-marks";
import { Typists } from "./typists";

export interface FanOutDependencies {
  /** One frame to every live reader of the room, at once, by the engine. */
  publish(room: string, frame: string): void;
  delivered(count: number): void;
  connectionsOf(user: string): Connection[];
  /** Milliseconds, monotonic. */
  now(): number;
}

/** Longest joined frame; above it the engine would leave its batching. */
const FRAME = 15 * 1024;

/** Passes on what comes to a room: once a room, never once a reader. */
export class FanOut {
  private readonly typists: Typists;

  constructor(
    private readonly with_: FanOutDependencies,
    private readonly memberships: Memberships,
    private readonly replayer: Replayer,
    private readonly bumps: Bumps,
  ) {
    this.typists = new Typists(with_.now);
  }

  /** Entries in order of offset, joined into few frames; what they say about rights holds from their offset on. */
  entries(room: Room, events: readonly RoomEvent[]): void {
    const id = room.feed.room;
    if (room.late) holdBack(room, events);
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
        const { user, change, muted } = event.member;
        if (change === "mute" || muted) (room.hushed ??= new Set()).add(user);
        if (change === "unmute") room.hushed?.delete(user);
        if ((endsMembership(change) || change === "mute") && this.typists.ended(room, user))
          this.typing(room, user, false);
        this.memberships.member(id, event.offset, event.member);
      } else if (event.kind === "room") {
        flush();
        // It may be archived now.
        room.largeAt = -Infinity;
        this.memberships.settings(id, [...room.readers, ...(room.passive ?? [])], event.data);
      } else if (event.target && room.replaying) {
        this.memberships.changed(id, room.replaying, event.kind, event.target.offset);
      }
    }
    flush();
    this.bumps.moved(room);
    for (const connection of room.replaying ?? []) void this.replayer.pump(connection);
  }

  /** A large room is silent: what shows each of its members to all others would cost the square of them. */
  signal(room: Room, signal: RoomSignal): void {
    if (room.large) return;
    if (signal.type !== "typing") return this.mark(room, signal);
    const { user, on } = signal;
    if (on) this.typists.began(room, user);
    else if (!this.typists.ended(room, user)) return;
    this.typing(room, user, on);
  }

  /** Once a second: ends typing that nobody ended. */
  tick(): void {
    for (const { room, user } of this.typists.late()) {
      this.typists.ended(room, user);
      this.typing(room, user, false);
    }
  }

  private mark(room: Room, signal: Exclude<RoomSignal, { type: "typing" }>): void {
    if (room.readers.size === 0) return;
    const { type, user, seq } = signal;
    const id = room.feed.room;
    room.marks ??= new ToldMarks();
    if (room.marks.moves(signal)) this.with_.publish(id, encode({ t: type, room: id, user, seq }));
  }

  /** Reaches the others only: one's own sockets step aside for this one publish. */
  private typing(room: Room, user: string, on: boolean): void {
    if (room.readers.size === 0) return;
    const id = room.feed.room;
    const own = this.with_.connectionsOf(user).filter(connection => {
      const subscription = connection.rooms.get(id);
      return subscription !== undefined && isLive(subscription);
    });
    for (const { socket } of own) socket.unsubscribe(id);
    this.with_.publish(id, encode({ t: "typing", room: id, user, on }));
    for (const { socket } of own) socket.subscribe(id);
  }
}
