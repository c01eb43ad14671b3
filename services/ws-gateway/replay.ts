import type { LogRange } from "../core/contract";
import { INTERNAL } from "../core/limits";
import { entryFrame, resetFrame } from "../core/protocol";
import type { RoomEvent } from "../core/room-bus";
import type { Connection } from "./connection";
import type { RoomFeed } from "./feed";

/** Bytes a replay may be ahead of what the socket has taken. */
const AHEAD = 64 * 1024;

export interface ReplayDependencies {
  feed(room: string): RoomFeed | undefined;
  range(room: string, after: number, maxBytes: number): Promise<LogRange>;
  /** The connection is no longer behind in this room. */
  done(room: string, connection: Connection): void;
}

/** Sends what connections missed, room by room, never far ahead of what the socket takes; then the room goes live. */
export class Replayer {
  constructor(private readonly with_: ReplayDependencies) {}

  /** Goes on as far as the socket allows. May be called at any time. */
  async pump(connection: Connection): Promise<void> {
    if (connection.pumping) return;
    connection.pumping = true;
    try {
      for (let room = connection.replaying[0]; room !== undefined; room = connection.replaying[0]) {
        if (connection.closed || connection.socket.buffered > AHEAD) return;
        if (!(await this.chunk(connection, room))) continue;
        connection.replaying.shift();
        this.with_.done(room, connection);
      }
    } finally {
      connection.pumping = false;
    }
  }

  /** One chunk of one room. Returns true when the room is done with: live, or no longer subscribed. */
  private async chunk(connection: Connection, room: string): Promise<boolean> {
    const subscription = connection.rooms.get(room);
    const feed = this.with_.feed(room);
    if (!subscription || !feed || subscription.cursor === null) return true;
    const events = feed.recent(subscription.cursor) ?? (await this.read(room, subscription.cursor));
    // Another subscription in its place has its own replay.
    if (connection.rooms.get(room) !== subscription) return false;
    if (subscription.cursor === null) return true;
    let length = 0;
    const frames: string[] = [];
    for (const event of events ?? []) {
      // The log may be ahead of the bus: what the feed has yet to pass on, everybody gets from there, once.
      if (event.offset > feed.head.offset) break;
      const frame = entryFrame(room, event);
      frames.push(frame);
      length += frame.length;
      subscription.cursor = event.offset;
      if (length > AHEAD) break;
    }
    subscription.replayed += length;
    if (frames.length > 0) connection.socket.send(frames.join("\n"));
    const behind = subscription.cursor < feed.head.offset;
    const lost = events === null || (frames.length === 0 && behind) || subscription.replayed > INTERNAL.replayBytes;
    if (lost) connection.socket.send(resetFrame(room, feed.head.offset, room === connection.user));
    else if (behind) return false;
    subscription.cursor = null;
    connection.socket.subscribe(room);
    return true;
  }

  private async read(room: string, after: number): Promise<RoomEvent[] | null> {
    try {
      return (await this.with_.range(room, after, AHEAD)).events;
    } catch {
      return null;
    }
  }
}
