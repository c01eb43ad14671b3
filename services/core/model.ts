import type { Permission, Role, RoomRole } from "./permissions";
import type { MemberChange } from "./room-bus";
import type { Scope } from "./scopes";

/** The shapes that clients see. Fields may be added, never taken away or renamed. */

export interface PublicUser {
  id: string;
  username: string;
  displayName?: string;
  avatarUrl?: string;
  /** What he says of himself; may have several lines. */
  bio?: string;
  pronouns?: string;
  /** Only for oneself and for holders of `users.email`. */
  email?: string;
  /** A program. */
  bot?: true;
  roles: Role[];
  status: PresenceStatus;
  createdAt: string;
  /** Cannot come in until somebody activates the account. For holders of `users.manage`. */
  deactivated?: true;
}

export const PRESENCE_STATUSES = ["online", "offline"] as const;
export type PresenceStatus = (typeof PRESENCE_STATUSES)[number];

/** Who is calling, as a verified access token says it. Rides in `ctx.meta.user`, frozen by the gateway. */
export interface Identity {
  id: string;
  username: string;
  roles: Role[];
  permissions: Permission[];
  /** Session id, of a program that of its token; revoked as a whole. */
  sid: string;
  /** What the token of a program is good for; absent of who signed in himself. */
  scopes?: readonly Scope[];
}

export interface Tokens {
  accessToken: string;
  refreshToken: string;
  /** Seconds the access token lives. */
  expiresIn: number;
}

export type RoomKind = "channel" | "group" | "direct";

/**
 * Who posts. `announcement`: those who run the room; members read, react and reply in threads. `readonly`: those who run the
 * room; members read.
 */
export const ROOM_MODES = ["open", "announcement", "readonly"] as const;
export type RoomMode = (typeof ROOM_MODES)[number];

/** What newcomers of a private room or a group find there: all, or what is said from their coming on. */
export const HISTORIES = ["all", "joined"] as const;
export type History = (typeof HISTORIES)[number];

export interface Channel {
  id: string;
  name: string;
  isPrivate: boolean;
  topic?: string;
  history: History;
  /** Since when it is only read; absent: it is not archived. */
  archivedAt?: string;
  mode: RoomMode;
  /** Seconds between two messages of one member; those who run the room do not wait. 0: nobody does. */
  slowMode: number;
  createdBy: string;
  createdAt: string;
  memberCount: number;
  /** Days that messages are kept, 0: for ever; absent: as long as the installation says. */
  retentionDays?: number;
  /** Nothing is lost, for its age or by who deletes it. For those who hold `channels.manage`: others are not told. */
  legalHold?: true;
  /** The caller's role here, null if not a member. */
  role: RoomRole | null;
  /** Only in the event that ends it. */
  deletedAt?: string;
}

/** A channel as its event shows it: to everyone alike, so without anybody's own role, and nothing of a hold. */
export type SharedChannel = Omit<Channel, "role" | "legalHold">;

export interface Conversation {
  id: string;
  type: "direct" | "group";
  name: string | null;
  /** As of a channel. */
  history: History;
  archivedAt?: string;
  members: string[];
  createdBy: string;
  createdAt: string;
  /** As of a channel. */
  retentionDays?: number;
  legalHold?: true;
  /** Only in the event that ends it. */
  deletedAt?: string;
}

export interface Member {
  userId: string;
  username: string;
  role: RoomRole;
  joinedAt: string;
  /** Told to those who run the room, and to himself. */
  muted?: Sanction;
}

/** Why and for how long somebody is kept from something. */
export interface Sanction {
  /** Null: it is not known any more. */
  by: string | null;
  at: string;
  /** Absent: until somebody ends it. */
  until?: string;
  reason?: string;
}

/** Somebody who may neither come into a room nor read it. */
export interface Ban extends Sanction {
  userId: string;
  username: string;
}

/** What comes in by a link, as what. */
export type InviteRole = "member" | "guest";

/** A link that lets people into a room, as those who run it see it. */
export interface Invite {
  id: string;
  /** The last four characters of its code: the rest is nowhere. */
  last4: string;
  role: InviteRole;
  /** How many may come by it; null: as many as like. */
  uses: number | null;
  used: number;
  createdBy: string;
  createdAt: string;
  expiresAt: string;
  /** It lets somebody in as things stand: who made it still may make one, and the room is not archived. */
  active: boolean;
}

/** As it is told once, to who made it. */
export interface NewInvite extends Invite {
  code: string;
  /** Relative to the origin. */
  url: string;
}

/** What who has a link is told before he follows it. */
export interface Invitation {
  room: { id: string; type: RoomKind; name: string | null; topic?: string; isPrivate: boolean; memberCount: number };
  invitedBy: { id: string; username: string };
  role: InviteRole;
  expiresAt: string;
  /** He is in already. */
  member: boolean;
}

export interface Attachment {
  id: string;
  /** Relative to the origin. */
  url: string;
  mimeType: string;
  /** Bytes. */
  size: number;
  name?: string;
}

export interface Reaction {
  emoji: string;
  count: number;
  /** At most the first 20. */
  users: string[];
}

/** Members in order of user id, or by name those with a prefix. */
export interface MemberRange {
  items: Member[];
  hasAfter: boolean;
  /** The number that was looked for, after cutting it to the maximum. */
  limit: number;
}

/** JSON values of clients, kept as they came. At most `limits.metadata` bytes. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Metadata = { [key: string]: Json };

export interface Message {
  id: string;
  channelId: string;
  senderId: string;
  text: string;
  attachments: Attachment[];
  createdAt: string;
  /** Number among the room's messages; what history, unread and receipts count by. */
  seq: number;
  /** Number among the room's log entries; what resume counts by. Never changes. */
  offset: number;
  clientId?: string;
  editedAt?: string;
  deletedAt?: string;
  replyTo?: string;
  /** The message that its thread began with; it counts as unread in that thread and not in the room. */
  threadId?: string;
  /** Of the message a thread began with. */
  thread?: ThreadSummary;
  mentions?: string[];
  /** It names everybody in the room. */
  mentionsAll?: true;
  pinned?: Pinned;
  reactions?: Reaction[];
  metadata?: Metadata;
}

/** Replies include deleted ones; `lastSeq` and `lastAt` are those of the last. */
export interface ThreadSummary {
  replies: number;
  lastSeq: number;
  lastAt: string;
}

export interface Pinned {
  by: string;
  at: string;
}

/** What a message said from `at` on, until it was edited, or deleted in a room on hold. */
export interface MessageVersion {
  text: string;
  at: string;
  /** Of one that was deleted. */
  attachments?: Attachment[];
}

/** A thread as a user sees it. */
export interface Thread {
  root: Message;
  /** He has part in it: he began it, replied or was named there. */
  following: boolean;
  /** If so, replies of others after his read mark there that are neither deleted nor hidden by him. */
  unread: number;
  /** Those of them that name him. */
  mentions: number;
  /** At least where the room was when he joined it last. */
  readSeq: number;
}

export type ReceiptState = "sent" | "delivered" | "read";

export interface Receipt {
  userId: string;
  state: ReceiptState;
}

export interface Unread {
  roomId: string;
  unread: number;
  mentions: number;
  lastSeq: number;
  /** The further of one's two read marks, the one that others see and the private one. */
  readSeq: number;
  /** Messages from this seq on count as unread again, though the mark is beyond it. */
  unreadFrom?: number;
  /** Threads one has part in and in which something is unread; absent where there are none. */
  threads?: number;
}

/** A room in lists and when it is opened: of a group of more than 100, its members are left out. */
export type ShownRoom = Channel | ShownConversation;
export type ShownConversation = Omit<Conversation, "members"> & { members?: string[]; memberCount: number };

/** A line of one's room list. */
export interface RoomLine extends Omit<Unread, "roomId"> {
  room: ShownRoom;
  /** The last of the main line that one may see and has not hidden, as it is now; null if none of the last 1,000 is one. */
  lastMessage: Message | null;
}

/** How far somebody is in a room, as others see it. */
export interface MemberMarks {
  userId: string;
  read: number;
  delivered: number;
}

/** All that shows a room. */
export interface OpenedRoom {
  room: ShownRoom;
  role: RoomRole | null;
  /** The longest-standing first. */
  members: Page<Member>;
  marks: {
    /** Null for who is no member. */
    mine: (Omit<Unread, "roomId" | "lastSeq"> & { deliveredSeq: number }) | null;
    /** Of the others among `members`. */
    others: MemberMarks[];
  };
  history: Omit<HistoryWindow, "limit">;
  /** Pinned messages, the last pinned first. */
  pins: Message[];
  /** Where the room stood before any of this was read: who subscribes from here misses nothing. */
  offset: number;
  seq: number;
  epoch: string;
}

/** Somebody with whom one is friends, who asks to be or is asked, or whom one blocks, and since when. */
export interface Related {
  user: PublicUser;
  since: string;
}

/** What somebody is to one: `requested`: one has asked to be friends; `received`: he has. */
export const FRIEND_STATES = ["none", "requested", "received", "friends"] as const;
export type FriendState = (typeof FRIEND_STATES)[number];

/** Whom something is for. Contacts are friends, and those with whom one shares a small room. */
export const AUDIENCES = ["everyone", "contacts", "nobody"] as const;
export type Audience = (typeof AUDIENCES)[number];

export interface Privacy {
  /** Who finds one by search. */
  find: Audience;
  /** Who may begin a conversation with one. */
  write: Audience;
  /** Who sees whether one is there. */
  presence: Audience;
  /** Others are told how far one has read. */
  sendReadReceipts: boolean;
}

/** Of which messages one is notified. */
export const NOTIFICATION_LEVELS = ["all", "mentions", "none"] as const;
export type NotificationLevel = (typeof NOTIFICATION_LEVELS)[number];

export interface RoomNotifications {
  level?: NotificationLevel;
  /** RFC 3339. */
  mutedUntil?: string;
}

export interface NotificationPreferences {
  default: NotificationLevel;
  /** By room. */
  rooms: Record<string, RoomNotifications>;
  /** Times of day (`HH:MM`) in one's time zone; `to` may be the next day's. */
  doNotDisturb?: { from: string; to: string };
  email: boolean;
  push: boolean;
}

/** How somebody wants things to be. */
export interface Preferences {
  /** BCP 47. */
  language?: string;
  /** Of the IANA database. */
  timeZone?: string;
  notifications: NotificationPreferences;
  privacy: Privacy;
  /** Whatever clients keep here: at most `MAX_UI` bytes of JSON. */
  ui?: Metadata;
  /** Grows with each change. */
  revision: number;
}

/** What a user's own feed tells, by kind; one kind more is one line more. */
export interface UserNotes {
  /**
   * He has come into a room, has left it, or is somebody else there. `by`: who did it, unless it was himself. `room`: the
   * room as he sees it, when he has come in; not of a group of more than 100, which REST tells of. `until`, `reason`: of a
   * ban or a mute.
   */
  member: {
    roomId: string;
    change: MemberChange;
    role?: RoomRole;
    by?: string;
    until?: string;
    reason?: string;
    room?: Channel | Conversation;
  };
  /** A mark of his has moved, on whatever device. Reading moves both marks and is told as `read` alone. */
  read: { roomId: string; seq: number; private?: true };
  delivered: { roomId: string; seq: number };
  /** His read mark in the thread that began with this message, whose seq is `root`, has moved. */
  thread: { roomId: string; threadId: string; root: number; seq: number };
  /** He has taken a message out of his sight. */
  hide: { roomId: string; messageId: string; seq: number };
  /** The same of many rooms at once, and of all threads in them; there may be several such notes. */
  readAll: { marks: { roomId: string; seq: number }[]; private?: true };
  /**
   * Messages from `seq` on count as unread again, until the next note `read` or `readAll` of the room, or a message or joining
   * of his beyond `offset`, which was the room's last entry.
   */
  unread: { roomId: string; seq: number; offset: number };
  /** What somebody is to him from now on, whoever of the two did it. */
  friend: { userId: string; state: FriendState };
  /** He blocks somebody, or does not any more. */
  block: { userId: string; on: boolean };
  /** He has changed his preferences: they are now at this revision. */
  preferences: { revision: number };
}

/** One entry of a user's own feed. */
export type UserNote = { [Kind in keyof UserNotes]: { kind: Kind; data: UserNotes[Kind] } }[keyof UserNotes];

export interface Page<T> {
  items: T[];
  page: number;
  pageSize: number;
  total: number;
}

export interface HistoryWindow {
  /** Oldest first. */
  items: Message[];
  hasBefore: boolean;
  hasAfter: boolean;
  /** The number of messages that was looked for, after cutting it to the maximum. */
  limit: number;
}

export interface FileRecord {
  id: string;
  url: string;
  mimeType: string;
  size: number;
  name: string;
}
