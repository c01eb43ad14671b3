import type { CollectionSpec, Documents } from "../../mixins/documents";
import { emptyStage, type Stage } from "../../mixins/staged-changes";
import type { RoomRetention, RoomRules } from "../core/contract";
import type { Limits } from "../core/limits";
import type {
  Channel,
  Conversation,
  History,
  Identity,
  Invite,
  RoomKind,
  RoomMode,
  SharedChannel,
  ShownConversation,
} from "../core/model";
import type { RoomRole } from "../core/permissions";
import type { MemberChange } from "../core/room-bus";

/**
 * What a decision about a room makes others see: each becomes one entry of the room's log. `by`: who decided it;
 * `joinedAt`: of who was a member elsewhere before; `until`, `reason`: of a ban or a mute; `untold`: it concerns a stranger,
 * whose own feed does not tell him of a room he may know nothing of; `inherits`: nobody gave him the role, so that he reads
 * what he read before.
 */
export type RoomChange =
  | {
      type: "member";
      user: string;
      change: MemberChange;
      role?: RoomRole;
      by?: string;
      joinedAt?: string;
      until?: string;
      reason?: string;
      /** Of who comes muted from elsewhere; `muted`: of whoever comes so. */
      mutedUntil?: string;
      muted?: true;
      untold?: true;
      inherits?: true;
    }
  /** `heir`: what somebody was who inherits the room and does not read all of it. */
  | { type: "room"; heir?: RoomRole };

/** A link that lets people in. Its code is known to those alone who were given it. */
export interface StoredInvite extends Omit<Invite, "active"> {
  digest: string;
}

/** The changes, with who decided them. */
export const decidedBy = (by: string, changes: readonly RoomChange[]): RoomChange[] =>
  changes.map(change => (change.type === "member" ? { ...change, by } : change));

export interface StoredRoom extends Stage<RoomChange> {
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
  /** Absent in rooms made before there were modes: open, without a wait. */
  mode?: RoomMode | null;
  slowMode?: number | null;
  /** Whether newcomers may read what was before them. */
  history: History;
  /** Who inherited it does not read all of it: he opens it neither to newcomers nor to everybody. */
  sealed?: boolean;
  /** Absent or null: it is not archived. */
  archivedAt?: string | null;
  /** Those that have ended leave it when the next is made. Counted here, so that a use and what it lets in are one decision. */
  invites?: StoredInvite[];
  createdBy: string;
  createdAt: string;
  memberCount: number;
  deletedAt: string | null;
  /** Days that messages are kept, 0: for ever; absent or null: as long as the installation says. */
  retentionDays?: number | null;
  /** Nothing is removed, whatever its age and whoever deletes it. */
  legalHold?: boolean;
}

/** Kept for ever once made: what somebody was told to do long ago must find out that it came too late. */
export interface StoredMember {
  /** `room:user`. */
  id: string;
  room: string;
  user: string;
  kind: RoomKind;
  /** Who is banned may not come back. */
  state: "member" | "left" | "banned";
  role: RoomRole;
  /** Number of the change of the room that made the record what it is. */
  n: number;
  joinedAt: string;
  visibleFrom: number;
  /** Of who is banned, RFC 3339; absent: for ever. */
  bannedUntil?: string;
  ban?: Grounds;
  /** He says nothing until then. Outlives leaving, so that nobody comes back for his voice. */
  mutedUntil?: string;
  mute?: Grounds;
}

/** Who kept somebody from something, when and why. */
export interface Grounds {
  by: string | null;
  at: string;
  reason?: string;
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
    // Pages and ranges of a long list: what is skipped or sorted is the index alone.
    { name: "joined", fields: ["room", "state", "joinedAt", "_id"] },
    { name: "range", fields: ["room", "state", "_id"] },
    { name: "user", fields: ["user", "state", "kind", "joinedAt"] },
  ],
};

/** Names of channels are told apart ignoring case. */
export const nameKeyOf = (name: string): string => name.toLowerCase();

type Made = Pick<StoredRoom, "id" | "kind" | "createdBy" | "createdAt"> & Partial<StoredRoom>;

/** A room as it begins: nobody is in it, and what is not said is as everywhere. Only channels are public. */
export function newRoom(made: Made): StoredRoom {
  const { id, kind, name = null } = made;
  const isPrivate = kind !== "channel" || (made.isPrivate ?? false);
  return {
    name,
    directKey: null,
    topic: null,
    mode: "open",
    slowMode: 0,
    history: "all",
    memberCount: 0,
    ...emptyStage(),
    deletedAt: null,
    ...made,
    isPrivate,
    audience: isPrivate ? id : "public",
    nameKey: kind === "channel" && name !== null ? nameKeyOf(name) : null,
  };
}

export const memberId = (room: string, user: string): string => `${room}:${user}`;

/** Who is in a room, longest-standing first. */
export async function peopleOf(members: Documents<StoredMember>, room: string, limit?: number): Promise<string[]> {
  const found = await members.find({
    where: { room, state: "member" },
    sort: ["joinedAt", "id"],
    ...(limit !== undefined && { limit }),
  });
  return found.map(member => member.user);
}

export const directKey = (a: string, b: string): string => [a, b].sort().join(":");

/** Of what was said in a public channel nothing is kept from anybody. */
export const seesAll = ({ history, isPrivate }: Pick<StoredRoom, "history" | "isPrivate">): boolean =>
  history === "all" || !isPrivate;

/**
 * What a room becomes that was inherited by who was not to read all of it: a guest, or whoever came while newcomers were not.
 * Of a public one everybody reads all.
 */
export function sealOf({
  isPrivate,
  history,
  pending,
}: StoredRoom): Pick<StoredRoom, "history" | "sealed"> | undefined {
  const seals = ({ heir }: { heir?: RoomRole }): boolean =>
    heir === "guest" || (heir !== undefined && history === "joined");
  return isPrivate && pending.some(change => change.type === "room" && seals(change))
    ? { history: "joined", sealed: true }
    : undefined;
}

/** As they are once everything decided is carried out. */
export const rulesOf = (room: StoredRoom): RoomRules => ({
  kind: room.kind,
  mode: room.mode ?? "open",
  slowMode: room.slowMode ?? 0,
  ...(room.archivedAt && { archived: true as const }),
  ...(!seesAll({ ...room, ...sealOf(room) }) && { fromJoin: true as const }),
});

/** With more members than that a room is large: what each member costs must not be paid with each message. */
export const isLarge = ({ memberCount }: Pick<StoredRoom, "memberCount">, { largeRoom }: Pick<Limits, "largeRoom">) =>
  memberCount > largeRoom;

export const toChannel = (room: StoredRoom, role: RoomRole | null): Channel => ({ ...toSharedChannel(room), role });

export function toSharedChannel(room: StoredRoom): SharedChannel {
  const { id, name, isPrivate, topic, createdBy, createdAt, memberCount } = room;
  const { mode, slowMode } = rulesOf(room);
  return {
    id,
    name: name ?? "",
    isPrivate,
    ...(topic !== null && { topic }),
    history: room.history,
    ...archived(room),
    mode,
    slowMode,
    createdBy,
    createdAt,
    memberCount,
    ...kept(room),
  };
}

/** What a room says of a hold, to who manages channels alone: all others it would warn. */
export const heldFor = (
  { permissions }: Pick<Identity, "permissions">,
  { legalHold }: StoredRoom,
): Pick<Channel, "legalHold"> => (legalHold && permissions.includes("channels.manage") ? { legalHold } : {});

export function toConversation(room: StoredRoom, members: string[]): Conversation {
  const { id, kind, name, createdBy, createdAt } = room;
  return {
    ...{ id, type: kind === "direct" ? "direct" : "group", name, history: room.history, members, createdBy, createdAt },
    ...archived(room),
    ...kept(room),
  };
}

/** The same in lists: without members where they are not given. */
export function toShownConversation(room: StoredRoom, members: string[] | undefined): ShownConversation {
  const { members: _all, ...shown } = toConversation(room, []);
  return { ...shown, ...(members && { members }), memberCount: room.memberCount };
}

const archived = ({ archivedAt }: StoredRoom): Pick<Channel, "archivedAt"> => (archivedAt ? { archivedAt } : {});

/** What a room says of how long its messages are kept; nothing where it is as everywhere. */
export const kept = ({ retentionDays }: StoredRoom): Pick<Channel, "retentionDays"> =>
  typeof retentionDays === "number" ? { retentionDays } : {};

export const toRetention = (room: StoredRoom): RoomRetention => ({
  room: room.id,
  days: room.retentionDays ?? null,
  hold: room.legalHold ?? false,
  deletedAt: room.deletedAt,
});
