import type { Limits } from "../../core/limits";
import { ROOM_ROLES } from "../../core/permissions";
import { body, boolean, id, integer, list, orNull, page, ref, shape, string, time, type Schema } from "./parts";

/** Messages, marks and lists of rooms. */
export const messageSchemas = (limits: Limits) => {
  const text = string({ minLength: 1, maxLength: limits.text });
  const alone = { ...boolean, description: "Others are told that it has arrived, not that it was read." };
  const place = {
    unread: integer(0),
    mentions: integer(0),
    readSeq: integer(0, { description: "The further of one's two read marks, the private one too." }),
    "unreadFrom?": integer(1, {
      description: "Marked as unread: messages count from here, though the mark is beyond.",
    }),
    "threads?": integer(1, {
      description: "Threads one has part in with unread replies; absent where there are none.",
    }),
  };
  const metadata: Schema = { type: "object", description: `At most ${limits.metadata} bytes of JSON.` };
  return {
    Attachment: shape({
      id,
      url: string({ description: "Relative to the origin." }),
      mimeType: string(),
      size: integer(0),
      "name?": string(),
    }),
    Reaction: shape({ emoji: string(), count: integer(1), users: list(id, { description: "At most the first 20." }) }),
    Message: shape({
      id,
      channelId: string({ description: "The room's id, also of a conversation." }),
      senderId: id,
      text: string({ description: "Empty once deleted." }),
      attachments: list(ref("Attachment")),
      createdAt: time,
      seq: integer(1, { description: "Number among the room's messages." }),
      offset: integer(1, { description: "Number among the room's log entries." }),
      "clientId?": string(),
      "editedAt?": time,
      "deletedAt?": time,
      "replyTo?": id,
      "threadId?": string({ description: "The message its thread began with: it counts as unread there alone." }),
      "thread?": ref("ThreadSummary"),
      "mentions?": list(id),
      "mentionsAll?": { type: "boolean", description: "It names everybody in the room.", enum: [true] },
      "pinned?": ref("Pinned"),
      "reactions?": list(ref("Reaction")),
      "metadata?": metadata,
    }),
    ThreadSummary: shape({
      replies: integer(1, { description: "With those that are deleted." }),
      lastSeq: integer(1, { description: "Of the last reply." }),
      lastAt: time,
    }),
    Pinned: shape({ by: id, at: time }),
    MessagePage: page("Message"),
    MessageList: shape({ items: list(ref("Message")) }),
    Thread: shape({
      root: ref("Message"),
      following: { type: "boolean", description: "One has part in it: began it, replied, or was named there." },
      unread: integer(0, {
        description: "Replies of others after one's read mark there; not in what one does not follow.",
      }),
      mentions: integer(0, { description: "Those of them that name one." }),
      readSeq: integer(0, { description: "At least where the room was when one joined it last." }),
    }),
    ThreadPage: page("Thread"),
    Versions: shape({ items: list(ref("Version"), { description: "Oldest first, the newest 100." }) }),
    Version: shape({
      text: string(),
      at: time,
      "attachments?": list(ref("Attachment"), { description: "Of a message that was deleted in a room on hold." }),
    }),
    HistoryWindow: shape({
      items: list(ref("Message"), { description: "Oldest first." }),
      hasBefore: boolean,
      hasAfter: boolean,
      limit: integer(1, { description: "As applied: a larger one is cut to the maximum." }),
    }),
    History: { anyOf: [ref("MessagePage"), ref("HistoryWindow")] },
    SendMessage: body({
      text: string({ maxLength: limits.text, description: "Empty only with an attachment." }),
      "clientId?": orNull(
        string({
          pattern: "^[A-Za-z0-9_-]{1,64}$",
          description: "Makes the send repeatable: the same one again gives the same message.",
        }),
      ),
      "attachments?": orNull(
        list(
          { anyOf: [id, { type: "object", required: ["id"], properties: { id } }] },
          { maxItems: limits.attachments },
        ),
      ),
      "replyTo?": orNull(id),
      "threadId?": orNull(id),
      "metadata?": orNull(metadata),
    }),
    EditMessage: body({ text }),
    Mark: body({ seq: integer(0) }),
    ReadMark: body({ seq: integer(0), "private?": alone }),
    ReadAll: body({ "private?": alone }),
    UnreadMark: body({
      seq: integer(1, { description: `The first unread message; at most ${limits.markUnread} back from the last.` }),
    }),
    Receipts: shape({
      items: list(shape({ userId: id, state: string({ enum: ["sent", "delivered", "read"] }) })),
      page: integer(1),
      pageSize: integer(1, { description: "The maximum, unless another was asked for." }),
      total: integer(0, {
        description:
          "Of a large room (limits.largeRoom): its members less the sender. Who came after the message is left out of the pages, " +
          "which then are shorter.",
      }),
      "counts?": {
        ...shape({ sent: integer(0), delivered: integer(0), read: integer(0) }),
        description: "Of all; left out of a large room.",
      },
    }),
    UnreadList: shape({ items: list(shape({ roomId: id, lastSeq: integer(0), ...place })) }),
    RoomList: shape({
      items: list(
        shape({
          room: ref("ShownRoom"),
          lastMessage: {
            ...orNull(ref("Message")),
            description: "The last of the room's last 1,000 that is no reply in a thread and not hidden.",
          },
          lastSeq: integer(0),
          ...place,
        }),
      ),
      page: integer(1),
      pageSize: integer(1, { description: "As applied: a larger one is cut to 500." }),
      total: integer(0),
    }),
    OpenedRoom: shape({
      room: ref("ShownRoom"),
      role: orNull(string({ enum: ROOM_ROLES })),
      members: ref("MemberPage"),
      marks: shape({
        mine: orNull(shape({ ...place, deliveredSeq: integer(0) })),
        others: list(shape({ userId: id, read: integer(0), delivered: integer(0) }), {
          description: "Of the other members on that page.",
        }),
      }),
      history: shape({ items: list(ref("Message")), hasBefore: boolean, hasAfter: boolean }),
      pins: list(ref("Message"), { description: "The last pinned first." }),
      offset: integer(0, { description: "Subscribe from here, and nothing is missed." }),
      seq: integer(0, { description: "Of the last message then." }),
      epoch: string(),
    }),
  } satisfies Record<string, Schema>;
};
