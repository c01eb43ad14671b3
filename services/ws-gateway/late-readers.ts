import type { RoomEvent } from "../core/room-bus";
import { isLive, type Connection } from "./connection";
import type { Room } from "./followed-rooms";
import { messageOf } from "./ring";

/**
 * Readers who do not see what was said before they came. Nearly all that happens is for them as for everybody, and reaches
 * them by the same publish. Where it tells of a message from before one came, he is behind for as long as that takes, and
 * what replays it to him leaves it out.
 */
export function holdBack(room: Room, events: readonly RoomEvent[]): void {
  const [next] = events;
  const first = Math.min(...events.map(messageOf));
  if (!next || first === Infinity) return;
  for (const connection of room.late ?? []) {
    const known = connection.rooms.get(room.feed.room);
    if (known && isLive(known) && known.visibleFrom >= first) fallBehind(room, connection, next.offset - 1);
  }
}

/** From the entry after the cursor on he gets what is replayed, until he has got all of it. */
export function fallBehind(room: Room, connection: Connection, cursor: number): void {
  const id = room.feed.room;
  connection.socket.unsubscribe(id);
  Object.assign(connection.own(id), { cursor, replayed: 0 });
  connection.replay(id);
  (room.replaying ??= new Set()).add(connection);
}
