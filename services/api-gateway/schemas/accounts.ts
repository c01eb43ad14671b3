import { PRESENCE_STATUSES } from "../../core/model";
import { ROLES } from "../../core/permissions";
import {
  body,
  id,
  integer,
  list,
  orNull,
  page,
  password,
  ref,
  shape,
  string,
  time,
  username,
  type Schema,
} from "./parts";

const profile = {
  "displayName?": orNull(string({ maxLength: 64 })),
  "avatarUrl?": orNull(string({ maxLength: 500 })),
  "bio?": orNull(string({ maxLength: 500, description: "May have several lines." })),
  "pronouns?": orNull(string({ maxLength: 40 })),
};

/** Accounts and users. */
export const accountSchemas = () => {
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
      "bio?": string(),
      "pronouns?": string(),
      "email?": string({ description: "Only of oneself and for administrators." }),
      roles: list(string({ enum: ROLES })),
      status: string({ enum: PRESENCE_STATUSES }),
      createdAt: time,
    }),
    UserPage: page("User"),
    UpdateProfile: body(profile),
    UpdateUser: body({
      ...profile,
      "roles?": list(string({ enum: ROLES })),
    }),
  } satisfies Record<string, Schema>;
};
