import { FRIEND_STATES, type UserNotes } from "./model";
import type { ClientFrame, FrameType, ServerFrame } from "./protocol";
import type { EntryKind } from "./room-bus";
import {
  CHANGE,
  CODE,
  FLAG,
  ID,
  listOf,
  MESSAGE,
  oneOf,
  optional,
  REACTION,
  ROOM_ROLE,
  said,
  SELF,
  shape,
  STATUS,
  TEXT,
  WHOLE,
  type Rule,
  type Rules,
  type RulesOf,
} from "./shapes";

/** Every frame of the native wire, field by field: what a client says is checked by it, and all of it makes the AsyncAPI document. */

/** Of those frames the one with this `t`, without what all have. */
type Fields<Frame, T> = Frame extends { t: infer Own } ? (T extends Own ? Omit<Frame, "t" | "i"> : never) : never;

const SEQ = { ...WHOLE, description: "Number of a message in its room." };
const OFFSETS = { type: "record", key: ID, value: { ...WHOLE, nullable: true } };
const ROOMS = listOf(ID);
const ROOM_STATES = { type: "record", key: ID, value: shape("RoomState") };
const PRIVATELY = "For oneself alone: others are told that it has arrived, not that it was read.";
const UNTIL = "When a ban or a mute ends by itself; absent: when somebody ends it.";
const TOKEN = { ...TEXT, description: "An access token, from REST." };

/** What is sent, over every door; the hub and Socket.IO take it as it stands here. */
export const SEND_BODY = {
  text: optional(TEXT),
  clientId: { ...optional(TEXT), nullable: true },
  attachments: {
    ...optional({ type: "array", items: [ID, { type: "object", props: { id: ID } }] }, "Ids, or objects with one."),
    nullable: true,
  },
  replyTo: { type: "string", max: 200, optional: true, nullable: true },
  threadId: {
    ...optional({ type: "string", max: 200 }, "The message whose thread it belongs to."),
    nullable: true,
  },
  metadata: { type: "object", optional: true, nullable: true },
} as const satisfies Rules;

interface FrameRules<T extends FrameType> {
  summary: string;
  /** What it must look like. Bounds that are configuration are checked where they are used. */
  fields: RulesOf<Fields<ClientFrame, T>>;
  /** What it is answered with, besides `t` and `i`: hello by `welcome`, ping by `pong`, all else by `ok`. */
  answer: Rules;
}

export const answerType = (t: FrameType): "welcome" | "pong" | "ok" =>
  t === "hello" ? "welcome" : t === "ping" ? "pong" : "ok";

/** What clients say. */
export const FRAMES: { readonly [T in FrameType]: FrameRules<T> } = {
  hello: {
    summary: "Signs in, subscribes, and goes on where one was. The first frame, said once and within 5 s.",
    fields: {
      token: TOKEN,
      rooms: optional(
        OFFSETS,
        "Rooms to read actively, each with the last offset one has; null: from now on. Passive ones are subscribed to by sub.",
      ),
      epoch: optional(
        { type: "string", max: 100 },
        "As the last welcome had it. If the store has another now, rooms are reset.",
      ),
      n: { ...optional(WHOLE, "The last note of one's own feed that one has."), nullable: true },
    },
    answer: {
      user: { type: "object", props: SELF },
      session: { ...TEXT, description: "The sign-in; over /stream the name of the stream, for its POSTs." },
      epoch: { ...TEXT, description: "Of the store; offsets of another one mean nothing." },
      n: { ...WHOLE, description: "The last note of one's own feed." },
      feed: said(["live", "replayed", "reset"], "How one's own feed goes on, as the state of a room."),
      limits: { type: "record", key: TEXT, value: WHOLE, description: "The same as in GET /api/config." },
      rooms: { ...ROOM_STATES, description: "By id of the room." },
    },
  },
  sub: {
    summary: "Reads rooms. Who reads a room already reads it from now on as this says: the way from passive to active.",
    fields: {
      rooms: { ...ROOMS, min: 1 },
      from: optional(OFFSETS, "The last offset one has, by room; none or null: from now on."),
      mode: optional(
        said(["active", "passive"]),
        "passive: of large rooms only bumps come, and nothing is replayed, so from says nothing there; other rooms are " +
          "read actively all the same, and the state of each says which it is. That stays, however many members come or " +
          "go, until one subscribes again. To go on actively without a hole name the last offset one has. Active unless said.",
      ),
    },
    answer: { rooms: { ...ROOM_STATES, description: "By id of the room." } },
  },
  unsub: { summary: "Reads rooms no more; who is a member stays one.", fields: { rooms: ROOMS }, answer: {} },
  send: {
    summary: "Sends a message. Stored when it is answered; under a clientId as often as one likes, it is stored once.",
    fields: { room: ID, ...SEND_BODY },
    answer: {
      message: MESSAGE,
      duplicate: optional(said([true]), "It was sent before with this clientId: the message as it is now."),
    },
  },
  history: {
    summary: "A window of messages: the newest, or those before, after or around a seq.",
    fields: {
      room: ID,
      before: optional(SEQ),
      after: optional(SEQ),
      around: optional(SEQ),
      limit: optional({ ...WHOLE, min: 1 }, "Cut to the maximum."),
    },
    answer: { items: { ...listOf(MESSAGE), description: "Oldest first." }, hasBefore: FLAG, hasAfter: FLAG },
  },
  edit: {
    summary: "Changes the text of one's own message.",
    fields: { room: ID, id: ID, text: TEXT },
    answer: { message: MESSAGE },
  },
  delete: { summary: "Leaves a tombstone.", fields: { room: ID, id: ID }, answer: { message: MESSAGE } },
  react: {
    summary: "Adds a reaction, or takes it away.",
    fields: { room: ID, id: ID, emoji: { type: "string", min: 1, max: 64 }, on: optional(FLAG, "Unless false.") },
    answer: { message: MESSAGE },
  },
  read: {
    summary: "Moves the read mark, never back. What was marked unread is read. Others are not told in a large room.",
    fields: { room: ID, seq: SEQ, private: optional(FLAG, PRIVATELY) },
    answer: {},
  },
  delivered: { summary: "Moves the mark of what has arrived.", fields: { room: ID, seq: SEQ }, answer: {} },
  typing: {
    summary:
      "Tells the others; ends by itself after 6 s, so who goes on says it again: it is told again after 3 s at the earliest. " +
      "Nobody is told in a large room.",
    fields: { room: ID, on: optional(FLAG, "Unless false.") },
    answer: {},
  },
  watch: {
    summary: "Whose presence one is told of. Takes the place of those named before.",
    fields: { users: listOf(ID) },
    answer: {},
  },
  auth: { summary: "A new token of the same user, before the old one ends.", fields: { token: TOKEN }, answer: {} },
  call: {
    summary: "What REST can do, by name.",
    fields: { method: { type: "string", min: 1, max: 100 }, params: optional({ type: "object" }) },
    answer: { result: { type: "any" } },
  },
  ping: { summary: "Is anybody there?", fields: {}, answer: {} },
};

/** What happens in a room: the `data` of its events by their kind. */
export const EVENTS: { readonly [Kind in Exclude<EntryKind, "user">]: { summary: string; data: Rule } } = {
  message: { summary: "Somebody sent a message.", data: MESSAGE },
  edit: { summary: "A message has another text.", data: MESSAGE },
  delete: { summary: "A message is a tombstone now.", data: MESSAGE },
  reaction: { summary: "Somebody reacted, or took it back.", data: { type: "object", props: REACTION } },
  member: {
    summary:
      "Somebody came, left, was removed or banned, or has another role; is muted, or is not any more; is no longer banned.",
    data: {
      type: "object",
      props: {
        ...{ userId: ID, change: CHANGE, role: optional(ROOM_ROLE), until: optional(TEXT, UNTIL) },
        muted: optional(said([true]), "Of who comes, and was muted when he left."),
      },
    },
  },
  room: {
    summary: "The room itself has changed, or was deleted.",
    data: oneOf(shape("SharedChannel"), shape("Conversation")),
  },
  pin: {
    summary: "A message was pinned, or is not any more.",
    data: { type: "object", props: { messageId: ID, userId: ID, on: FLAG } },
  },
  hidden: {
    summary:
      "Something happened to a message from before one came, and one does not see what was said before. Nothing is told of " +
      "it but the offset, which is to be gone on from as from any other.",
    data: { type: "object", props: {} },
  },
};

type NoteRules<Kind extends keyof UserNotes> = { summary: string; data: RulesOf<UserNotes[Kind]> };

/** What a user's own feed tells him alone: the `data` of `user` frames by their kind. */
export const NOTES: { readonly [Kind in keyof UserNotes]: NoteRules<Kind> } & {
  readonly reset: { summary: string; data: Rules };
} = {
  member: {
    summary: "One has come into a room, has left it, is somebody else there, or is muted, or is not any more.",
    data: {
      roomId: ID,
      change: CHANGE,
      role: optional(ROOM_ROLE),
      by: optional(TEXT, "Who did it, unless it was oneself."),
      until: optional(TEXT, UNTIL),
      reason: optional(TEXT, "Of a ban or a mute, if one was given."),
      room: {
        ...oneOf(shape("Channel"), shape("Conversation")),
        optional: true,
        description: "As one sees it, when one has come in; not of a group of more than 100.",
      },
    },
  },
  read: {
    summary: "One's own read mark has moved, on whatever device. What was marked unread is read.",
    data: { roomId: ID, seq: SEQ, private: optional(said([true]), PRIVATELY) },
  },
  delivered: { summary: "The same of what has arrived.", data: { roomId: ID, seq: SEQ } },
  thread: {
    summary: "One's own read mark in a thread has moved.",
    data: {
      roomId: ID,
      threadId: { type: "string", description: "The message it began with." },
      root: { ...SEQ, description: "The number of that message." },
      seq: SEQ,
    },
  },
  hide: {
    summary: "One has taken a message out of one's own sight.",
    data: { roomId: ID, messageId: ID, seq: SEQ },
  },
  readAll: {
    summary: "The same as read, of many rooms at once and of all threads in them; there may be several such notes.",
    data: {
      marks: listOf({ type: "object", props: { roomId: ID, seq: SEQ } }),
      private: optional(said([true]), PRIVATELY),
    },
  },
  unread: {
    summary: "One has marked messages unread: they count again, until one reads or sends in the room.",
    data: {
      roomId: ID,
      seq: { ...SEQ, description: "The first of them." },
      offset: { ...WHOLE, description: "Of the room's last entry then: a message of one's own beyond it ends this." },
    },
  },
  friend: {
    summary: "What somebody is to one from now on, whoever of the two did it.",
    data: {
      userId: ID,
      state: said(
        FRIEND_STATES,
        "requested: one has asked to be friends. received: the other has. none: neither is so.",
      ),
    },
  },
  block: {
    summary: "One blocks somebody, or does not any more. The other is not told.",
    data: { userId: ID, on: FLAG },
  },
  preferences: {
    summary: "One's own preferences have changed: ask REST for them if one's own are of an earlier revision.",
    data: { revision: WHOLE },
  },
  reset: { summary: "Notes up to n were skipped: ask REST how things are.", data: {} },
};

type Plain = Exclude<ServerFrame["t"], "event" | "user">;

/** What the server says besides these, unasked. */
export const TOLD: { readonly [T in Plain]: { summary: string; fields: RulesOf<Fields<ServerFrame, T>> } } = {
  reset: {
    summary:
      "Events up to the offset were skipped and are not sent any more; the next is the one after it. Fetch history.",
    fields: { room: ID, offset: WHOLE },
  },
  unsub: { summary: "One may not read the room any more.", fields: { room: ID, code: CODE } },
  bump: {
    summary:
      "In a room that is read passively something has happened: how far it is now. About once a second at most; " +
      "fetch history, or subscribe actively.",
    fields: {
      room: ID,
      offset: { ...WHOLE, description: "Of the room's last entry." },
      seq: { ...WHOLE, description: "Of its last message." },
    },
  },
  read: { summary: "Somebody has read up to a message.", fields: { room: ID, user: ID, seq: SEQ } },
  delivered: { summary: "Messages have arrived at somebody's.", fields: { room: ID, user: ID, seq: SEQ } },
  typing: { summary: "Somebody else types, or does not any more.", fields: { room: ID, user: ID, on: FLAG } },
  presence: {
    summary: "Of those one watches: how they are, and when that changes.",
    fields: { changes: listOf({ type: "object", props: { user: ID, status: STATUS } }) },
  },
  expiring: {
    summary: "The token ends soon: say auth with a new one.",
    fields: { inMs: { ...WHOLE, description: "Milliseconds." } },
  },
  reconnect: {
    summary: "This gateway closes: come back after that time, elsewhere.",
    fields: { afterMs: { ...WHOLE, description: "Milliseconds." } },
  },
};
