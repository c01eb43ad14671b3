import { ROLES, ROOM_ROLES } from "../core/permissions";
import { ERRORS } from "../core/errors";
import { MAX_RETENTION_DAYS, type Limits } from "../core/limits";
import { PRESENCE_STATUSES, ROOM_MODES } from "../core/model";

/** JSON Schemas (2020-12, as OpenAPI 3.1 has them) of everything REST takes and gives. */
export type Schema = Readonly<Record<string, unknown>>;

const string = (extra: Schema = {}): Schema => ({ type: "string", ...extra });
const integer = (minimum: number, extra: Schema = {}): Schema => ({ type: "integer", minimum, ...extra });
const boolean: Schema = { type: "boolean" };
const time = string({ format: "date-time" });
const id = string({ description: "A UUIDv7." });
const list = (items: Schema, extra: Schema = {}): Schema => ({ type: "array", items, ...extra });
const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: "null" }] });
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** An answer: fields may be added, so unknown ones are allowed. A name that ends in `?` may be missing. */
const shape = (fields: Record<string, Schema>): Schema => ({
  type: "object",
  required: Object.keys(fields).filter(name => !name.endsWith("?")),
  properties: Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name.replace("?", ""), schema])),
});

/** A request: unknown fields are refused. */
const body = (fields: Record<string, Schema>): Schema => ({ ...shape(fields), additionalProperties: false });

const page = (item: string): Schema =>
  shape({
    items: list(ref(item)),
    page: integer(1),
    pageSize: integer(1, { description: "As applied: a larger one is cut to the maximum." }),
    total: integer(0),
  });

const username = string({ pattern: "^[A-Za-z0-9_.-]{3,32}$" });
const password = string({ minLength: 8, description: "At most 72 bytes of UTF-8." });

/** What a room says of how long its messages are kept. */
const kept = () => ({
  "retentionDays?": integer(0, {
    description: "Days that messages are kept, 0: for ever; absent: as long as the installation says.",
  }),
});

/** Told to administrators alone, and in no event. */
const hold = () => ({
  "legalHold?": { ...boolean, description: "To administrators alone. True: nothing is lost, whoever deletes it." },
});

/** The components of the OpenAPI document by name. */
export function schemasOf(limits: Limits) {
  const text = string({ minLength: 1, maxLength: limits.text });
  const mode = string({
    enum: ROOM_MODES,
    description:
      "Who posts. announcement: owner and moderators; members read, react and reply in threads. readonly: owner and " +
      "moderators; members read.",
  });
  const slowMode = integer(0, {
    description: "Seconds between two messages of one member; owner and moderators do not wait.",
  });
  const channel = {
    id,
    name: string(),
    isPrivate: boolean,
    "topic?": string(),
    mode,
    slowMode,
    createdBy: id,
    createdAt: time,
    memberCount: integer(0),
    ...kept(),
  };
  const deletedAt = { ...time, description: "Only in the event that ends it." };
  const conversation = {
    id,
    type: string({ enum: ["direct", "group"] }),
    name: orNull(string()),
    createdBy: id,
    createdAt: time,
    ...kept(),
    "deletedAt?": deletedAt,
  };
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
    Register: body({ username, email: string({ format: "email", maxLength: 254 }), password }),
    Login: body({ username: string({ description: "User name or e-mail." }), password: string() }),
    Refresh: body({ refreshToken: string() }),
    Logout: body({ "refreshToken?": string() }),
    SignedIn: shape({
      user: ref("User"),
      accessToken: string({ description: "JWT." }),
      refreshToken: string(),
      expiresIn: integer(1, { description: "Seconds." }),
    }),

    User: shape({
      id,
      username,
      "displayName?": string(),
      "avatarUrl?": string(),
      "email?": string({ description: "Only of oneself and for administrators." }),
      roles: list(string({ enum: ROLES })),
      status: string({ enum: PRESENCE_STATUSES }),
      createdAt: time,
    }),
    UserPage: page("User"),
    UpdateProfile: body({ "displayName?": orNull(string()), "avatarUrl?": orNull(string()) }),
    UpdateUser: body({
      "displayName?": orNull(string()),
      "avatarUrl?": orNull(string()),
      "roles?": list(string({ enum: ROLES })),
    }),

    Channel: shape({
      ...channel,
      ...hold(),
      role: orNull(string({ enum: ROOM_ROLES, description: "The caller's role; null for those who are no members." })),
    }),
    ChannelPage: page("Channel"),
    SharedChannel: shape({ ...channel, "deletedAt?": deletedAt }),
    Conversation: shape({ ...conversation, ...hold(), members: list(id) }),
    ConversationPage: page("Conversation"),
    Room: { anyOf: [ref("Channel"), ref("Conversation")] },
    CreateChannel: body({ name: string(), "isPrivate?": boolean, "topic?": string() }),
    UpdateRoom: body({
      "name?": string(),
      "isPrivate?": boolean,
      "topic?": orNull(string()),
      "mode?": mode,
      "slowMode?": slowMode,
      "retentionDays?": orNull(
        integer(0, {
          maximum: MAX_RETENTION_DAYS,
          description: "Owners and administrators. 0: for ever; null: as long as the installation says.",
        }),
      ),
      "legalHold?": { ...boolean, description: "Administrators, in every room. Nothing is lost, whoever deletes it." },
    }),
    CreateConversation: body({
      type: string({ enum: ["direct", "group"] }),
      members: list(id, { maxItems: Math.min(limits.group, limits.groupMembers) }),
      "name?": string(),
    }),
    Member: shape({ userId: id, username, role: string({ enum: ROOM_ROLES }), joinedAt: time }),
    MemberPage: page("Member"),
    MemberRange: shape({
      items: list(ref("Member"), { description: "In order of user id; with a prefix in order of name." }),
      hasAfter: { ...boolean, description: "There are more, or with a prefix of a large room there may be." },
      limit: integer(1, { description: "As applied: a larger one is cut to the maximum." }),
    }),
    Members: { anyOf: [ref("MemberPage"), ref("MemberRange")] },
    AddMember: body({ userId: id, "role?": string({ enum: ROOM_ROLES }) }),

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
    ShownConversation: shape({
      ...conversation,
      "members?": list(id, { description: "Left out of a group of more than 100." }),
      memberCount: integer(0),
    }),
    ShownRoom: { anyOf: [ref("Channel"), ref("ShownConversation")] },
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

    File: shape({ id, url: string(), mimeType: string(), size: integer(0), name: string() }),
    FileLink: shape({ url: string({ description: "Opens without a token." }), expiresIn: integer(1) }),

    Health: shape({
      status: string({ enum: ["ok", "unavailable"] }),
      checks: { type: "object", additionalProperties: string({ enum: ["ok", "down"] }) },
      version: string(),
      uptime: integer(0, { description: "Seconds." }),
    }),
    Config: shape({
      version: string(),
      limits: { type: "object", additionalProperties: integer(1) },
      realtime: { type: "object", additionalProperties: string() },
    }),
    Problem: shape({
      type: string({ format: "uri-reference" }),
      title: string(),
      status: integer(400),
      code: string({ enum: Object.keys(ERRORS) }),
      "detail?": string(),
      "errors?": list(shape({ field: string(), message: string() })),
    }),
  } satisfies Record<string, Schema>;
}

export type SchemaName = keyof ReturnType<typeof schemasOf>;

/** Query parameters by name. Every route names those it takes; any other is refused. */
export const QUERY = {
  page: { schema: integer(1), description: "From 1." },
  pageSize: { schema: integer(1), description: "Cut to the maximum." },
  search: { schema: string(), description: "Part of a name." },
  before: { schema: integer(0), description: "Messages with a smaller seq." },
  after: { schema: integer(0), description: "Messages with a larger seq." },
  around: { schema: integer(0), description: "Messages on both sides of this seq." },
  limit: {
    schema: integer(1),
    description: "Items wanted; cut to the maximum. Alone: the newest messages, the first members.",
  },
  afterUser: {
    schema: string(),
    description: "Members after this user, in order of user id, which need not be a member.",
  },
  prefix: { schema: string(), description: "What the user name begins with, ignoring case. Not beside afterUser." },
  expires: { schema: string(), description: "Of a signed link." },
  signature: { schema: string(), description: "Of a signed link." },
  name: { schema: string(), description: "File name, for a raw body." },
  files: {
    schema: string({ enum: ["links"] }),
    description:
      "`links`: attachments have a `link` that opens them without a token for five minutes. Never the bytes.",
  },
} satisfies Record<string, { schema: Schema; description: string }>;

export type QueryName = keyof typeof QUERY;
