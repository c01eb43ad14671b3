/**
 * What clients of SignalR and Socket.IO may ask for and what they are told, on one page: it checks their calls and makes the
 * AsyncAPI document. A hub takes arguments by their place, Socket.IO an object with their names.
 */

/** `message`: of a hub a text or the body of a send; of Socket.IO the fields of that body beside the others. */
export type Kind = "id" | "text" | "flag" | "seq" | "message";

export interface Argument {
  name: string;
  kind: Kind;
  optional?: true;
}

export interface Call {
  /** Its name at the hub. */
  hub: string;
  args: readonly Argument[];
  /** What it completes with, besides that it was done. */
  answer?: "position" | "message";
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
  leave: { hub: "LeaveChannel", args: [channelId], summary: "Reads it no more; who is a member stays one." },
  message: {
    hub: "SendMessage",
    args: [channelId, arg("payload", "message")],
    answer: "message",
    summary: "Sends; under a clientId as often as one likes, it is stored once.",
  },
  typing: {
    hub: "Typing",
    args: [channelId, arg("isTyping", "flag")],
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
  read: { hub: "MarkRead", args: [channelId, arg("seq", "seq")], summary: "Moves the read mark, never back." },
  delivered: {
    hub: "MarkDelivered",
    args: [channelId, arg("seq", "seq")],
    summary: "Moves the mark of what has arrived.",
  },
} as const satisfies Record<string, Call>;

export type CallName = keyof typeof CALLS;

/** What the hub calls at its clients, with the names of the arguments. */
export const HUB_EVENTS = {
  ReceiveMessage: ["channelId", "message"],
  ReceivePrivateMessage: ["targetUserId", "message"],
  MessageUpdated: ["channelId", "message"],
  MessageDeleted: ["channelId", "message"],
  ReactionChanged: ["channelId", "reaction"],
  UserTyping: ["channelId", "userId", "isTyping"],
  UserPresenceUpdate: ["userId", "status"],
  UserConnected: ["userId"],
  UserDisconnected: ["userId"],
} as const satisfies Record<string, readonly string[]>;

export type HubEvent = keyof typeof HUB_EVENTS;

/** What Socket.IO's clients are told: one object each. */
export const SOCKETIO_EVENTS = {
  message: ["channelId", "message"],
  "private-message": ["targetUserId", "message"],
  "message-updated": ["channelId", "message"],
  "message-deleted": ["channelId", "message"],
  reaction: ["channelId", "messageId", "userId", "emoji", "on"],
  typing: ["channelId", "userId", "isTyping"],
  presence: ["userId", "status"],
} as const satisfies Record<string, readonly string[]>;
