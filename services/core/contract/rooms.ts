import type { ErrorCode } from "../errors";
import type {
  Ban,
  Channel,
  Conversation,
  History,
  Invitation,
  Invite,
  InviteRole,
  Member,
  MemberRange,
  NewInvite,
  Page,
  RoomKind,
  RoomMode,
  ShownRoom,
} from "../model";
import type { RoomRole } from "../permissions";
import type { Paging } from "./paging";

/** What a user may do in a room, as the owner of the data sees it now. */
export interface RoomAccess {
  room: string;
  /** Absent: may read. Else the answer to give: NOT_FOUND hides the room, FORBIDDEN is for the banned of a public one. */
  denied?: ErrorCode;
  kind?: RoomKind;
  /** The user may read it without being a member. */
  open?: boolean;
  /** Nobody says anything there any more. */
  archived?: true;
  /** He only reads, until then (RFC 3339); null: until somebody ends it. */
  mutedUntil?: string | null;
  /** It has more members than `limits.largeRoom`. */
  large?: boolean;
  /** A direct room in which neither says anything to the other any more. Only where it was asked for. */
  blocked?: boolean;
  role: RoomRole | null;
  /** Entries at or below this offset are not shown to the user; 0 shows all. */
  visibleFrom: number;
}

/** What holds for all members of a room. */
export interface RoomRules {
  kind: RoomKind;
  mode: RoomMode;
  /** Seconds between two messages of one member; 0: none. */
  slowMode: number;
  /** Nobody writes. */
  archived?: true;
  /** Who comes reads what is said from then on. */
  fromJoin?: true;
}

/** Which rooms somebody may read. `browses`: public channels, too, of which he is no member. */
export interface AccessAsk {
  user: string;
  browses: boolean;
  rooms: string[];
}

/** A room somebody is in. */
export interface Membership {
  room: string;
  visibleFrom: number;
  joinedAt: string;
  large?: boolean;
}

/** How long the messages of a room are kept. */
export interface RoomRetention {
  room: string;
  /** 0: for ever; null: as long as the installation says. */
  days: number | null;
  /** Nothing is removed, whatever else is said. */
  hold: boolean;
  deletedAt: string | null;
}

/** A room as operators see it. */
export interface RoomFacts {
  id: string;
  kind: RoomKind;
  name: string | null;
  isPrivate: boolean;
  createdBy: string;
  createdAt: string;
  deletedAt: string | null;
  memberCount: number;
  /** The first 20, longest-standing first. */
  members: { user: string; role: RoomRole }[];
  /** Changes decided and not yet carried out; `since` in milliseconds since 1970. */
  pending: { change: string; user?: string; since: number }[];
}

/** A room as its export begins with it. */
export interface ExportedRoom {
  room: {
    id: string;
    kind: RoomKind;
    name: string | null;
    isPrivate: boolean;
    topic?: string;
    /** Of a channel. */
    mode?: RoomMode;
    slowMode?: number;
    /** Absent: all. */
    history?: "joined";
    archivedAt?: string;
    retentionDays?: number;
    legalHold?: true;
    createdBy: string;
    createdAt: string;
    memberCount: number;
  };
  /** Messages at or below this offset are not for whoever exports. */
  visibleFrom: number;
  /** He may see what any message said before, not only his own. */
  versions: boolean;
  /** He may also see e-mail addresses. */
  emails: boolean;
  /** The room is on hold, and he may see what messages said before they were deleted. */
  kept: boolean;
}

/** A membership as it is, or as it ended. */
export interface ExportedMember {
  room: string;
  user: string;
  kind: RoomKind;
  role: RoomRole;
  state: "member" | "left" | "banned";
  joinedAt: string;
  /** When the ban ends by itself. */
  bannedUntil?: string;
  /** Null: until somebody ends it. */
  mutedUntil?: string | null;
}

/** Members of an imported room. Who has a record there already, as member or not, stays what he is. */
export type ImportedMember = Pick<ExportedMember, "user" | "role" | "state" | "bannedUntil" | "mutedUntil"> & {
  joinedAt?: string;
};

/** What a member or, of a ban, anybody is kept from something with; `until` is RFC 3339. */
export interface SentenceAsk {
  id: string;
  userId: string;
  until?: string | null;
  reason?: string | null;
}

export interface RoomsActions {
  /** Without those that are archived, unless they are asked for, too. */
  "rooms.list": { params: Paging & { archived?: boolean }; returns: Page<Channel> };
  "rooms.create": {
    params: { name: string; isPrivate?: boolean; topic?: string | null; history?: History };
    returns: Channel;
  };
  "rooms.get": { params: { id: string }; returns: Channel | Conversation };
  "rooms.update": {
    params: {
      id: string;
      name?: string;
      isPrivate?: boolean;
      topic?: string | null;
      mode?: RoomMode;
      slowMode?: number;
      history?: History;
      retentionDays?: number | null;
      legalHold?: boolean;
    };
    returns: Channel | Conversation;
  };
  "rooms.remove": { params: { id: string }; returns: null };
  "rooms.join": { params: { id: string }; returns: null };
  "rooms.leave": { params: { id: string }; returns: null };
  "rooms.members": {
    params: Paging & { id: string; afterUser?: string; prefix?: string; limit?: number };
    returns: Page<Member> | MemberRange;
  };
  "rooms.addMember": { params: { id: string; userId: string; role?: RoomRole }; returns: Member };
  "rooms.removeMember": { params: { id: string; userId: string }; returns: null };
  /** Makes another member owner and the caller, who was one, moderator. */
  "rooms.transfer": { params: { id: string; userId: string }; returns: null };
  "rooms.archive": { params: { id: string }; returns: Channel | Conversation };
  "rooms.unarchive": { params: { id: string }; returns: Channel | Conversation };
  /** Ends a membership, if there is one, and keeps the user out. */
  "rooms.ban": { params: SentenceAsk; returns: null };
  "rooms.unban": { params: { id: string; userId: string }; returns: null };
  "rooms.bans": { params: Paging & { id: string }; returns: Page<Ban> };
  /** A muted member reads and says nothing. */
  "rooms.mute": { params: SentenceAsk; returns: null };
  "rooms.unmute": { params: { id: string; userId: string }; returns: null };
  "rooms.invite": {
    params: { id: string; expiresInHours?: number; uses?: number | null; role?: InviteRole };
    returns: NewInvite;
  };
  "rooms.invites": { params: { id: string }; returns: { items: Invite[] } };
  /** By its code, or by its id. */
  "rooms.endInvite": { params: { id: string; code: string }; returns: null };
  "rooms.invitation": { params: { code: string }; returns: Invitation };
  "rooms.accept": { params: { code: string }; returns: Channel | Conversation };
  "rooms.conversations": { params: Paging; returns: Page<Conversation> };
  "rooms.converse": {
    params: { type: "direct" | "group"; members: string[]; name?: string; history?: History };
    returns: Conversation;
  };
  /** One answer for each room asked, in the order asked. `blocks`: also whether one of a direct room blocks the other. */
  "rooms.access": { params: AccessAsk & { blocks?: boolean }; returns: RoomAccess[] };
  /** The same of many users, at most 500: one answer for each ask, in order. */
  "rooms.accessMany": { params: { asks: AccessAsk[] }; returns: RoomAccess[][] };
  /** Null: there is no such room. */
  "rooms.rules": { params: { room: string }; returns: RoomRules | null };
  /** Those of the others, or the first 2,000 of all, who are in a room with the user; `small`: in one of few people. */
  "rooms.acquainted": { params: { user: string; others?: string[]; small?: boolean }; returns: string[] };
  "rooms.memberships": { params: { user: string }; returns: Membership[] };
  /**
   * A room as a user sees it, with its longest-standing members, and his access. All who came or went by what its log holds
   * when this is asked have come or gone. Throws what he is told if he may not.
   */
  "rooms.view": {
    params: { user: string; browses: boolean; room: string; members: number };
    returns: { room: ShownRoom; access: RoomAccess; members: Page<Member> };
  };
  /** Of these rooms those that he is in, in the order asked. At most 500. */
  "rooms.shown": { params: { user: string; rooms: string[] }; returns: ShownRoom[] };
  /** In the order they came; the first so many of them where a limit is given. */
  "rooms.memberIds": { params: { room: string; limit?: number }; returns: string[] };
  /** Members but one, in the order of their ids; at most 500. `total`: how many they are. */
  "rooms.memberPage": {
    params: { room: string; except: string; skip: number; limit: number };
    returns: { ids: string[]; total: number };
  };
  /** For operators: by id, or by the name of a channel, ignoring case. Null: there is none. */
  "rooms.inspect": { params: { room: string }; returns: RoomFacts | null };
  /** Every room there is or was, in the order of their ids, from behind `after`; at most 1,000. */
  "rooms.retention": { params: { after?: string; limit: number }; returns: RoomRetention[] };
  /** Those of the rooms that there are or were, at most 1,000. */
  "rooms.retentionOf": { params: { rooms: string[] }; returns: RoomRetention[] };
  /** Gives the rooms of a deactivated user to whoever can run them. */
  "rooms.handOver": { params: { userId: string }; returns: null };
  /** Takes a deleted user out of every room. */
  "rooms.evict": { params: { userId: string }; returns: null };
  /** Whether the caller may export a room, and its facts: an owner, both of a direct room, `channels.manage`. */
  "rooms.exported": { params: { id: string }; returns: ExportedRoom };
  /** Everybody who is or was in a room, by user id above `after`; at most 500. */
  "rooms.exportMembers": { params: { room: string; after: string; limit: number }; returns: ExportedMember[] };
  /** Every room a user is or was in, by room id above `after`; at most 500. Names only of those he may still see. */
  "rooms.exportMemberships": {
    params: { user: string; after: string; limit: number };
    returns: (ExportedMember & { name?: string })[];
  };
  /** Makes a room under this id, or finds what an earlier run made; of two people the direct room they have. */
  "rooms.import": {
    params: {
      id: string;
      kind: RoomKind;
      name: string | null;
      isPrivate: boolean;
      topic?: string;
      /** Of a channel. */
      mode?: RoomMode;
      slowMode?: number;
      history?: History;
      archivedAt?: string;
      retentionDays?: number;
      legalHold?: boolean;
      createdBy: string;
      createdAt: string;
      people?: string[];
    };
    returns: { id: string; created: boolean };
  };
  "rooms.importMembers": { params: { room: string; members: ImportedMember[] }; returns: { joined: number } };
}
