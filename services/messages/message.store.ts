import type { Aside, AsideEntry, LogHead } from "../core/contract";
import { timeOf } from "../core/ids";
import { GONE, type EntryKind, type RoomEvent, type RoomHead } from "../core/room-bus";
import type { Mark } from "./marks";
import { memberOf } from "./member-entry";

/** One line of a room's log as it is stored. The entry is the commit; everything else is derived from it. */
export interface Entry {
  offset: number;
  /** Messages up to and including this entry. */
  seq: number;
  kind: EntryKind;
  /** Id of the message, for entries that are one. */
  id: string | null;
  /** Who caused it; `rooms` for membership and settings. An id: no blanks in it. */
  sender: string;
  /** (room, sender, clientId) is unique for ever; one of the writer's making where the request has none. */
  clientId: string;
  /** Digest of the content as first sent, kept through edits and deletion. */
  hash: string | null;
  /** The event's data as JSON text. Null for edits and deletions: they show their message as it is now. */
  data: string | null;
  /** Offset of the first entry of its batch. */
  batch: number;
  /** What the entry does to an earlier message. */
  change?: MessageChange;
  /** Of a reply in a thread: seq and sender of the message it began with. */
  thread?: ThreadPart;
  /** Users it names; `EVERYBODY` for all of the room. */
  mentions?: readonly string[];
  /** Of an edit of a reply: whom it names now, and the seq that the thread began with. */
  calls?: { root: number; users: readonly string[] };
  /** Ids of its attachments. */
  files?: readonly string[];
}

export interface ThreadPart {
  root: number;
  starter: string;
  /** Users who have part in it by being named in what was imported: their counts of mentions do not grow. */
  named?: readonly string[];
}

/** New state of the message at `offset`. */
export interface MessageChange {
  offset: number;
  /** The Message from now on, as JSON text. */
  data: string;
  deleted?: true;
  reaction?: { emoji: string; user: string; on: boolean };
  pinned?: boolean;
  /**
   * What stood before, a MessageVersion as JSON text: of an edit, kept until the message is deleted; of a deletion in a room on
   * hold, which then leaves the earlier ones, too.
   */
  version?: string;
  /** Of an edit: whom the message names from now on. */
  mentions?: readonly string[];
}

/** Stands in mentions for all members of the room: nothing is written for each of them. */
export const EVERYBODY = "*";

/** A message as it is now. */
export interface StoredMessage {
  room: string;
  id: string;
  offset: number;
  seq: number;
  sender: string;
  hash: string | null;
  deleted: boolean;
  data: string;
  /** Of a reply: seq of the message its thread began with. */
  thread?: number;
}

/** What an earlier send under the same clientId has become; for a change, the message it changed. */
export interface Repeat {
  sender: string;
  clientId: string;
  offset: number;
  seq: number;
  hash: string | null;
  data: string;
}

export interface AppendResult {
  /** Entries stored: all, or those before the one whose offset, seq or clientId was taken. */
  stored: number;
}

export interface Takeover {
  head: RoomHead;
  /** Entries after the head that was known, null where that are too many, or none was known. */
  missed: readonly Pick<Entry, "kind" | "data" | "offset">[] | null;
}

/** An entry at the front of a log: what decides whether it leaves, and what leaves with it. */
export interface FrontEntry {
  offset: number;
  kind: EntryKind;
  /** Id of the message, for entries that are one. */
  id: string | null;
  /** Milliseconds since 1970 at which it was made; null where nobody knows, -Infinity for what left and is still to be removed. */
  at: number | null;
  files: string[];
}

/** Entries that leave a log in one commit: others wait for no more than that. */
export const TRIMMED = 1_000;

/** Entries that a writer may have missed and still learns one by one. */
export const MISSED = 256;

export interface Window {
  /** Exclusive bounds by seq; at most one of the two. */
  before?: number;
  after?: number;
  limit: number;
  /** Messages at or below this offset are not shown. */
  visibleFrom: number;
}

/** Messages as they are now, and those reactions that stand; `next` is where the next slice begins, null after the last. */
export interface OwnSlice {
  entries: { clientId: string; kind: EntryKind; data: string }[];
  next: string | null;
}

/** How far a member is, as others see it. */
export interface Marks {
  user: string;
  read: number;
  delivered: number;
  /** Offset of his last joining; 0 for who came before that was kept. */
  joined: number;
}

/** The same as he sees it. */
export interface OwnMarks {
  read: number;
  delivered: number;
  /** Read, for himself alone. */
  private: number;
  /** Seq from which on messages count as unread again; 0: none do. */
  again: number;
}

/**
 * Where the rooms' logs live. One promise carries all: (room, offset), (room, seq) among messages and (room, sender,
 * clientId) are unique, whoever writes. Everything rejects with StorageError when the store is in trouble.
 */
export interface MessageStore {
  /** Changes only when the store is restored from a backup. */
  readonly epoch: string;
  /**
   * Stores entries in order, durable when it resolves, and then also what they change: messages, reactions, marks.
   * An entry once stored is never lost; what it changes is made good by whoever takes the room over, or a second later.
   */
  append(room: string, entries: readonly Entry[]): Promise<AppendResult>;
  /** Resolves when a batch would not wait for others before it is stored: until then it may grow. Never rejects. */
  turn(): Promise<void>;
  /** Finishes what another writer, or a crash, may have left undone in the room, and says where its log stands. */
  takeOver(room: string, known?: RoomHead): Promise<Takeover>;
  /** Heads of the rooms asked; an empty log has head 0 and floor 1, and no log's floor is above its last entry. */
  heads(rooms: readonly string[]): Promise<Map<string, LogHead>>;
  /**
   * Entries after an offset, from the floor on, as they are shown now: at most `limit`, at least one, about `maxBytes` of
   * data.
   */
  events(room: string, after: number, limit: number, maxBytes: number): Promise<RoomEvent[]>;
  /** What stands under these keys, wherever in the room. */
  repeats(room: string, keys: readonly { sender: string; clientId: string }[]): Promise<Repeat[]>;
  byIds(ids: readonly string[]): Promise<StoredMessage[]>;
  /** First users per emoji in the order they reacted. */
  reactions(room: string, offset: number): Promise<{ emoji: string; user: string }[]>;
  /** Pinned messages, the last pinned first. */
  pins(room: string): Promise<string[]>;
  /** What a message said before, as JSON texts of MessageVersion, oldest first; of many the newest. */
  versions(room: string, offset: number, limit: number): Promise<string[]>;
  /** The next room, by id from behind `after`, in which deletions have kept what was said; null if there is none. */
  nextKeeping(after: string): Promise<string | null>;
  /** Drops some of what deletions in a room have kept, about so many versions. Resolves to whether more is there. */
  dropKept(room: string, limit: number): Promise<boolean>;
  /** Replies of the thread that began with the message at a seq, also once that has left. */
  replies(room: string, root: number, window: Window): Promise<{ seq: number; data: string }[]>;
  /** Threads of a room, but for those whose beginning the user has hidden, the last replied to first; how many there are. */
  threads(room: string, user: string, page: { skip: number; limit: number; visibleFrom: number }): Promise<ThreadPage>;
  /** How far a user has read a thread; null if he has no part in it. */
  threadMark(room: string, user: string, root: number): Promise<number | null>;
  /** What a user has of single messages of all rooms, in order of room and seq, behind one of them. */
  aside(user: string, what: Aside, after: Place | undefined, limit: number): Promise<AsideEntry[]>;
  /** How far those who have part in a thread have read it, as others see it. */
  threadMarks(room: string, root: number): Promise<ReadMark[]>;
  /** Of the messages from one seq to another, those that a user has hidden. */
  hiddenBy(user: string, room: string, from: number, to: number): Promise<number[]>;
  /** Of messages in different rooms, the rooms of those that a user has hidden. */
  hiddenAmong(user: string, places: readonly { room: string; seq: number }[]): Promise<string[]>;
  /** Messages by their numbers, as JSON texts by room; of each room one. Unknown ones are left out. */
  messagesAt(places: readonly { room: string; seq: number }[]): Promise<Map<string, string>>;
  /** Of each room, of so many messages before a seq, the last that is no reply in a thread and not hidden by the user. */
  lastBefore(
    user: string,
    places: readonly { room: string; seq: number }[],
    back: number,
  ): Promise<Map<string, string>>;
  /**
   * What a user caused in a room, in the order of the clientIds it is stored under and above `after`: a range of the index
   * that makes them unique. Looks at `limit` entries, whatever they are.
   */
  ownEntries(room: string, user: string, after: string, limit: number): Promise<OwnSlice>;
  /** Message JSON texts, oldest first. */
  window(room: string, window: Window): Promise<{ seq: number; data: string }[]>;
  /** A page counted from the newest (skip 0), oldest first, and how many there are. */
  page(room: string, skip: number, limit: number, visibleFrom: number): Promise<{ items: string[]; total: number }>;
  /** Whether a message that is not deleted, above the room's offset, has the file. */
  shows(file: string, rooms: readonly { room: string; visibleFrom: number }[]): Promise<boolean>;
  /** Moves marks forward that no entry moves. */
  advance(marks: readonly Mark[]): Promise<void>;
  /** Of everybody who ever was in the room, or of some of them. */
  marks(room: string, users?: readonly string[]): Promise<Marks[]>;
  /** How far one user is in a room; at the floor at least, since nothing is left before it. */
  markOf(room: string, user: string): Promise<OwnMarks>;
  /**
   * Of each room: last seq, how far the user has read, and messages after that, or from where he has marked them unread, that
   * are neither his nor deleted nor hidden nor replies in a thread, or of these name him; threads he has part in with such
   * replies. What the threads cost grows with their number, not with what is in them.
   */
  unread(user: string, rooms: readonly { room: string; visibleFrom: number }[]): Promise<UnreadRow[]>;
  /** The first entries of a log, those below its floor too that a crash kept from being removed. */
  front(room: string, limit: number): Promise<FrontEntry[]>;
  /**
   * Takes the entries below an offset out of the log, from its front; the last one always stays, so that no number is given
   * twice: an entry below the floor is refused like one whose offset is taken. With the messages go their earlier versions,
   * which stand at later entries, their reactions, their files, what their clientIds stood for, and the marks of those who got no further: these stand at the floor from now on.
   * Works in slices; where it rejects, calling it again goes on. Resolves to the floor, which never falls.
   */
  trim(room: string, before: number): Promise<number>;
  /** Drops the marks of a user in a room, his part in its threads, what he has hidden there, and that messages name him. */
  forget(room: string, user: string): Promise<void>;
  /** Ends what the store does by itself. */
  close(): Promise<void>;
}

/** Where a message stands. */
export interface Place {
  room: string;
  seq: number;
}

export interface ThreadPage {
  /** `readSeq`: null for who has no part in it, and to whom it has no unread replies. */
  items: { root: string; unread: number; mentions: number; readSeq: number | null }[];
  total: number;
}

export interface UnreadRow {
  room: string;
  unread: number;
  mentions: number;
  lastSeq: number;
  /** The further of his two read marks. */
  readSeq: number;
  /** Where what he marked as unread begins. */
  unreadFrom?: number;
  /** Threads with unread replies, if there are any. */
  threads?: number;
}

/** When an entry was made: a message says so itself, all else has an id of ours, which is made with it. */
export function madeAt(createdAt: unknown, ids: readonly (string | null | undefined)[]): number | null {
  const told = typeof createdAt === "string" ? Date.parse(createdAt) : NaN;
  if (!Number.isNaN(told)) return told;
  for (const id of ids) {
    const at = id ? timeOf(id) : null;
    if (at !== null) return at;
  }
  return null;
}

/** An entry as readers get it: a change shows its message as it is `now`. */
export function eventOf(entry: Pick<Entry, "offset" | "seq" | "kind" | "data">, now?: Target): RoomEvent {
  const { offset, seq, kind, data } = entry;
  const event: RoomEvent = { offset, seq, kind, data: data ?? now?.data ?? GONE };
  if (now) event.target = { offset: now.offset, data: now.data };
  if (kind === "member") event.member = memberOf(event.data);
  return event;
}

type Target = NonNullable<RoomEvent["target"]>;

/** The first events, at least one, whose data is together at most so long. */
export function withinBytes(events: readonly RoomEvent[], maxBytes: number): RoomEvent[] {
  let bytes = 0;
  const end = events.findIndex(({ data }, index) => (bytes += data.length) > maxBytes && index > 0);
  return end === -1 ? [...events] : events.slice(0, end);
}

export interface ReadMark {
  user: string;
  read: number;
}
