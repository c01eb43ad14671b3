import type { AppendRequest, ImportOperation, RoomAccess, RoomRules, UserOperation } from "../core/contract";
import { archivedRoom, invalidField, muted, RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import type { Attachment, Identity, Message, MessageVersion, Reaction } from "../core/model";
import { moderates } from "../core/permissions";
import { memberData } from "./member-entry";
import { mutedUntil } from "./mutes";
import { EVERYBODY, type Entry, type MessageChange, type StoredMessage } from "./message.store";

type Send = Extract<UserOperation, { op: "send" }>;

/** What the writer knows of its room when it decides about one request. All of it holds at the offset the entry gets. */
export interface Situation {
  /** Offset and seq the entry gets if it becomes one. */
  offset: number;
  seq: number;
  /** Offset of the first entry of the batch. */
  batch: number;
  /** Under which the entry is stored; of the writer's making where the request has none. */
  clientId: string;
  /** RFC 3339. */
  now: string;
  /** What the user may do here; undefined for the rooms service's own entries. */
  access: RoomAccess | undefined;
  rules: RoomRules;
  /** The message that the request names, if it is of this room. */
  target: StoredMessage | undefined;
  /** The message that began the thread it is for, if it is of this room. */
  root: StoredMessage | undefined;
  /** What stands already under the id of an imported message. */
  existing?: StoredMessage | undefined;
  /** Of the target, in the order they came. */
  reactions: readonly { emoji: string; user: string }[];
  attachments: readonly Attachment[];
  /** Whom the text names: members of the room, or `EVERYBODY`. */
  mentions: readonly string[];
  hash: string | null;
  /** Milliseconds until the room's slow mode lets the user send again. */
  waits: number;
  /** Messages that are pinned. */
  pins: number;
  maxEmoji: number;
  maxPins: number;
  /** What is deleted is kept, for those who manage channels alone. */
  hold: boolean;
}

/** Either an entry to store, or nothing to do and the answer at once. */
export type Decision = { entry: Entry } | { unchanged: StoredMessage };

/** SENDER of entries that services write: no user can have this id. */
export const ROOMS = "rooms";

/** What services and users ask for; what operators import is decided elsewhere. */
export interface Asked extends Pick<AppendRequest, "room" | "user"> {
  entry: Exclude<AppendRequest["entry"], ImportOperation>;
}

/** Throws RookeryError where the request is refused. */
export function decide({ room, user, entry: operation }: Asked, at: Situation): Decision {
  switch (operation.op) {
    case "member": {
      const data = memberData(operation.user, operation.change, operation);
      return { entry: { ...blank(at, "member"), sender: ROOMS, data: JSON.stringify(data) } };
    }
    case "room":
      return { entry: { ...blank(at, "room"), sender: ROOMS, data: JSON.stringify(operation.room) } };
    case "user":
      return { entry: { ...blank(at, "user"), sender: ROOMS, data: JSON.stringify(operation.note) } };
    case "expire": {
      if (!at.target) throw new RookeryError("NOT_FOUND");
      // A hold may have come since its time was looked at.
      if (at.target.deleted || at.hold) return { unchanged: at.target };
      return deleted(at, at.target, ROOMS, at.now);
    }
    case "erase": {
      if (!at.target) throw new RookeryError("NOT_FOUND");
      return at.target.deleted ? { unchanged: at.target } : deleted(at, at.target, ROOMS, at.now);
    }
    case "eraseReaction": {
      if (!at.target) throw new RookeryError("NOT_FOUND");
      return reacted(at, at.target, operation.by, operation.emoji, false);
    }
    case "send":
      return { entry: sent(room, user, operation, at) };
    case "edit": {
      const target = visible(at);
      const sender = member(at, user);
      if (target.sender !== sender.id) throw new RookeryError("FORBIDDEN", "Only the sender edits a message.");
      if (target.deleted) throw new RookeryError("CONFLICT", "The message is deleted.");
      const message = JSON.parse(target.data) as Message;
      writable(at, sender, message.threadId !== undefined);
      if (operation.text === "" && message.attachments.length === 0) throw invalidField("text", "Give a text.");
      if (message.text === operation.text) return { unchanged: target };
      const { mentions: _named, mentionsAll: _all, ...rest } = message;
      const edited = { ...rest, text: operation.text, editedAt: at.now, ...named(at.mentions) };
      const { entry } = changed(at, "edit", sender, edited, { version: versionOf(message), mentions: at.mentions });
      const { thread: root } = target;
      const called = root !== undefined && at.mentions.length > 0;
      return { entry: called ? { ...entry, calls: { root, users: at.mentions } } : entry };
    }
    case "delete": {
      const target = visible(at);
      const remover = signedIn(user);
      if (target.sender !== remover.id && !runs(at, remover)) throw new RookeryError("FORBIDDEN", "Not your message.");
      return target.deleted ? { unchanged: target } : deleted(at, target, remover.id, at.now);
    }
    case "react": {
      const target = visible(at);
      const reactor = member(at, user);
      writable(at, reactor, true);
      return reacted(at, target, reactor.id, operation.emoji, operation.on);
    }
    case "pin": {
      const target = visible(at);
      const pinner = member(at, user);
      heard(at);
      const pins = runs(at, pinner) || (at.rules.kind !== "channel" && at.access?.role !== "guest");
      if (!pins) throw new RookeryError("FORBIDDEN");
      if (target.deleted) throw new RookeryError("CONFLICT", "The message is deleted.");
      return pinnedBy(at, target, pinner.id, operation.on, at.now);
    }
  }
}

function sent(room: string, user: Identity | undefined, operation: Send, at: Situation): Entry {
  const sender = member(at, user);
  if (operation.replyTo !== undefined) replied(at);
  const root = operation.threadId === undefined ? undefined : begun(at);
  mayPost(at, sender, root !== undefined);
  const seq = at.seq + 1;
  const message: Message = {
    id: newId(),
    channelId: room,
    senderId: sender.id,
    text: operation.text,
    attachments: [...at.attachments],
    createdAt: at.now,
    seq,
    offset: at.offset,
    ...(operation.clientId !== undefined && { clientId: operation.clientId }),
    ...(operation.replyTo !== undefined && { replyTo: operation.replyTo }),
    ...(root && { threadId: root.id }),
    ...named(at.mentions),
    ...(operation.metadata && Object.keys(operation.metadata).length > 0 && { metadata: operation.metadata }),
  };
  return {
    ...blank(at, "message"),
    seq,
    id: message.id,
    sender: sender.id,
    hash: at.hash,
    mentions: at.mentions,
    files: at.attachments.map(({ id }) => id),
    data: JSON.stringify(message),
    ...(root && { thread: { root: root.seq, starter: root.senderId }, change: continued(root, message) }),
  };
}

/** The message that a thread began with, once there is another reply. An imported one may be deleted, and stays so. */
export function continued({ thread, ...root }: Message, { seq, createdAt }: Message): MessageChange {
  const replies = (thread?.replies ?? 0) + 1;
  return {
    offset: root.offset,
    data: JSON.stringify({ ...root, thread: { replies, lastSeq: seq, lastAt: createdAt } }),
    ...(root.deletedAt !== undefined && { deleted: true as const }),
  };
}

function named(mentions: readonly string[]): Pick<Message, "mentions" | "mentionsAll"> {
  const users = mentions.filter(user => user !== EVERYBODY);
  return {
    ...(users.length > 0 && { mentions: users }),
    ...(users.length < mentions.length && { mentionsAll: true }),
  };
}

export function reacted(at: Situation, target: StoredMessage, user: string, emoji: string, on: boolean): Decision {
  if (target.deleted) throw new RookeryError("CONFLICT", "The message is deleted.");
  const had = at.reactions.some(reaction => reaction.emoji === emoji && reaction.user === user);
  if (had === on) return { unchanged: target };
  const others = at.reactions.filter(reaction => reaction.emoji !== emoji || reaction.user !== user);
  const reactions = summary(on ? [...others, { emoji, user }] : others);
  if (reactions.length > at.maxEmoji) throw new RookeryError("INVALID", `At most ${at.maxEmoji} different emoji.`);
  const { reactions: _old, ...message } = JSON.parse(target.data) as Message;
  const data = JSON.stringify({ messageId: target.id, userId: user, emoji, on });
  const decision = changed(
    at,
    "reaction",
    { id: user },
    { ...message, ...(reactions.length > 0 && { reactions }) },
    { reaction: { emoji, user, on } },
  );
  return { entry: { ...decision.entry, data } };
}

export function blank(at: Situation, kind: Entry["kind"]): Omit<Entry, "sender" | "data"> {
  const { offset, seq, batch, clientId } = at;
  return { offset, seq, kind, batch, id: null, clientId, hash: null };
}

export function changed(
  at: Situation,
  kind: Entry["kind"],
  user: Pick<Identity, "id">,
  message: Message,
  more: Partial<MessageChange> = {},
): { entry: Entry } {
  const change = { offset: message.offset, data: JSON.stringify(message), ...more };
  return { entry: { ...blank(at, kind), sender: user.id, data: null, change } };
}

/** @param since RFC 3339 */
export function pinnedBy(at: Situation, target: StoredMessage, by: string, on: boolean, since: string): Decision {
  const { pinned, ...message } = JSON.parse(target.data) as Message;
  if ((pinned !== undefined) === on) return { unchanged: target };
  if (on && at.pins >= at.maxPins) throw new RookeryError("CONFLICT", `At most ${at.maxPins} messages are pinned.`);
  const now = { ...message, ...(on && { pinned: { by, at: since } }) };
  const data = JSON.stringify({ messageId: target.id, userId: by, on });
  return { entry: { ...changed(at, "pin", { id: by }, now, { pinned: on }).entry, data } };
}

/** In a room on hold the deletion keeps what the message was, and so what it was before. */
export function deleted(at: Situation, target: StoredMessage, by: string, when: string): Decision {
  const message = JSON.parse(target.data) as Message;
  const kept = at.hold && { version: versionOf(message, message.attachments) };
  return changed(at, "delete", { id: by }, tombstone(message, when), { deleted: true, ...kept });
}

function versionOf({ text, editedAt, createdAt }: Message, attachments: readonly Attachment[] = []): string {
  const version: MessageVersion = { text, at: editedAt ?? createdAt };
  return JSON.stringify({ ...version, ...(attachments.length > 0 && { attachments }) });
}

function signedIn(user: Identity | undefined): Identity {
  if (!user) throw new RookeryError("UNAUTHENTICATED");
  return user;
}

/** Sending, editing and reacting need membership; what one may not read is not there. */
function member(at: Situation, user: Identity | undefined): Identity {
  const caller = signedIn(user);
  if (!at.access || at.access.denied) throw new RookeryError(at.access?.denied ?? "NOT_FOUND");
  if (at.access.role === null) throw new RookeryError("FORBIDDEN", "Join first.");
  return caller;
}

function visible(at: Situation): StoredMessage {
  if (!at.access || at.access.denied) throw new RookeryError(at.access?.denied ?? "NOT_FOUND");
  if (!at.target || at.target.offset <= at.access.visibleFrom) throw new RookeryError("NOT_FOUND");
  return at.target;
}

const runs = (at: Situation, user: Identity): boolean => moderates(user, at.access?.role);

/** Whoever he is: nobody writes in an archived room, nor who is muted. Who of two blocks the other is not said. */
function heard({ rules, access, now }: Situation): void {
  if (rules.archived) throw archivedRoom();
  const until = mutedUntil(access, now);
  if (until !== undefined) throw muted(until);
  if (access?.blocked) throw new RookeryError("FORBIDDEN", "Nothing can be written here.");
}

/** @param aside it is no text of the main line: a reaction, or said in a thread */
function writable(at: Situation, user: Identity, aside: boolean): void {
  heard(at);
  if (at.rules.mode === "open" || runs(at, user)) return;
  if (at.rules.mode === "readonly") throw new RookeryError("FORBIDDEN", "This room is read-only.");
  if (!aside) throw new RookeryError("FORBIDDEN", "Only those who run this room post here; replies go into threads.");
}

function mayPost(at: Situation, user: Identity, inThread: boolean): void {
  writable(at, user, inThread);
  if (at.waits > 0 && !runs(at, user))
    throw new RookeryError("RATE_LIMITED", "This room is in slow mode.", { retryAfterMs: Math.ceil(at.waits) });
}

/** The message that a reply's thread began with. */
function begun(at: Situation): Message {
  const { root, access } = at;
  if (!root || root.offset <= (access?.visibleFrom ?? 0))
    throw invalidField("threadId", "There is no such message in this room.");
  if (root.deleted) throw new RookeryError("CONFLICT", "The message is deleted.");
  const message = JSON.parse(root.data) as Message;
  if (message.threadId !== undefined) throw invalidField("threadId", "Name the message that the thread began with.");
  return message;
}

function replied(at: Situation): void {
  if (!at.target || at.target.offset <= (at.access?.visibleFrom ?? 0))
    throw invalidField("replyTo", "There is no such message in this room.");
}

/** What is left of a deleted message: who, where and when, nothing of what it said. */
function tombstone(message: Message, now: string): Message {
  const { id, channelId, senderId, createdAt, seq, offset, clientId, replyTo, threadId, thread } = message;
  return {
    id,
    channelId,
    senderId,
    text: "",
    attachments: [],
    createdAt,
    seq,
    offset,
    ...(clientId !== undefined && { clientId }),
    ...(replyTo !== undefined && { replyTo }),
    ...(threadId !== undefined && { threadId }),
    ...(thread !== undefined && { thread }),
    deletedAt: now,
  };
}

const SHOWN_USERS = 20;

/** Reactions as a message shows them: by emoji in the order of the first. */
export function summary(reactions: readonly { emoji: string; user: string }[]): Reaction[] {
  const byEmoji = new Map<string, Reaction>();
  for (const { emoji, user } of reactions) {
    const shown = byEmoji.get(emoji) ?? { emoji, count: 0, users: [] };
    byEmoji.set(emoji, shown);
    shown.count++;
    if (shown.users.length < SHOWN_USERS) shown.users.push(user);
  }
  return [...byEmoji.values()];
}
