import type { RoomSignal } from "../core/room-bus";

type MarkSignal = Exclude<RoomSignal, { type: "typing" }>;

/** Users of a room whose marks are remembered; who moved his last is forgotten last. */
const USERS = 256;

/**
 * How far the readers of a room were told that others are. Marks are moved by any node, and what two nodes tell of them may
 * overtake each other: for who reads, no mark falls.
 */
export class ToldMarks {
  private readonly users = new Map<string, { read: number; delivered: number }>();

  /** Whether the mark is further than what was told before; then it counts as told. */
  moves({ type, user, seq }: MarkSignal): boolean {
    const told = this.users.get(user) ?? { read: 0, delivered: 0 };
    if (seq <= told[type]) return false;
    told[type] = seq;
    this.users.delete(user);
    this.users.set(user, told);
    if (this.users.size > USERS) this.users.delete(this.users.keys().next().value as string);
    return true;
  }
}
