import { PERMISSIONS, ROLES } from "../../core/permissions";
import { SCOPES } from "../../core/scopes";
import { body, boolean, id, integer, list, ref, shape, string, time, username, type Schema } from "./parts";

const permissions = list(string({ enum: PERMISSIONS }));
const role = string({ enum: ROLES });
const scopes = list(string({ enum: SCOPES }));
const code = string({ description: "Of the app, or a recovery code." });
const personalToken = {
  id,
  name: string(),
  scopes,
  createdAt: time,
  expiresAt: time,
  "lastUsedAt?": string({ format: "date-time", description: "To the minute." }),
};

/** Second factors, tokens of programs, bots, and what roles allow. */
export const accessSchemas = () => {
  return {
    PasswordOnly: body({ password: string() }),
    PasswordAndCode: body({ password: string(), code }),
    Code: body({ code: string({ description: "Of the app." }) }),
    SecondFactor: shape({ enabled: boolean, "confirmedAt?": time, "recoveryCodesLeft?": integer(0) }),
    TotpSecret: shape({
      secret: string({ description: "Base32." }),
      uri: string({ description: "otpauth://..." }),
      qr: string({ description: "The same as an image that a camera reads: data:image/gif;base64,..." }),
    }),
    RecoveryCodes: shape({ recoveryCodes: list(string()) }),

    NewPersonalToken: body({
      name: string({ minLength: 1, maxLength: 100 }),
      scopes,
      "expiresInDays?": integer(1, { description: "90 unless given." }),
    }),
    PersonalToken: shape(personalToken),
    PersonalTokens: shape({ items: list(ref("PersonalToken")) }),
    MadePersonalToken: shape({ ...personalToken, token: string({ description: "Never shown again." }) }),
    Token: body({ token: string() }),
    ExchangedToken: shape({ accessToken: string({ description: "JWT." }), expiresIn: integer(1) }),
    Introspection: shape({
      active: boolean,
      "token_type?": string(),
      "sub?": id,
      "username?": string(),
      "scope?": string({ description: "Absent: all that the user may." }),
      "exp?": integer(0, { description: "Seconds since 1970." }),
      "iat?": integer(0),
      "iss?": string(),
      "aud?": string(),
      "sid?": string(),
      "roles?": list(role),
      "permissions?": permissions,
    }),

    OidcProviders: shape({ items: list(shape({ id: string(), name: string() })) }),
    OidcCode: body({ code: string(), "totp?": string({ description: "Of the second factor." }) }),
    OidcLink: body({
      "returnTo?": string(),
      "password?": string({ description: "Of an account that has one." }),
      "code?": code,
    }),
    Redirect: shape({ url: string({ description: "For the browser." }) }),
    Identities: shape({
      items: list(shape({ id, provider: string(), issuer: string(), "name?": string(), linkedAt: time })),
    }),

    NewBot: body({ username, "displayName?": string({ minLength: 1, maxLength: 64 }) }),
    Role: shape({ role, permissions }),
    Roles: shape({ items: list(ref("Role")), permissions }),
    RolePermissions: body({ permissions }),
  } satisfies Record<string, Schema>;
};
