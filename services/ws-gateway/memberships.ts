import type { ErrorCode } from "../core/errors";
import { INTERNAL } from "../core/limits";
import { endsMembership, type RoomEvent } from "../core/room-bus";
import type { Connection, Subscription } from "./connection";
import { PendingRights } from "./rights";

export interface MembershipDependencies {
  connectionsOf(user: string): Connection[];
  /** Ends a subscription and says so. */
  cut(connection: Connection, room: string, code: ErrorCode): void;
  /** Gives a reader nothing more until it is known whether he may still read. */
  suspend(connection: Connection, room: string): void;
  /** He sees what there is from that offset on, as of the entry `at`. */
  sees(connection: Connection, room: string, visibleFrom: number, at: number): void;
  /** Gives a reader nothing after the entry `at` until it is known from where on he sees. */
  review(connection: Connection, room: string, at: number): void;
}

/** Applies what a room's entries say about rights: to who reads it, and to who is about to. */
export class Memberships {
  /** Connections whose subscription to a room is being decided. */
  private readonly joiners = new Map<string, Map<Connection, PendingRights>>();

  constructor(private readonly with_: MembershipDependencies) {}

  /** From now on entries leave their mark on a subscription that is being decided. */
  begin(connection: Connection, room: string): void {
    this.joiners.set(room, (this.joiners.get(room) ?? new Map()).set(connection, new PendingRights()));
  }

  /** Ends that time. */
  end(connection: Connection, room: string): PendingRights | undefined {
    const joiners = this.joiners.get(room);
    const pending = joiners?.get(connection);
    joiners?.delete(connection);
    if (joiners?.size === 0) this.joiners.delete(room);
    return pending;
  }

  /** Somebody's subscription to the room is being decided. */
  awaited(room: string): boolean {
    return this.joiners.has(room);
  }

  private joining(room: string): Iterable<PendingRights> {
    return this.joiners.get(room)?.values() ?? [];
  }

  /** Entries were skipped. */
  skipped(room: string): void {
    for (const pending of this.joining(room)) pending.skipped();
  }

  member(room: string, offset: number, member: NonNullable<RoomEvent["member"]>): void {
    const { user, change, role } = member;
    for (const connection of this.with_.connectionsOf(user)) {
      this.joiners.get(room)?.get(connection)?.changed(offset, member);
      const subscription = connection.rooms.get(room);
      // Who is added again subscribes again: what ends goes no further for it.
      if (!subscription || subscription.ending) continue;
      if (subscription.pending) subscription.pending.changed(offset, member);
      else if (change === "join") {
        connection.own(room).member = true;
        // He reads it because everybody may, and so do its members; only a guest sees less from now on.
        this.with_.sees(connection, room, role === "guest" ? offset : 0, offset);
      } else if (endsMembership(change)) {
        const own = connection.own(room);
        own.member = false;
        if (change !== "leave" || !own.open) this.takeOut(connection, room, own, offset);
        else this.with_.sees(connection, room, 0, offset);
      } else if (change === "role" && role !== "guest" && subscription.visibleFrom > 0)
        this.with_.review(connection, room, offset);
    }
  }

  /** Live readers have got the entry that takes them out; those who are behind get it as the last of their replay. */
  private takeOut(connection: Connection, room: string, subscription: Subscription, at: number): void {
    const code = subscription.open ? "FORBIDDEN" : "NOT_FOUND";
    if (subscription.cursor === null) this.with_.cut(connection, room, code);
    else subscription.ending = { at, code, changed: new Set() };
  }

  /** A message was changed: what it shows now is not for those who were taken out before. */
  changed(room: string, replaying: Iterable<Connection>, kind: RoomEvent["kind"], target: number): void {
    for (const connection of replaying) {
      const ending = connection.rooms.get(room)?.ending;
      if (!ending || target > ending.at) continue;
      // A deleted one shows nothing, so anybody may see that.
      if (kind === "delete") ending.changed.delete(target);
      // One more than are replayed: then the rest of the replay is given up.
      else if (ending.changed.size <= INTERNAL.replayEntries) ending.changed.add(target);
    }
  }

  /**
   * A room that is gone is cut from all, one that became private from those who are no members. These are asked for: not
   * every join of a public channel is an entry.
   */
  settings(room: string, readers: readonly Connection[], data: string): void {
    const { isPrivate = true, deletedAt } = JSON.parse(data) as { isPrivate?: boolean; deletedAt?: string };
    const deleted = deletedAt !== undefined;
    const nowFor = ({ browses }: Connection) => ({ open: !isPrivate && browses, deleted });
    for (const [connection, pending] of this.joiners.get(room) ?? []) pending.settings(nowFor(connection));
    for (const connection of readers) {
      const now = nowFor(connection);
      const subscription = connection.rooms.get(room);
      if (!subscription) continue;
      if (subscription.pending) subscription.pending.settings(now);
      else if (subscription.ending && !now.deleted) continue;
      else if (now.deleted) this.with_.cut(connection, room, "NOT_FOUND");
      else if (!now.open && !subscription.member) this.with_.suspend(connection, room);
      else if (subscription.open !== now.open) connection.own(room).open = now.open;
    }
  }
}
