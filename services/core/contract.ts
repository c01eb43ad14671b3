import type { ActionSchema, CallingOptions, Context } from "moleculer";
import type {
  Attachment,
  Channel,
  Conversation,
  FileRecord,
  HistoryWindow,
  Identity,
  Member,
  MemberRange,
  Message,
  MessageVersion,
  Metadata,
  OpenedRoom,
  Page,
  PresenceStatus,
  PublicUser,
  Receipt,
  ReceiptState,
  RoomKind,
  RoomMode,
  RoomLine,
  ShownRoom,
  Tokens,
  Unread,
  SharedChannel,
  Thread,
  UserNote,
} from "./model";
import type { ErrorCode, PublicError } from "./errors";
import type { SendBody } from "./send";
import type { Role, RoomRole } from "./permissions";
import type { MemberChange, RoomEvent, RoomHead } from "./room-bus";

/** Everything that crosses nodes, on one page: actions with what they take and give, events with what they carry. */

export interface Paging {
  page?: number;
  pageSize?: number;
}

export type SignedIn = Tokens & { user: PublicUser };

/** What auth needs of a user to make a token. */
export interface UserRecord {
  id: string;
  username: string;
  roles: Role[];
}

/**
 * One line of auth's numbered log. A token is refused if its session is named, or its user, or everybody, at a number above
 * the token's.
 */
export interface Revocation {
  n: number;
  session?: string;
  user?: string;
  everybody?: true;
}

/** What a user may do in a room, as the owner of the data sees it now. */
export interface RoomAccess {
  room: string;
  /** Absent: may read. Else the answer to give: NOT_FOUND hides the room, FORBIDDEN is for the banned of a public one. */
  denied?: ErrorCode;
  kind?: RoomKind;
  /** Any signed-in user may read it. */
  open?: boolean;
  /** It has more members than `limits.largeRoom`. */
  large?: boolean;
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

/** What one node knows of removing what is too old; all zero where another does it. Times are milliseconds since 1970. */
export interface RetentionState {
  /** This node is the one that does it. */
  chosen: boolean;
  /** Days that hold where a room says nothing else. */
  days: number;
  /** Since when a round is under way; null: none is. */
  since: number | null;
  rounds: number;
  /** Entries removed since the node started. */
  removed: number;
  /** Milliseconds by which the oldest entry that was found has outstayed its time: in the round under way, or the last. */
  overdue: number;
  /** Of the last whole round: its end, what it took in milliseconds, what it removed, rooms it failed in. */
  last: { at: number; took: number; removed: number; failed: number } | null;
}

/** What a client may ask a room's log to do. Checked by the writer of the room at the offset it gets. */
export type UserOperation =
  | {
      op: "send";
      text: string;
      clientId?: string;
      attachments?: string[];
      replyTo?: string;
      /** The message that the thread began with. */
      threadId?: string;
      metadata?: Metadata;
    }
  | { op: "edit"; id: string; text: string }
  | { op: "delete"; id: string }
  | { op: "react"; id: string; emoji: string; on: boolean }
  | { op: "pin"; id: string; on: boolean };

/**
 * What services write into a log, once per `changeId`: membership, settings and the end of its time into a room's, notes into
 * the log that has a user's id for its room and is his own feed.
 */
export type RoomOperation =
  | { op: "member"; changeId: string; user: string; change: MemberChange; role?: RoomRole }
  | { op: "room"; changeId: string; room: SharedChannel | Conversation }
  /** Empties a message whose time is over, where it is the last entry of its log and cannot leave. */
  | { op: "expire"; changeId: string; id: string }
  | { op: "user"; changeId: string; note: UserNote };

/** A message brought from elsewhere. `id` and `clientId` are made of its id there: bringing it again adds nothing. */
export interface ImportedMessage {
  id: string;
  sender: string;
  clientId: string;
  text: string;
  /** RFC 3339, like `editedAt`: as they were there. */
  createdAt: string;
  editedAt?: string;
  /** Left out where there is no such message in the room, like `threadId`. */
  replyTo?: string;
  /** The message that the thread began with. */
  threadId?: string;
  /** Users; they are shown, and nobody's count of mentions grows. */
  mentions?: string[];
  mentionsAll?: true;
  metadata?: Metadata;
}

/** What an operator's import writes into a room's log, for others: never what a client asked for. */
export type ImportOperation =
  | { op: "import"; message: ImportedMessage }
  | { op: "importDelete"; id: string; by: string; at: string }
  /** Once per `changeId`, as what follows: what was taken back here since does not come again. */
  | { op: "importReaction"; changeId: string; id: string; by: string; emoji: string }
  /** What the message said before. */
  | { op: "importVersion"; changeId: string; id: string; text: string; at: string }
  | { op: "importPin"; changeId: string; id: string; by: string; at: string };

export type AppendRequest =
  | { room: string; user: Identity; entry: UserOperation }
  | { room: string; user?: undefined; entry: RoomOperation | ImportOperation };

/** Where a call stands among those of its caller. */
export interface Turn {
  /** Chosen at random by a caller for one life of one writer. */
  line: string;
  /** Counts the calls of the line, from 1. */
  n: number;
  /** Calls of the line with entries for the same rooms that are not answered, the last 256 of them: they begin first. */
  after: number[];
}

export type AppendAnswer =
  | {
      ok: true;
      offset: number;
      seq: number;
      /** The Message as it is now, as JSON text (the entry's data for membership and settings). */
      data: string;
      duplicate?: true;
    }
  | { ok: false; error: PublicError };

export interface LogHead extends RoomHead {
  /** Entries below this offset have left the log. 1: nothing has. */
  floor: number;
}

export interface LogRange {
  /** In order of offset, without a hole, from `after` + 1. */
  events: RoomEvent[];
  /** More entries follow the last one. */
  more: boolean;
  head: LogHead;
}

export interface OpenFile {
  id: string;
  mimeType: string;
  size: number;
  name: string;
  /** May be shown in the page; everything else is offered as a download. */
  inline: boolean;
  /** Where the bytes stand in the blob store. */
  key: string;
}

/** How one process is: `checks` names what it needs. */
export interface NodeHealth {
  status: "ok" | "unavailable";
  checks: Record<string, "ok" | "down" | "unknown">;
}

/** An open socket of a gateway, as operators see it. */
export interface GatewaySocket {
  /** Null before hello. */
  user: string | null;
  username: string | null;
  session: string | null;
  /** Milliseconds since 1970. */
  since: number;
  rooms: number;
  address: string;
  /** Bytes the client has not taken yet. */
  backlog: number;
}

/** A room as one gateway follows it. */
export interface GatewayRoom {
  subscribers: number;
  /** Subscribers that are still catching up. */
  replaying: number;
  /** The last entry passed on here; null while the head is not known. */
  offset: number | null;
  /** Entries are known of that were not passed on yet. */
  behind: boolean;
  /** Entries that wait behind a gap. */
  waiting: number;
  /** Entries in memory, and their bytes. */
  ring: { entries: number; bytes: number };
  /** When the last entry was passed on, milliseconds since 1970; null if that is not in memory. */
  tookAt: number | null;
}

/** What a process says of itself, for operators. */
export interface NodeVitals {
  version: string;
  /** Seconds. */
  uptime: number;
  /** Resident, and of that the JavaScript heap in use. Bytes. */
  memory: { resident: number; heap: number };
  /** Longest and mean delay of the event loop while it was looked at, milliseconds. */
  lag: { max: number; mean: number };
}

/** A message as operators see it: everything about it, and of what it says only how long it is. */
export interface MessageFacts {
  id: string;
  room: string;
  offset: number;
  seq: number;
  sender: string;
  clientId?: string;
  createdAt: string;
  editedAt?: string;
  deletedAt?: string;
  /** Characters. */
  length: number;
  attachments: number;
  /** Others whose mark is at the message or past it; the first 20 by id. */
  delivered: { count: number; users: string[] };
  read: { count: number; users: string[] };
}

/** How one batch of a room's log was written. Times are milliseconds since 1970. */
export interface BatchTrace {
  /** Offsets of its first and last entry. */
  from: number;
  to: number;
  /** When its oldest request arrived at the writer. */
  queuedAt: number;
  /** When it was handed to the store, was durable, and was told to the gateways. */
  writtenAt: number;
  committedAt: number;
  publishedAt: number;
  /** The store had not answered the first write; writing the same again told what stands there. */
  settled?: true;
}

export interface WriteTraceAnswer {
  /** What was written before is not remembered. Milliseconds since 1970, like `repeats`. */
  since: number;
  batch: BatchTrace | null;
  /** When the same request came again and was answered with the same entry. */
  repeats: number[];
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
}

/** Members of an imported room. Who has a record there already, as member or not, stays what he is. */
export interface ImportedMember {
  user: string;
  role: RoomRole;
  state: "member" | "left" | "banned";
  joinedAt?: string;
}

/** Of one's own in a room: a message as JSON text, or a reaction that stands. */
export type OwnEntry = { type: "message"; data: string } | { type: "reaction"; messageId: string; emoji: string };

/** What a user has of single messages: part in the threads that these began, or that they are out of his sight. */
export const ASIDE = ["threads", "hidden"] as const;
export type Aside = (typeof ASIDE)[number];

/** `read`: how far he has read the thread; `id` is null where the message is gone. */
export interface AsideEntry {
  room: string;
  seq: number;
  id: string | null;
  read?: number;
}

/** A sign-in that has not ended; nothing of it can be used to sign in. */
export interface SessionFacts {
  id: string;
  user: string;
  createdAt: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

export interface Actions {
  /** Of one node: to be called with its id. */
  "node.health": { params: Record<string, never>; returns: NodeHealth };
  /** Of one node, for operators. Looks at its event loop for half a second. */
  "node.vitals": { params: Record<string, never>; returns: NodeVitals };

  "auth.register": { params: { username: string; email: string; password: string }; returns: SignedIn };
  "auth.login": { params: { username: string; password: string }; returns: SignedIn };
  "auth.refresh": { params: { refreshToken: string }; returns: SignedIn };
  "auth.logout": { params: { refreshToken?: string }; returns: null };
  /** Ends every session of a user; `forget` also drops the credentials. */
  "auth.revoke": { params: { userId: string; forget?: boolean; keepSessions?: boolean }; returns: null };
  /** For operators: the sessions of a user, newest first. */
  "auth.sessions": { params: { user: string }; returns: SessionFacts[] };
  /** For operators: ends a session and refuses its tokens. Null: there is no such session. */
  "auth.endSession": { params: { session: string }; returns: SessionFacts | null };
  "auth.revocations": { params: { after: number }; returns: { head: number; items: Revocation[] } };

  "users.create": {
    params: { id: string; username: string; email: string; roles?: Role[]; displayName?: string };
    returns: UserRecord;
  };
  /** By user name or e-mail, ignoring case. */
  "users.byLogin": { params: { login: string }; returns: UserRecord | null };
  "users.record": { params: { id: string }; returns: UserRecord | null };
  /** Those of the given ids that belong to a user, with names. */
  "users.names": { params: { ids: string[] }; returns: { id: string; username: string }[] };
  "users.byUsernames": { params: { usernames: string[] }; returns: { id: string; username: string }[] };
  /** Users whose names begin with that, ignoring case, in order of name. */
  "users.startingWith": { params: { prefix: string; limit: number }; returns: { id: string; username: string }[] };
  /** Whether a user's picture is this file. */
  "users.shows": { params: { user: string; file: string }; returns: boolean };
  "users.me": { params: Record<string, never>; returns: PublicUser };
  "users.get": { params: { id: string }; returns: PublicUser };
  "users.list": { params: Paging & { search?: string }; returns: Page<PublicUser> };
  "users.updateMe": { params: { displayName?: string | null; avatarUrl?: string | null }; returns: PublicUser };
  "users.update": {
    params: { id: string; displayName?: string | null; avatarUrl?: string | null; roles?: Role[] };
    returns: PublicUser;
  };
  "users.remove": { params: { id: string }; returns: null };
  /** The profile with its e-mail, for the export of a person's data: oneself, or `users.manage`. */
  "users.personal": { params: { id: string }; returns: PublicUser };
  /** E-mail addresses of those of the given ids who have one. */
  "users.emails": { params: { ids: string[] }; returns: { id: string; email: string }[] };

  "rooms.list": { params: Paging; returns: Page<Channel> };
  "rooms.create": { params: { name: string; isPrivate?: boolean; topic?: string }; returns: Channel };
  "rooms.get": { params: { id: string }; returns: Channel | Conversation };
  "rooms.update": {
    params: {
      id: string;
      name?: string;
      isPrivate?: boolean;
      topic?: string | null;
      mode?: RoomMode;
      slowMode?: number;
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
  "rooms.conversations": { params: Paging; returns: Page<Conversation> };
  "rooms.converse": {
    params: { type: "direct" | "group"; members: string[]; name?: string };
    returns: Conversation;
  };
  /** One answer for each room asked, in the order asked. */
  "rooms.access": { params: { user: string; rooms: string[] }; returns: RoomAccess[] };
  /** The same of many users, at most 500: one answer for each ask, in order. */
  "rooms.accessMany": { params: { asks: { user: string; rooms: string[] }[] }; returns: RoomAccess[][] };
  /** Null: there is no such room. */
  "rooms.rules": { params: { room: string }; returns: RoomRules | null };
  "rooms.memberships": { params: { user: string }; returns: Membership[] };
  /**
   * A room as a user sees it, with its longest-standing members, and his access. All who came or went by what its log holds
   * when this is asked have come or gone. Throws what he is told if he may not.
   */
  "rooms.view": {
    params: { user: string; room: string; members: number };
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
      retentionDays?: number;
      legalHold?: boolean;
      createdBy: string;
      createdAt: string;
      people?: string[];
    };
    returns: { id: string; created: boolean };
  };
  "rooms.importMembers": { params: { room: string; members: ImportedMember[] }; returns: { joined: number } };

  /** One answer for each entry, in order, within 5 s. At most 256 entries and 256 KiB of text. */
  "messages.append": { params: { entries: AppendRequest[] } & Turn; returns: AppendAnswer[] };
  "messages.heads": { params: { rooms: string[] }; returns: { epoch: string; heads: Record<string, LogHead> } };
  "messages.range": { params: { room: string; after: number; limit: number; maxBytes: number }; returns: LogRange };
  /** Users read the room from now on: their read marks go to its head, as those of who joins by an entry do with it. */
  "messages.start": { params: { room: string; users: string[] }; returns: null };
  /** For operators. Null: there is no such message. */
  "messages.inspect": { params: { id: string }; returns: MessageFacts | null };
  /** Of one node, for operators: what it remembers of writing an entry. */
  "messages.trace": { params: { room: string; offset: number }; returns: WriteTraceAnswer };
  /** Whether a message that still stands, above one of the given offsets, shows the file. */
  "messages.shows": { params: { file: string; rooms: { room: string; visibleFrom: number }[] }; returns: boolean };
  /** Of one node, for operators: how far it is with removing what is too old. `now`: the next round begins at once. */
  "messages.retention": { params: { now?: boolean }; returns: RetentionState };
  /** Messages by seq above `after` up to `upTo`, oldest first, as they are now; `cut`: not all who reacted are named. */
  "messages.exportPage": {
    params: { room: string; after: number; upTo: number; visibleFrom: number; limit: number };
    returns: { items: { seq: number; data: string; cut?: true }[]; more: boolean };
  };
  /** Who reacted to a message, by emoji in the order of the first; `skip` counts from the first of all. */
  "messages.exportReactions": {
    params: { room: string; offset: number; skip: number; limit: number };
    returns: { emoji: string; user: string }[];
  };
  /** What a message said before, oldest first, as JSON texts of MessageVersion; `skip` counts from the first of those kept. */
  "messages.exportVersions": {
    params: { room: string; offset: number; skip: number };
    returns: { items: string[]; more: boolean };
  };
  /** What a user wrote in a room and the reactions of his that stand there, in an order of their own; null: that is all. */
  "messages.exportOwn": {
    params: { room: string; user: string; after: string; limit: number };
    returns: { items: OwnEntry[]; next: string | null };
  };
  "messages.exportMarks": { params: { room: string; user: string }; returns: { read: number; delivered: number } };
  /** What a user has of single messages, by their rooms and seq behind one; also where he is no member. */
  "messages.exportAside": {
    params: { user: string; what: Aside; after?: { room: string; seq: number }; limit: number };
    returns: AsideEntry[];
  };
  /** Moves the marks of users, those in threads too, up to a message, the last one of an import. */
  "messages.importMarks": { params: { room: string; users: string[]; seq: number }; returns: null };
  "messages.send": { params: SendBody & { id: string }; returns: Message };
  "messages.history": {
    params: { id: string; before?: number; after?: number; around?: number; limit?: number } & Paging;
    returns: HistoryWindow | Page<Message>;
  };
  "messages.get": { params: { id: string }; returns: Message };
  "messages.edit": { params: { id: string; text: string }; returns: Message };
  "messages.remove": { params: { id: string }; returns: Message };
  "messages.react": { params: { id: string; emoji: string }; returns: Message };
  "messages.unreact": { params: { id: string; emoji: string }; returns: Message };
  "messages.pin": { params: { id: string }; returns: Message };
  "messages.unpin": { params: { id: string }; returns: Message };
  /** Pinned messages of a room, the last pinned first. */
  "messages.pins": { params: { id: string }; returns: { items: Message[] } };
  /** What a message said before it was edited, oldest first, the newest 100. */
  "messages.versions": { params: { id: string }; returns: { items: MessageVersion[] } };
  /** Takes a message out of the caller's own sight, on all his devices. */
  "messages.hide": { params: { id: string }; returns: null };
  /** A window of a thread's replies, by the id of the message it began with or of one of them. */
  "messages.replies": {
    params: { id: string; before?: number; after?: number; limit?: number };
    returns: HistoryWindow;
  };
  /** Threads of a room, the last replied to first. */
  "messages.threads": { params: Paging & { id: string }; returns: Page<Thread> };
  "messages.readThread": { params: { id: string; seq: number }; returns: null };
  "messages.read": { params: { id: string; seq: number; private?: boolean }; returns: null };
  "messages.readAll": { params: { private?: boolean }; returns: null };
  /** From this message on they count as unread again, for the caller alone. */
  "messages.markUnread": { params: { id: string; seq: number }; returns: null };
  "messages.delivered": { params: { id: string; seq: number }; returns: null };
  "messages.receipts": {
    params: { id: string } & Paging;
    returns: Page<Receipt> & { counts?: Record<ReceiptState, number> };
  };
  "messages.unread": { params: Record<string, never>; returns: { items: Unread[] } };
  /** The caller's rooms, newest activity first. Pages may be as long as a hello may have rooms. */
  "messages.overview": { params: Paging; returns: Page<RoomLine> };
  /** All that shows a room, with its newest messages, or those around a seq. */
  "messages.open": { params: { id: string; around?: number; limit?: number }; returns: OpenedRoom };

  /** To be called with a node; every presence node gets every report. Numbers count within a run. */
  "presence.report": { params: PresenceReport; returns: { known: boolean; term: number } };
  /** At most 1,000 users. UNAVAILABLE while a node that has started, or could not listen, has not heard all gateways. */
  "presence.of": { params: { users: string[] }; returns: Record<string, PresenceStatus> };

  /** One gateway, for operators: to be called with its node. Its open sockets, or those of one user, the oldest first. */
  "ws-gateway.sockets": {
    params: { user?: string; limit?: number };
    returns: { total: number; items: GatewaySocket[] };
  };
  /** Null if nobody there follows the room. */
  "ws-gateway.room": { params: { room: string }; returns: GatewayRoom | null };
  /** Whether that gateway has passed an entry on, and when (milliseconds since 1970; null: not in memory any more). */
  "ws-gateway.took": { params: { room: string; offset: number }; returns: { took: boolean; at: number | null } };
  /** Closes the sockets of a session there. */
  "ws-gateway.kick": { params: { session: string }; returns: { closed: number } };
  /** Takes no new sockets any more; sends those that are open elsewhere, spread over `seconds`. */
  "ws-gateway.drain": { params: { seconds?: number }; returns: { sockets: number; seconds: number } };

  /**
   * A session over plain HTTP that this node holds, asked for by the node a request came to; null: there is none, or it is
   * somebody else's. What it has for its client, after at most `wait` milliseconds; `open`: there may be more.
   */
  "ws-gateway.httpTake": { params: HttpSession & { wait: number }; returns: HttpTaken | null };
  /** The texts of that number went on their way to the client. */
  "ws-gateway.httpReceived": { params: HttpSession & { number: number }; returns: null };
  /** What its client says. `answer`: the answer to a single call, where the wire gives it at once. */
  "ws-gateway.httpPut": { params: HttpSession & { text: string }; returns: HttpPut | null };
  "ws-gateway.httpEnd": { params: HttpSession; returns: { ended: boolean } };

  "files.save": { params: UploadFields; returns: FileRecord };
  "files.open": { params: { id: string; expires?: string; signature?: string }; returns: NodeJS.ReadableStream };
  "files.link": { params: { id: string }; returns: { url: string; expiresIn: number } };
  /** Links for a user, without a look at whether he may open them: that is looked at when he does. */
  "files.sign": { params: { user: string; ids: string[] }; returns: Record<string, string> };
  /** Records of a user's uploads, by id above `after`; at most 500. */
  "files.exportOwn": {
    params: { user: string; after: string; limit: number };
    returns: (FileRecord & { createdAt: string })[];
  };
  /** Checks that the files are the owner's, lets readers of the room see them and gives them as attachments. INVALID if not. */
  "files.attach": { params: { owner: string; room: string; ids: string[] }; returns: Attachment[] };
  /** Messages that showed these files, at most 200, are gone: those that no other shows are removed, a minute later. */
  "files.release": { params: { ids: string[] }; returns: null };
}

/** What moleculer-web tells beside the stream of an upload. */
export interface UploadFields {
  name?: string;
  $filename?: string;
  $mimetype?: string;
  $fieldname?: string;
  $params?: Record<string, unknown>;
}

export interface Events {
  /** Control facts only: messages travel on the room bus. */
  "auth.revoked": { items: Revocation[] };
  "presence.changed": { owner: string; n: number; changes: PresenceChange[] };
}

/** A gateway's lease on its users: all of them when `full`, else the change since report `n` - 1. */
export interface PresenceReport {
  gateway: string;
  /** One run of reports to that node. */
  start: string;
  n: number;
  /** What that node answered last: how often it could not listen. It takes nothing that was sent before. */
  term?: number;
  full: boolean;
  /** Of a full report in several parts: which this is, from 0, and whether another follows under the next number. */
  part?: number;
  more?: boolean;
  online: string[];
  offline: string[];
}

export interface PresenceChange {
  user: string;
  status: PresenceStatus;
}

/** Rides along the whole chain of calls. Doors set it, services read it. */
export interface Meta {
  user?: Identity;
  /** The client's address, as the door knows it. */
  address?: string;
  /** Status of a REST answer, where it differs from the route's. */
  $statusCode?: number;
  $responseHeaders?: Record<string, string>;
  $responseType?: string;
  [key: string]: unknown;
}

/** A session over plain HTTP and the id of its user. */
export interface HttpSession {
  session: string;
  user: string;
}

export interface HttpTaken {
  texts: string[];
  /** By which whoever took them says that they went on their way; 0: there is nothing to say. */
  number: number;
  open: boolean;
}

export interface HttpPut {
  answer: string | null;
}

export type ActionName = keyof Actions;
export type ParamsOf<N extends ActionName> = Actions[N]["params"];
export type ReturnsOf<N extends ActionName> = Actions[N]["returns"];

/** A context inside a handler, a broker outside. */
export interface Caller {
  call(name: string, params?: unknown, options?: CallingOptions): Promise<unknown>;
}

export function call<N extends ActionName>(
  via: Caller,
  name: N,
  params: ParamsOf<N>,
  options?: CallingOptions,
): Promise<ReturnsOf<N>> {
  return via.call(name, params, options) as Promise<ReturnsOf<N>>;
}

export interface Broadcaster {
  broadcast(name: string, payload: unknown): Promise<unknown> | void;
}

/** Tells every node, this one included. Fire and forget: receivers must be able to find out what they missed. */
export function broadcast<N extends keyof Events>(via: Broadcaster, name: N, payload: Events[N]): void {
  void via.broadcast(name, payload);
}

type Handler<N extends ActionName> = (ctx: Context<ParamsOf<N>, Meta>) => ReturnsOf<N> | Promise<ReturnsOf<N>>;

/** Every action that the map promises for a service, with handlers of these types. */
export type ActionsOf<S extends string> = {
  [N in ActionName as N extends `${S}.${infer Name}` ? Name : never]: {
    handler: Handler<N>;
    /** Milliseconds, where the default of the node is too short. */
    timeout?: number;
  } & Omit<ActionSchema, "handler">;
};
