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

const role = string({ enum: ["member", "guest"] });
const count = orNull(integer(1, { description: "How many may come by it; null: as many as like." }));

const sanction = {
  by: orNull(id),
  at: time,
  "until?": { ...time, description: "When it ends by itself; absent: when somebody ends it." },
  "reason?": string(),
};

const invite = {
  id,
  last4: string({ description: "The last characters of its code." }),
  role,
  uses: count,
  used: integer(0),
  createdBy: id,
  createdAt: time,
  expiresAt: time,
  active: {
    ...boolean,
    description: "It lets somebody in as things stand: who made it still may make one, and the room is not archived.",
  },
};

/** Bans, mutes and links of rooms. */
export const runningSchemas = () =>
  ({
    Transfer: body({ userId: id }),
    Sentence: body({
      "until?": orNull({ ...time, description: "When it ends by itself; null or absent: when somebody ends it." }),
      "reason?": orNull(string({ maxLength: 300 })),
    }),
    Sanction: {
      ...shape(sanction),
      description: "Of members it is told to those who run the room, and to themselves.",
    },
    Ban: shape({ userId: id, username, ...sanction }),
    BanPage: page("Ban"),
    CreateInvite: body({
      "expiresInHours?": integer(1, { maximum: 8_760, description: "A week unless it is said." }),
      "uses?": count,
      "role?": { ...role, description: "As what they come: member unless it is said." },
    }),
    Invite: shape(invite),
    NewInvite: shape({
      ...invite,
      code: string({ description: "Told this once: of a link that is lost a new one is made." }),
      url: string({ description: "Relative to the origin." }),
    }),
    InviteList: shape({ items: list(ref("Invite")) }),
    Invitation: shape({
      room: shape({
        id,
        type: string({ enum: ["channel", "group", "direct"] }),
        name: orNull(string()),
        "topic?": string(),
        isPrivate: boolean,
        memberCount: integer(0),
      }),
      invitedBy: shape({ id, username: string() }),
      role,
      expiresAt: time,
      member: { ...boolean, description: "The caller is in already." },
    }),
  }) satisfies Record<string, Schema>;
