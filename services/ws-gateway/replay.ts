import type { ErrorCode } from "../core/errors";
import { INTERNAL } from "../core/limits";
import { resetFrame } from "../core/protocol";
import type { RoomEvent } from "../core/room-bus";
import type { ResetCause } from "../../config/metrics";
import type { Connection } from "./connection";
import type { Socket } from "./engine";
import type { RoomFeed } from "./feed";
import type { Framed } from "./ring";

/** Bytes a replay may be ahead of what the socket has taken. */
const AHEAD = 64 * 1024;
const NEWLINE = Buffer.from("\n");

export interface ReplayDependencies {
  feed(room: string): RoomFeed | undefined;
  /** The connection is no longer behind in this room. */
  done(room: string, connection: Connection): void;
  /** It has got what it was to get of a room that its user was taken out of. */
  ended(connection: Connection, room: string, code: ErrorCode): void;
  /** It has to fetch the room anew. */
  reset(cause: ResetCause): void;
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
        // By halves: whoever takes a little at a time must not cost a read for each.
        if (connection.closed || connection.socket.buffered > AHEAD / 2) return;
        await this.chunk(connection, room);
      }
    } finally {
      connection.pumping = false;
    }
  }

  /** The room is live from here on, or no longer subscribed. In the same tick: what passes next may put it behind again. */
  private finish(connection: Connection, room: string): void {
    connection.replaying = connection.replaying.slice(1);
    this.with_.done(room, connection);
  }

  /** One chunk of one room. */
  private async chunk(connection: Connection, room: string): Promise<void> {
    const before = connection.rooms.get(room);
    const feed = this.with_.feed(room);
    if (!before || !feed || before.cursor === null) return this.finish(connection, room);
    const { cursor } = before;
    const entries = feed.recent(cursor) ?? (await feed.older(cursor).catch(() => null));
    // Another subscription in its place has its own replay.
    if (connection.closed || connection.rooms.get(room) !== before) return;
    if (before.cursor === null) return this.finish(connection, room);
    const subscription = connection.own(room);
    const { ending, visibleFrom } = subscription;
    const offset = ending?.at ?? feed.head.offset;
    const shown = visibleFrom > 0 ? entries?.map(entry => entry.seenFrom(visibleFrom)) : entries;
    const sent = send(connection.socket, room, cursor, offset, shown ?? [], ending?.changed);
    subscription.replayed += sent.bytes;
    const cause = entries === null ? "log" : whyNot(sent, cursor, offset, subscription.replayed);
    if (cause) {
      this.with_.reset(cause);
      connection.socket.send(resetFrame(room, offset, room === connection.user));
    } else if (sent.cursor < offset) {
      subscription.cursor = sent.cursor;
      return;
    }
    subscription.cursor = null;
    this.finish(connection, room);
    if (ending) this.with_.ended(connection, room, ending.code);
    else connection.socket.subscribe(room);
  }
}

/** Why nothing can be replayed to a reader after an offset; null if it can. */
export function resetCause(
  from: number,
  room: { offset: number; floor: number; visibleFrom: number; sameEpoch: boolean },
): ResetCause | null {
  if (!room.sameEpoch) return "epoch";
  if (from > room.offset) return "ahead";
  if (from < room.floor - 1) return "floor";
  if (from < room.visibleFrom) return "hidden";
  return room.offset - from > INTERNAL.replayEntries ? "behind" : null;
}

interface Sent {
  /** Offset of the last entry that was sent. */
  cursor: number;
  bytes: number;
  /** The next entry is not there. */
  hole: boolean;
  /** The next entry shows what the reader may not see. */
  hidden: boolean;
}

const NOTHING: ReadonlySet<number> = new Set();

/** Whether an entry shows one of the messages that were changed since the reader's end. Too many are not told apart. */
const showsChanged = ({ offset, kind, target }: RoomEvent, changed: ReadonlySet<number>): boolean =>
  changed.size > INTERNAL.replayEntries ||
  changed.has(offset) ||
  (target !== undefined && kind !== "reaction" && changed.has(target.offset));

/** Sends entries after a cursor up to a head, as many as the socket may be ahead by, at least one if it has taken all. */
function send(
  socket: Socket,
  room: string,
  after: number,
  head: number,
  entries: readonly Framed[],
  changed: ReadonlySet<number> = NOTHING,
): Sent {
  const most = AHEAD - socket.buffered;
  const ready: Framed[] = [];
  const sent = { cursor: after, bytes: 0, hole: false, hidden: false };
  for (const entry of entries) {
    // The log may be ahead of the bus: what the feed has yet to pass on, everybody gets from there, once.
    if (entry.event.offset > head) break;
    sent.hole = entry.event.offset !== sent.cursor + 1;
    sent.hidden = showsChanged(entry.event, changed);
    if (sent.hole || sent.hidden || (ready.length > 0 && sent.bytes + entry.bytes.length > most)) break;
    ready.push(entry);
    sent.bytes += entry.bytes.length + 1;
    sent.cursor = entry.event.offset;
  }
  if (ready.length === 0) return sent;
  if (socket.entries) socket.entries(room, ready);
  else socket.send(joined(ready));
  return sent;
}

function joined(entries: readonly Framed[]): Buffer {
  const [first, ...more] = entries.map(({ bytes }) => bytes);
  if (!first || more.length === 0) return first ?? Buffer.alloc(0);
  return Buffer.concat([first, ...more.flatMap(bytes => [NEWLINE, bytes])]);
}

/** Why a replay cannot go on; null if it can. */
function whyNot({ cursor, hole, hidden }: Sent, before: number, head: number, replayed: number): ResetCause | null {
  if (hole) return "floor";
  if (hidden) return "hidden";
  if (replayed > INTERNAL.replayBytes) return "behind";
  return cursor === before && before < head ? "log" : null;
}
