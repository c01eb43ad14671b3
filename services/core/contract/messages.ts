import type { Told, ToldAnswer } from "../shared-counter";
import type {
  HistoryWindow,
  Message,
  MessageVersion,
  OpenedRoom,
  Page,
  Receipt,
  ReceiptState,
  RoomLine,
  Thread,
  Unread,
} from "../model";
import type { SendBody } from "../send";
import type { AppendAnswer, AppendRequest, LogHead, LogRange, Turn } from "./log";
import type { Paging } from "./paging";

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

export interface MessagesActions {
  /** Between nodes, to be called with the node: what users have sent, and what more they want to send. */
  "messages.spend": { params: { limit: string; items: Told[] }; returns: ToldAnswer[] };
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
  /**
   * Empties the next messages of a user in a room, and takes back his reactions, in the order of `exportOwn` behind `after`;
   * `next` null: that was all. May be repeated.
   */
  "messages.erase": {
    params: { room: string; user: string; after: string };
    returns: { erased: number; next: string | null };
  };
  /** Drops how far a user has read a room and what he has hidden there; with his own id for the room, his feed. */
  "messages.forget": { params: { room: string; user: string }; returns: null };
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
}
