import { AUDIENCES, NOTIFICATION_LEVELS } from "../../core/model";
import { body, boolean, integer, list, orNull, page, ref, shape, string, time, type Schema } from "./parts";

const AUDIENCE = string({ enum: AUDIENCES, description: "contacts: friends, and those of one's small rooms." });
const LEVEL = string({ enum: NOTIFICATION_LEVELS });
const LANGUAGE = string({ description: "BCP 47." });
const TIME_ZONE = string({ description: "Of the IANA database." });
const UI: Schema = { type: "object", description: "What clients keep here: at most 8 KiB of JSON." };
const TIME_OF_DAY = string({ pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$" });
const record = (additionalProperties: Schema): Schema => ({
  type: "object",
  description: "By the id of the room; at most 1,000.",
  additionalProperties,
});

/** Friends, blocks and preferences. */
export const relationSchemas = () => {
  const quiet = { from: TIME_OF_DAY, to: TIME_OF_DAY };
  return {
    Related: shape({ user: ref("User"), since: time }),
    RelatedPage: page("Related"),
    FriendRequests: shape({ incoming: list(ref("Related")), outgoing: list(ref("Related")) }),
    Befriended: shape({ state: string({ enum: ["requested", "friends"] }) }),
    UserIds: shape({ items: list(string()) }),

    Preferences: shape({
      "language?": LANGUAGE,
      "timeZone?": TIME_ZONE,
      notifications: shape({
        default: LEVEL,
        rooms: record(shape({ "level?": LEVEL, "mutedUntil?": time })),
        "doNotDisturb?": shape(quiet),
        email: boolean,
        push: boolean,
      }),
      privacy: shape({ find: AUDIENCE, write: AUDIENCE, presence: AUDIENCE, sendReadReceipts: boolean }),
      "ui?": UI,
      revision: integer(0, { description: "Grows with each change." }),
    }),
    UpdatePreferences: body({
      "language?": orNull(LANGUAGE),
      "timeZone?": orNull(TIME_ZONE),
      "notifications?": body({
        "default?": LEVEL,
        "rooms?": record(orNull(body({ "level?": orNull(LEVEL), "mutedUntil?": orNull(time) }))),
        "doNotDisturb?": orNull(body(quiet)),
        "email?": boolean,
        "push?": boolean,
      }),
      "privacy?": body({
        "find?": AUDIENCE,
        "write?": AUDIENCE,
        "presence?": AUDIENCE,
        "sendReadReceipts?": boolean,
      }),
      "ui?": orNull(UI),
    }),
  } satisfies Record<string, Schema>;
};
