import { PRESENCE_STATUSES } from "../../core/model";
import { ROLES } from "../../core/permissions";
import {
  body,
  boolean,
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

const email = string({ format: "email", maxLength: 254 });
const code = string({ description: "Of the second factor, if there is one." });

const invitation = {
  id,
  "email?": string({ description: "Only who registers with this address may use it." }),
  roles: list(string({ enum: ROLES })),
  uses: integer(1),
  used: integer(0),
  createdBy: id,
  createdAt: time,
  expiresAt: time,
};

/** Accounts and users. */
export const accountSchemas = () => {
  return {
    Register: body({
      username,
      email,
      password,
      "invitation?": string({ maxLength: 200, description: "Of `POST /api/invitations`." }),
    }),
    Guest: body({ "displayName?": string({ minLength: 1, maxLength: 64 }) }),
    MailToken: body({ token: string({ maxLength: 200, description: "What stands last in the link of the mail." }) }),
    MailAddress: body({ email }),
    ResetPassword: body({ token: string({ maxLength: 200 }), password, "code?": code }),
    ChangePassword: body({ currentPassword: string(), newPassword: password, "code?": code }),
    ChangeUsername: body({ password: string(), username, "code?": code }),
    ChangeEmail: body({ password: string(), email, "code?": code }),
    Password: body({ password: string(), "code?": code }),
    Login: body({
      username: string({ description: "User name or e-mail." }),
      password: string(),
      "code?": code,
    }),
    Refresh: body({ refreshToken: string() }),
    Logout: body({ "refreshToken?": string() }),
    Registered: shape({
      user: ref("User"),
      "accessToken?": string({ description: "JWT." }),
      "refreshToken?": string(),
      "expiresIn?": integer(1, { description: "Seconds." }),
      "secondFactor?": string({
        enum: ["required"],
        description: "The tokens are good for nothing but to set up a second factor; renew them after that.",
      }),
      "verification?": string({
        enum: ["required"],
        description: "In place of tokens: follow the link in the mail, then sign in.",
      }),
    }),
    SessionList: shape({
      items: list(
        shape({
          id,
          createdAt: time,
          lastUsedAt: time,
          "address?": string({ description: "Of the client, when its tokens were made last." }),
          "userAgent?": string(),
          current: boolean,
        }),
      ),
    }),
    AccountInvite: body({
      "email?": email,
      "roles?": list(string({ enum: ROLES }), { minItems: 1 }),
      "expiresInDays?": integer(1, { maximum: 365, default: 7 }),
      "uses?": integer(1, { maximum: 1_000, default: 1 }),
    }),
    AccountInvitation: shape(invitation),
    MadeAccountInvitation: shape({
      ...invitation,
      invitation: string({ description: "What `register` takes. Told here alone." }),
    }),
    AccountInvitationList: shape({ items: list(ref("AccountInvitation")) }),
    SignedIn: shape({
      user: ref("User"),
      accessToken: string({ description: "JWT." }),
      refreshToken: string(),
      expiresIn: integer(1, { description: "Seconds." }),
      "secondFactor?": string({
        enum: ["required"],
        description: "The tokens are good for nothing but to set up a second factor; renew them after that.",
      }),
    }),

    User: shape({
      id,
      username,
      "displayName?": string(),
      "avatarUrl?": string(),
      "bio?": string(),
      "pronouns?": string(),
      "email?": string({ description: "Only of oneself and for administrators." }),
      "bot?": { const: true, description: "A program." },
      roles: list(string({ enum: ROLES })),
      status: string({ enum: PRESENCE_STATUSES }),
      createdAt: time,
      "deactivated?": boolean,
    }),
    UserPage: page("User"),
    Erasure: shape({
      state: string({ enum: ["waiting", "running", "done"] }),
      requestedAt: time,
      "finishedAt?": time,
      rooms: integer(0, { description: "Done." }),
      messages: integer(0, { description: "Emptied." }),
    }),
    UpdateProfile: body(profile),
    UpdateUser: body({
      ...profile,
      "roles?": list(string({ enum: ROLES })),
    }),
  } satisfies Record<string, Schema>;
};
