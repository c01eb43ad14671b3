import type { Collection, Db, IndexDescription } from "mongodb";
import type { EntryKind } from "../core/room-bus";
import { keyText } from "./job";
import { marksOf } from "./marks";
import type { Entry, MessageChange, StoredMessage, ThreadPart } from "./message.store";
import { ownOf } from "./threads";

/** One line of a room's log as MongoDB holds it. The row of a message also carries what the message is now. */
export interface EntryDocument {
  /** Room and offset: sorts as they do and is their uniqueness. */
  _id: string;
  room: string;
  offset: number;
  seq: number;
  kind: EntryKind;
  batch: number;
  id?: string;
  sender: string;
  /** Sender and clientId in one text: unique in the room, and many are looked up by one list. */
  key: string;
  hash?: string;
  data: string | null;
  /** Offset of the message that the entry changes. */
  target?: number;
  /**
   * What it changes, or that it gives users something, until that is applied: no text that was edited away or deleted may stay
   * here.
   */
  pending?: Omit<MessageChange, "offset" | "version"> | Owed;
  /** Offset of the last change applied to the message. */
  state: number;
  deleted: boolean;
  /** Of a message that no room counts as unread: it is deleted, or a reply in a thread. */
  aside?: true;
  /** Of a reply in a thread: the message it began with. */
  thread?: ThreadPart;
  /** Of that message: seq of the last reply. */
  replied?: number;
  /** Of an edit: what the message said before. */
  version?: string;
  /** Offset of the pin. */
  pinned?: number;
  mentions?: string[];
  /** Of an edit of a reply. */
  calls?: NonNullable<Entry["calls"]>;
  files?: string[];
}

/**
 * Of an entry that moves marks, or what users have of threads and messages. A plain message has none, since all of them would
 * be written twice: where its writer died, it was not acknowledged, and its sender's mark waits for whoever writes next.
 */
interface Owed {
  users: true;
}

export const ENTRIES = "entries";

export const entriesIn = (db: Db): Collection<EntryDocument> => db.collection(ENTRIES);

/** Name and promise of each index; the uniqueness of (room, offset) is that of `_id`. */
export const ENTRY_INDEXES: IndexDescription[] = [
  { name: "seq", key: { room: 1, seq: 1 }, unique: true, partialFilterExpression: { kind: "message" } },
  { name: "key", key: { room: 1, key: 1 }, unique: true },
  { name: "id", key: { id: 1 }, unique: true, partialFilterExpression: { id: { $exists: true } } },
  { name: "files", key: { files: 1, room: 1, offset: 1 }, partialFilterExpression: { files: { $exists: true } } },
  { name: "mentions", key: { mentions: 1, room: 1, seq: 1 }, partialFilterExpression: { mentions: { $exists: true } } },
  { name: "aside", key: { room: 1, aside: 1, seq: 1 }, partialFilterExpression: { aside: true } },
  {
    name: "thread",
    key: { room: 1, "thread.root": 1, seq: 1 },
    partialFilterExpression: { "thread.root": { $exists: true } },
  },
  { name: "replied", key: { room: 1, replied: 1 }, partialFilterExpression: { replied: { $exists: true } } },
  { name: "version", key: { room: 1, target: 1, offset: 1 }, partialFilterExpression: { version: { $exists: true } } },
  {
    name: "kept",
    key: { room: 1, target: 1 },
    partialFilterExpression: { kind: "delete", version: { $exists: true } },
  },
  { name: "pinned", key: { room: 1, pinned: 1 }, partialFilterExpression: { pinned: { $exists: true } } },
  { name: "pending", key: { target: 1 }, partialFilterExpression: { pending: { $exists: true } } },
];

/** Characters of an offset in base 36: enough for every safe integer. */
const WIDTH = 11;

/** `_id` of the entry at an offset. */
export const entryId = (room: string, offset: number): string => `${room}:${offset.toString(36).padStart(WIDTH, "0")}`;

/** `_id`s of what belongs to a room and follows `after`; with 0, of all of it. */
export const idsAfter = (room: string, after: number) => ({ $gt: entryId(room, after), $lt: `${room};` });

/** `_id`s of what belongs to a room and to offsets below one. */
export const idsBelow = (room: string, offset: number) => ({ $gt: `${room}:`, $lt: entryId(room, offset) });

export function documentOf(room: string, entry: Entry): EntryDocument {
  const { offset, seq, kind, batch, id, sender, hash, data, change, thread, calls, mentions = [], files = [] } = entry;
  const { offset: target, version, ...pending } = change ?? {};
  return {
    _id: entryId(room, offset),
    room,
    offset,
    seq,
    kind,
    batch,
    ...(id !== null && { id }),
    sender,
    key: keyText(entry),
    ...(hash !== null && { hash }),
    data,
    ...(change && { target: target as number, pending: pending as NonNullable<EntryDocument["pending"]> }),
    ...(owes(room, entry) && { pending: { users: true } }),
    state: offset,
    deleted: false,
    ...(thread && { thread, aside: true as const }),
    ...(calls && { calls }),
    ...(version !== undefined && { version }),
    ...(mentions.length > 0 && { mentions: [...mentions] }),
    ...(files.length > 0 && { files: [...files] }),
  };
}

/**
 * Whether users are given something by an entry that changes no message: marks, a part in a thread, a message hidden. Not so
 * of plain messages, which are the most, and would be written twice.
 */
export function owes(room: string, entry: Entry): boolean {
  if (entry.kind === "message" || entry.change) return false;
  return ownOf(room, entry).length > 0 || [...marksOf(room, [entry]).values()].some(marks => marks.length > 0);
}

/** The entry as it was written; what was applied already is no longer in it. */
export function entryOf(document: EntryDocument): Entry {
  const { offset, seq, kind, batch, id = null, sender, key, hash = null, data, target, pending } = document;
  const { thread, calls, mentions, version } = document;
  const clientId = key.slice(sender.length + 1);
  const entry: Entry = { offset, seq, kind, batch, id, sender, clientId, hash, data };
  if (target !== undefined && pending && "data" in pending)
    entry.change = { offset: target, ...pending, ...(version !== undefined && { version }) };
  if (thread) Object.assign(entry, { thread, mentions: mentions ?? [] });
  if (calls) entry.calls = calls;
  return entry;
}

/** Entries by room, each in order. */
export function byRoom(documents: readonly EntryDocument[]): Map<string, Entry[]> {
  const rooms = new Map<string, Entry[]>();
  for (const document of documents) rooms.set(document.room, [...(rooms.get(document.room) ?? []), entryOf(document)]);
  for (const entries of rooms.values()) entries.sort((one, other) => one.offset - other.offset);
  return rooms;
}

export function messageOf(document: EntryDocument): StoredMessage {
  const { room, id = "", offset, seq, sender, hash = null, deleted, data, thread } = document;
  return { room, id, offset, seq, sender, hash, deleted, data: data ?? "null", ...(thread && { thread: thread.root }) };
}
