import type { Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import { ROOM_ROLES } from "../core/permissions";
import { isMuted } from "./access";
import type { RoomChange, StoredMember } from "./room";

/** Of users those who are there and not deactivated. */
export type Present = (users: string[]) => Promise<string[]>;

/** Members of one role who are looked at, the longest-standing first. */
const LOOKED_AT = 100;

/** Whose a room is when its owners go. */
export class Succession {
  constructor(
    private readonly members: Documents<StoredMember>,
    private readonly clock: Clock,
    readonly present: Present,
  ) {}

  /** Ends memberships of one room; where its last owner goes, somebody else is owner then. */
  async takingOut(out: readonly StoredMember[], change: "leave" | "remove"): Promise<RoomChange[]> {
    const owners = out.filter(({ role }) => role === "owner");
    const others = out.filter(({ role }) => role !== "owner");
    const heir = owners[0] ? await this.heirOf(owners[0].room, new Set(out.map(({ user }) => user))) : null;
    return [
      ...(heir ? this.inheriting(heir.member) : []),
      // Owners last: a room that all leave has one until the end.
      ...[...others, ...owners].map(({ user }): RoomChange => ({ type: "member", user, change })),
    ];
  }

  /** An owner who cannot come in any more is moderator, if somebody is there who can run the room and is no guest. */
  async passingOn(owner: StoredMember): Promise<RoomChange[]> {
    const heir = await this.heirOf(owner.room, new Set([owner.user]));
    if (!heir?.present || heir.member.role === "guest") return [];
    return [...this.inheriting(heir.member), { type: "member", user: owner.user, change: "role", role: "moderator" }];
  }

  /** Who becomes owner is heard: nobody is there who could let him. */
  rising(member: StoredMember): RoomChange[] {
    const { user, role } = member;
    return [
      ...(role === "owner" ? [] : [{ type: "member", user, change: "role", role: "owner" } as const]),
      ...(isMuted(member, timestamp(this.clock)) ? [{ type: "member", user, change: "unmute" } as const] : []),
    ];
  }

  /** He is given the room, and not what was said in it before he came: neither does he give that to others. */
  private inheriting(member: StoredMember): RoomChange[] {
    const rise = this.rising(member).map(change =>
      change.type === "member" && change.change === "role" ? ({ ...change, inherits: true } as const) : change,
    );
    const { role, visibleFrom } = member;
    return [...rise, ...(role !== "owner" && visibleFrom > 0 ? [{ type: "room", heir: role } as const] : [])];
  }

  /**
   * The first of those who stay: an owner, else a moderator, else a member; of these the muted last, and then the
   * longest-standing. Behind them all come who is deactivated, and guests.
   */
  private async heirOf(
    room: string,
    out: ReadonlySet<string>,
  ): Promise<{ member: StoredMember; present: boolean } | null> {
    const found = await Promise.all(
      ROOM_ROLES.map(role => {
        const where = { room, role, state: "member" } as const;
        return this.members.find({ where, sort: ["joinedAt", "id"], limit: out.size + LOOKED_AT });
      }),
    );
    const staying = found.flat().filter(({ user }) => !out.has(user));
    if (staying.length === 0) return null;
    const present = new Set(await this.present(staying.map(({ user }) => user)));
    const now = timestamp(this.clock);
    const rank = (member: StoredMember): string => {
      const { role, user } = member;
      const muted = isMuted(member, now);
      const behind = [role === "guest", !present.has(user), muted && role !== "owner"];
      return [...behind.map(Number), ROOM_ROLES.indexOf(role), Number(muted)].join("");
    };
    const member = staying.reduce((first, one) => (rank(one) < rank(first) ? one : first));
    return { member, present: present.has(member.user) };
  }
}
