import { SEND_BODY } from "./frames";
import {
  ERROR,
  FLAG,
  ID,
  MESSAGE,
  optional,
  REACTION,
  said,
  STATUS,
  TEXT,
  WHOLE,
  type Rule,
  type Rules,
} from "./shapes";

/**
 * What clients of SignalR and Socket.IO may ask for, what that is answered with and what they are told, on one page: it
 * checks their calls and makes the AsyncAPI document. A hub takes arguments by their place, Socket.IO an object with their
 * names.
 */

/** What an argument must look like, and what is said of one that does not. */
export const KINDS = {
  id: { rule: ID, complaint: "Give an id." },
  text: { rule: TEXT, complaint: "Give a text." },
  flag: { rule: FLAG, complaint: "Give true or false." },
  seq: { rule: { ...WHOLE, max: Number.MAX_SAFE_INTEGER }, complaint: "Give a whole number." },
  /** Of a hub a text or these fields in an object; of Socket.IO these fields beside the other arguments. */
  message: { rule: { type: "object", props: SEND_BODY }, complaint: "Give a text or a message." },
} as const satisfies Record<string, { rule: Rule; complaint: string }>;

export type Kind = keyof typeof KINDS;

export interface Argument {
  name: string;
  kind: Kind;
  optional?: true;
}

/** What calls complete with. Socket.IO acknowledges all of it beside `ok`, the hub gives `hub` alone if it is named. */
export const ANSWERS = {
  nothing: { fields: {} },
  position: {
    fields: {
      offset: { ...WHOLE, description: "Of the room's last entry." },
      lastSeq: { ...WHOLE, description: "Of its last message." },
    },
  },
  message: { fields: { message: MESSAGE }, hub: "message" },
  sent: {
    fields: { message: MESSAGE, duplicate: optional(said([true]), "It was sent before with this clientId.") },
    hub: "message",
  },
} as const satisfies Record<string, { fields: Rules; hub?: string }>;

export type AnswerName = keyof typeof ANSWERS;

/** What Socket.IO acknowledges a refused call with, beside `ok`; the hub says `CODE: detail`. */
export const REFUSAL = {
  code: ERROR.code,
  status: ERROR.status,
  detail: ERROR.detail,
  retryAfterMs: ERROR.retryAfterMs,
} satisfies Rules;

export interface Call {
  /** Its name at the hub. */
  hub: string;
  args: readonly Argument[];
  answer: AnswerName;
  summary: string;
}

const arg = (name: string, kind: Kind): Argument => ({ name, kind });
const channelId = arg("channelId", "id");
const id = arg("id", "id");

/** By the name of the event that Socket.IO's clients emit. */
export const CALLS = {
  join: {
    hub: "JoinChannel",
    args: [channelId, { name: "afterSeq", kind: "seq", optional: true }],
    answer: "position",
    summary:
      "Becomes a member of a public channel if need be, and reads it; with afterSeq what follows that message comes first.",
  },
  leave: {
    hub: "LeaveChannel",
    args: [channelId],
    answer: "nothing",
    summary: "Reads it no more; who is a member stays one.",
  },
  message: {
    hub: "SendMessage",
    args: [channelId, arg("payload", "message")],
    answer: "sent",
    summary: "Sends; under a clientId as often as one likes, it is stored once.",
  },
  typing: {
    hub: "Typing",
    args: [channelId, arg("isTyping", "flag")],
    answer: "nothing",
    summary: "Tells the others; ends by itself after 6 s.",
  },
  edit: {
    hub: "EditMessage",
    args: [id, arg("text", "text")],
    answer: "message",
    summary: "Changes a text of one's own.",
  },
  delete: { hub: "DeleteMessage", args: [id], answer: "message", summary: "Leaves a tombstone." },
  react: {
    hub: "React",
    args: [id, arg("emoji", "text"), arg("on", "flag")],
    answer: "message",
    summary: "Adds or takes away a reaction.",
  },
  read: {
    hub: "MarkRead",
    args: [channelId, arg("seq", "seq"), { name: "private", kind: "flag", optional: true }],
    answer: "nothing",
    summary: "Moves the read mark, never back; privately, others are told no more than that it has arrived.",
  },
  delivered: {
    hub: "MarkDelivered",
    args: [channelId, arg("seq", "seq")],
    answer: "nothing",
    summary: "Moves the mark of what has arrived.",
  },
} as const satisfies Record<string, Call>;

export type CallName = keyof typeof CALLS;

interface Event {
  summary: string;
  args: Rules;
}

const sent = "A message of a room one reads.";
const sentPrivately = "A message of a direct room; those need no join. targetUserId: who it is for.";
const changed = "Its text has changed.";
const deleted = "It is a tombstone now.";
const reacted = "Somebody reacted, or took it back.";
const types = "Somebody else types, or does not any more.";
const present = "How somebody is whom one has a direct room with.";

/** What the hub calls at its clients, with its arguments in their order. */
export const HUB_EVENTS = {
  ReceiveMessage: { summary: sent, args: { channelId: ID, message: MESSAGE } },
  ReceivePrivateMessage: { summary: sentPrivately, args: { targetUserId: ID, message: MESSAGE } },
  MessageUpdated: { summary: changed, args: { channelId: ID, message: MESSAGE } },
  MessageDeleted: { summary: deleted, args: { channelId: ID, message: MESSAGE } },
  ReactionChanged: { summary: reacted, args: { channelId: ID, reaction: { type: "object", props: REACTION } } },
  UserTyping: { summary: types, args: { channelId: ID, userId: ID, isTyping: FLAG } },
  UserPresenceUpdate: { summary: present, args: { userId: ID, status: STATUS } },
  UserConnected: { summary: "He was not there before.", args: { userId: ID } },
  UserDisconnected: { summary: "His last connection has ended.", args: { userId: ID } },
} as const satisfies Record<string, Event>;

export type HubEvent = keyof typeof HUB_EVENTS;

/** What Socket.IO's clients are told: one object each. */
export const SOCKETIO_EVENTS = {
  message: { summary: sent, args: { channelId: ID, message: MESSAGE } },
  "private-message": { summary: sentPrivately, args: { targetUserId: ID, message: MESSAGE } },
  "message-updated": { summary: changed, args: { channelId: ID, message: MESSAGE } },
  "message-deleted": { summary: deleted, args: { channelId: ID, message: MESSAGE } },
  reaction: { summary: reacted, args: { channelId: ID, ...REACTION } },
  typing: { summary: types, args: { channelId: ID, userId: ID, isTyping: FLAG } },
  presence: { summary: present, args: { userId: ID, status: STATUS } },
} as const satisfies Record<string, Event>;
