import type { RoomAccess } from "../core/contract";
import { publicError, type ErrorCode } from "../core/errors";
import { endsMembership, type MemberChange } from "../core/room-bus";

/** What somebody may do in a room. */
export interface Rights {
  /** He may not read it; the answer to give. */
  denied?: ErrorCode | undefined;
  /** May send, type and mark there. */
  member: boolean;
  /** He may read it without being a member. */
  open: boolean;
}

/**
 * Rights that are being asked for. Records end rights before the log says so and begin them after it, thus what the room's
 * entries tell meanwhile is never older than the answer and goes before it.
 */
export class PendingRights {
  private member: boolean | undefined;
  private open: boolean | undefined;
  private ended = false;
  private deleted = false;
  private missed = false;

  /** An entry changes what he is. */
  changed(change: MemberChange): void {
    if (change !== "join" && !endsMembership(change)) return;
    this.member = change === "join";
    this.ended = change === "remove" || change === "ban";
  }

  /** An entry changes the room. */
  settings({ open, deleted }: { open: boolean; deleted: boolean }): void {
    this.open = open;
    this.deleted = deleted;
  }

  /** Entries were skipped: an answer that is on its way may be older than they are. */
  skipped(): void {
    this.missed = true;
  }

  /** @param access the answer; undefined for what is no room */
  settle(access: RoomAccess | undefined): Rights {
    const member = this.member ?? access?.role != null;
    const open = this.open ?? access?.open === true;
    return { member, open, denied: this.denied(access, member, open) };
  }

  private denied(access: RoomAccess | undefined, member: boolean, open: boolean): ErrorCode | undefined {
    if (this.deleted || !access) return "NOT_FOUND";
    if (this.ended) return open ? "FORBIDDEN" : "NOT_FOUND";
    if (access.denied) return access.denied;
    if (this.missed) return "UNAVAILABLE";
    return member || open ? undefined : "NOT_FOUND";
  }
}

/** Access by room; where it cannot be found out, denied with the reason. Never rejects. */
export function askAccess(
  access: (user: string, browses: boolean, rooms: string[]) => Promise<RoomAccess[]>,
  { user, browses }: { user: string; browses: boolean },
  rooms: string[],
): Promise<Map<string, RoomAccess>> {
  if (rooms.length === 0) return Promise.resolve(new Map());
  return access(user, browses, rooms).then(byRoom, (error: unknown) => {
    const { code } = publicError(error);
    const denied = code === "INTERNAL" || code === "UNKNOWN_OUTCOME" ? "UNAVAILABLE" : code;
    return byRoom(rooms.map(room => ({ room, denied, role: null, visibleFrom: 0 })));
  });
}

function byRoom(answers: readonly RoomAccess[]): Map<string, RoomAccess> {
  const known = new Map<string, RoomAccess>();
  for (const answer of answers) known.set(answer.room, answer);
  return known;
}
