import { encode } from "../core/protocol";
import type { Room } from "./followed-rooms";

/** The topic of those who read a room passively. No room's id has a space in it, and no wire has this name. */
export const bumpTopic = (room: string): string => `bump ${room}`;

/** How far a room is, and nothing of what happened in it. */
export function bumpOf({ feed }: Room): string {
  const { offset, seq } = feed.head;
  return encode({ t: "bump", room: feed.room, offset, seq });
}

/**
 * Tells passive readers how far their rooms are: of a quiet room at once, of a busy one once a tick, encoded once and
 * published by the engine. What they cost does not depend on what is said.
 */
export class Bumps {
  /** Rooms of which was told since the last tick, and whether they have moved again. */
  private readonly told = new Map<Room, boolean>();

  constructor(private readonly publish: (topic: string, frame: string) => void) {}

  /** The room has entries that its passive readers were not told of. */
  moved(room: Room): void {
    if (!room.passive) return;
    if (this.told.has(room)) return void this.told.set(room, true);
    this.tell(room);
  }

  /** Once a second. */
  tick(): void {
    for (const [room, again] of this.told)
      if (again && room.passive) this.tell(room);
      else this.told.delete(room);
  }

  private tell(room: Room): void {
    this.told.set(room, false);
    this.publish(bumpTopic(room.feed.room), bumpOf(room));
  }
}
