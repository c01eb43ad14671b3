import type { RoomAccess } from "../core/contract";
import { publicError, type ErrorCode } from "../core/errors";
import { endsMembership, type RoomEvent } from "../core/room-bus";

/** What somebody may do in a room. */
export interface Rights {
  /** He may not read it; the answer to give. */
  denied?: ErrorCode | undefined;
  /** May send, type and mark there. */
  member: boolean;
  /** He may read it without being a member. */
  open: boolean;
  /** Messages up to this offset are not for him. */
  visibleFrom: number;
}

/**
 * Rights that are being asked for. Records end rights before the log says so and begin them after it, thus what the room's
 * entries tell meanwhile is never older than the answer and goes before it.
 */
export class PendingRights {
  private member: boolean | undefined;
  private open: boolean | undefined;
  private ended = false;
  /** A membership ended before the one that `came` began. */
  private left = false;
  private came: { offset: number; guest: boolean } | null = null;
  private raised = false;
  private deleted = false;
  private missed = false;

  /** An entry changes what he is. */
  changed(offset: number, { change, role }: NonNullable<RoomEvent["member"]>): void {
    if (change === "role" && role !== "guest") this.raised = true;
    if (change !== "join" && !endsMembership(change)) return;
    this.member = change === "join";
    this.ended = change === "remove" || change === "ban";
    this.came = this.member ? { offset, guest: role === "guest" } : null;
    if (!this.member) this.left = true;
  }

  /** Whether by now he may see more than an answer says that was given before; asked again, it says so no more. */
  outgrew(access: RoomAccess | undefined): boolean {
    const { raised } = this;
    this.raised = false;
    return raised && (access?.visibleFrom ?? 0) > 0;
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
    const visibleFrom = this.visibleFrom(access, open);
    return { member, open, visibleFrom, denied: this.denied(access, member, open) };
  }

  /** Where the answer may be older than his coming, he sees nothing from before it, but what everybody may. */
  private visibleFrom(access: RoomAccess | undefined, open: boolean): number {
    if (this.member === false) return 0;
    const { came } = this;
    if (!came || (access?.role != null && !this.left)) return access?.visibleFrom ?? 0;
    return open && !came.guest ? 0 : came.offset;
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
