import type { RoomAccess } from "../core/contract";
import { browses } from "../core/permissions";
import type { Identity } from "../core/model";
import type { StoredMember, StoredRoom } from "./room";

/** What of a membership decides about access. Where a field is missing it may be null. */
export type Standing = Pick<StoredMember, "state" | "role" | "visibleFrom"> & {
  bannedUntil?: string | null;
  mutedUntil?: string | null;
};

/** What of a room does. */
export type Openness = Pick<StoredRoom, "kind" | "isPrivate" | "deletedAt"> & { archivedAt?: string | null };

/** Who looks at rooms, and when. */
export interface Look {
  /** Public channels are there for him, also where he is no member. */
  browses: boolean;
  /** He runs the installation: no room shuts him out. */
  manages?: boolean;
  /** RFC 3339. */
  now: string;
}

/** End of what has no end of its own, so that one comparison of texts decides. */
export const FOREVER = "9999-12-31T23:59:59.999Z";

/** The end as others see it: nothing where there is none. */
export const endOf = (until: string): { until?: string } => (until === FOREVER ? {} : { until });

export const manages = ({ permissions }: Pick<Identity, "permissions">): boolean =>
  permissions.includes("channels.manage");

export const lookOf = (user: Pick<Identity, "permissions">, now: string): Look => ({
  browses: browses(user),
  manages: manages(user),
  now,
});

export const isBanned = (member: Partial<Standing> | null | undefined, now: string): boolean =>
  member?.state === "banned" && (member.bannedUntil ?? FOREVER) > now;

export const isMuted = (member: Partial<Standing> | null | undefined, now: string): boolean =>
  typeof member?.mutedUntil === "string" && member.mutedUntil > now;

/** The record as membership; null for strangers and the banned. */
export const membership = (member: StoredMember | null | undefined): StoredMember | null =>
  member?.state === "member" ? member : null;

/**
 * What a user may do, from the two records that decide it: the one rule behind every door. Private rooms do not exist for
 * strangers, and no room does for strangers who do not browse.
 */
export function accessOf(
  id: string,
  room: Openness | undefined,
  member: Standing | undefined,
  { browses: looksAround, manages: above = false, now }: Look,
): RoomAccess {
  const hidden: RoomAccess = { room: id, denied: "NOT_FOUND", role: null, visibleFrom: 0 };
  if (!room || room.deletedAt !== null) return hidden;
  const { kind } = room;
  const open = looksAround && kind === "channel" && !room.isPrivate;
  if (isBanned(member, now) && !above) return open ? { ...hidden, denied: "FORBIDDEN", kind } : hidden;
  const inside = member?.state === "member";
  if (!inside && !open) return hidden;
  return {
    ...{ room: id, kind, open },
    ...(inside ? { role: member.role, visibleFrom: member.visibleFrom } : { role: null, visibleFrom: 0 }),
    ...(inside && isMuted(member, now) && { mutedUntil: endOf(member.mutedUntil as string).until ?? null }),
    ...(room.archivedAt && { archived: true as const }),
  };
}
