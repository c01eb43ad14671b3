import { MAX_RETENTION_DAYS, type Limits } from "../../core/limits";
import { HISTORIES, ROOM_MODES } from "../../core/model";
import { ROOM_ROLES } from "../../core/permissions";
import {
  body,
  boolean,
  id,
  integer,
  list,
  orNull,
  page,
  ref,
  shape,
  string,
  time,
  username,
  type Schema,
} from "./parts";

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

/** Channels, conversations and who is in them. */
export const roomSchemas = (limits: Limits) => {
  const mode = string({
    enum: ROOM_MODES,
    description:
      "Who posts. announcement: owner and moderators; members read, react and reply in threads. readonly: owner and " +
      "moderators; members read.",
  });
  const slowMode = integer(0, {
    description: "Seconds between two messages of one member; owner and moderators do not wait.",
  });
  const history = string({
    enum: HISTORIES,
    description: "What newcomers of a private channel or a group may read: all, or what is said from their coming on.",
  });
  const archivedAt = { ...time, description: "Since when it is only read; absent: it is not archived." };
  const channel = {
    id,
    name: string(),
    isPrivate: boolean,
    "topic?": string(),
    history,
    "archivedAt?": archivedAt,
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
    history,
    "archivedAt?": archivedAt,
    createdBy: id,
    createdAt: time,
    ...kept(),
    "deletedAt?": deletedAt,
  };
  return {
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
    CreateChannel: body({ name: string(), "isPrivate?": boolean, "topic?": string(), "history?": history }),
    UpdateRoom: body({
      "name?": string(),
      "isPrivate?": boolean,
      "topic?": orNull(string()),
      "mode?": mode,
      "slowMode?": slowMode,
      "history?": history,
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
      "history?": history,
    }),
    Member: shape({
      userId: id,
      username,
      role: string({ enum: ROOM_ROLES }),
      joinedAt: time,
      "muted?": ref("Sanction"),
    }),
    MemberPage: page("Member"),
    MemberRange: shape({
      items: list(ref("Member"), { description: "In order of user id; with a prefix in order of name." }),
      hasAfter: { ...boolean, description: "There are more, or with a prefix of a large room there may be." },
      limit: integer(1, { description: "As applied: a larger one is cut to the maximum." }),
    }),
    Members: { anyOf: [ref("MemberPage"), ref("MemberRange")] },
    AddMember: body({ userId: id, "role?": string({ enum: ROOM_ROLES }) }),

    ShownConversation: shape({
      ...conversation,
      "members?": list(id, { description: "Left out of a group of more than 100." }),
      memberCount: integer(0),
    }),
    ShownRoom: { anyOf: [ref("Channel"), ref("ShownConversation")] },
  } satisfies Record<string, Schema>;
};
