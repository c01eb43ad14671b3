import type { Room } from "./followed-rooms";

/** Milliseconds typing lasts from the last time it was told. */
export const TYPING = 6_000;

/**
 * Who is shown typing here. Each gateway ends what it shows by itself, so that nobody types for ever whose socket, or whose
 * gateway, is gone.
 */
export class Typists {
  /** When it was last told of each, monotonic milliseconds. */
  private readonly rooms = new Map<Room, Map<string, number>>();

  constructor(private readonly now: () => number) {}

  began(room: Room, user: string): void {
    this.rooms.set(room, (this.rooms.get(room) ?? new Map<string, number>()).set(user, this.now()));
  }

  /** False: nobody here was told that he types, or that is over. */
  ended(room: Room, user: string): boolean {
    const typists = this.rooms.get(room);
    const known = typists?.delete(user) ?? false;
    if (typists?.size === 0) this.rooms.delete(room);
    return known;
  }

  /** Those whose time is over. */
  late(): { room: Room; user: string }[] {
    const since = this.now() - TYPING;
    return [...this.rooms].flatMap(([room, typists]) =>
      [...typists].flatMap(([user, at]) => (at <= since ? { room, user } : [])),
    );
  }
}
