import type { CollectionSpec, Documents } from "../../mixins/documents";
import type { RoomAccess } from "../core/contract";
import type { Channel, Conversation, RoomKind, SharedChannel } from "../core/model";
import type { RoomRole } from "../core/permissions";
import type { MemberChange } from "../core/room-bus";

/** A change of membership or settings on its way: stored in the room first, then in its log, then cleared. */
export type PendingChange = {
  id: string;
  /** When it was asked for, in milliseconds since the epoch. */
  since: number;
} & ({ type: "member"; user: string; change: MemberChange; role?: RoomRole } | { type: "room" });

export interface StoredRoom {
  id: string;
  kind: RoomKind;
  /** Null for direct rooms. */
  name: string | null;
  /** Lower case, unique among channels; null once deleted, so that the name is free again. */
  nameKey: string | null;
  /** Both people of a direct room in order, unique. */
  directKey: string | null;
  isPrivate: boolean;
  /** `public`, or the room's id: whoever may list it has one of the two. */
  audience: string;
  topic: string | null;
  /** Whether newcomers may read what was before them. */
  history: "all" | "joined";
  createdBy: string;
  createdAt: string;
  memberCount: number;
  pending: PendingChange[];
  /** When the oldest pending change was asked for, null without any: how the sweeper finds what was left half done. */
  pendingSince: number | null;
  deletedAt: string | null;
}

export interface StoredMember {
  /** `room:user`. */
  id: string;
  room: string;
  user: string;
  kind: RoomKind;
  role: RoomRole;
  joinedAt: string;
  visibleFrom: number;
  /** True keeps the record of someone who is no member and may not come back. */
  banned: boolean;
}

export const ROOMS: CollectionSpec = {
  collection: "rooms",
  indexes: [
    { name: "name", fields: ["nameKey"], unique: true },
    { name: "direct", fields: ["directKey"], unique: true },
    { name: "audience", fields: ["kind", "audience", "createdAt"] },
    { name: "pending_since", fields: ["pendingSince"] },
  ],
};

export const MEMBERS: CollectionSpec = {
  collection: "members",
  indexes: [
    { name: "room", fields: ["room", "banned", "joinedAt"] },
    { name: "user", fields: ["user", "banned", "kind", "joinedAt"] },
  ],
};

export const memberId = (room: string, user: string): string => `${room}:${user}`;

/** What the room's record holds of its pending changes, oldest first. */
export const waiting = (pending: PendingChange[]): Pick<StoredRoom, "pending" | "pendingSince"> => ({
  pending,
  pendingSince: pending[0]?.since ?? null,
});

/** Who is in a room, longest-standing first. */
export async function peopleOf(members: Documents<StoredMember>, room: string): Promise<string[]> {
  const found = await members.find({ where: { room, banned: false }, sort: ["joinedAt", "id"] });
  return found.map(member => member.user);
}

export const directKey = (a: string, b: string): string => [a, b].sort().join(":");

/** The record as membership; null for strangers and the banned. */
export const membership = (member: StoredMember | null | undefined): StoredMember | null =>
  member && !member.banned ? member : null;

/** What a user may do, from the two records that decide it. Private rooms do not exist for strangers. */
export function accessOf(id: string, room: StoredRoom | undefined, member: StoredMember | undefined): RoomAccess {
  const hidden: RoomAccess = { room: id, denied: "NOT_FOUND", role: null, visibleFrom: 0 };
  if (!room || room.deletedAt !== null) return hidden;
  const open = room.kind === "channel" && !room.isPrivate;
  if (member?.banned) return open ? { ...hidden, denied: "FORBIDDEN", kind: room.kind } : hidden;
  if (member) return { room: id, kind: room.kind, open, role: member.role, visibleFrom: member.visibleFrom };
  return open ? { room: id, kind: room.kind, open, role: null, visibleFrom: 0 } : hidden;
}

export const toChannel = (room: StoredRoom, role: RoomRole | null): Channel => ({ ...toSharedChannel(room), role });

export function toSharedChannel(room: StoredRoom): SharedChannel {
  const { id, name, isPrivate, topic, createdBy, createdAt, memberCount } = room;
  return {
    id,
    name: name ?? "",
    isPrivate,
    ...(topic !== null && { topic }),
    createdBy,
    createdAt,
    memberCount,
  };
}

export function toConversation(room: StoredRoom, members: string[]): Conversation {
  const { id, kind, name, createdBy, createdAt } = room;
  return { id, type: kind === "direct" ? "direct" : "group", name, members, createdBy, createdAt };
}
