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

/** Accounts and users. */
export const accountSchemas = () => {
  return {
    Register: body({ username, email: string({ format: "email", maxLength: 254 }), password }),
    Login: body({
      username: string({ description: "User name or e-mail." }),
      password: string(),
      "code?": string({ description: "Of the second factor." }),
    }),
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
      "bot?": { const: true, description: "A program." },
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
  } satisfies Record<string, Schema>;
};
