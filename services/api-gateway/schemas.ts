import type { Limits } from "../core/limits";
import { accessSchemas } from "./schemas/access";
import { auditQuery, auditSchemas } from "./schemas/audit";
import { accountSchemas } from "./schemas/accounts";
import { messageSchemas } from "./schemas/messages";
import { boolean, integer, string, type Schema } from "./schemas/parts";
import { relationSchemas } from "./schemas/relations";
import { roomSchemas } from "./schemas/rooms";
import { runningSchemas } from "./schemas/running";
import { serviceSchemas } from "./schemas/service";

/** The components of the OpenAPI document by name: everything REST takes and gives. */
export const schemasOf = (limits: Limits) => ({
  ...accountSchemas(),
  ...relationSchemas(),
  ...accessSchemas(),
  ...roomSchemas(limits),
  ...runningSchemas(),
  ...messageSchemas(limits),
  ...auditSchemas(),
  ...serviceSchemas(),
});

export type SchemaName = keyof ReturnType<typeof schemasOf>;

/** Query parameters by name. Every route names those it takes; any other is refused. */
export const QUERY = {
  page: { schema: integer(1), description: "From 1." },
  pageSize: { schema: integer(1), description: "Cut to the maximum." },
  search: { schema: string(), description: "Part of a name." },
  archived: { schema: boolean, description: "Those that are archived, too." },
  before: {
    schema: { type: ["integer", "string"], minimum: 0 },
    description: "Messages with a smaller seq; records older than the one with this id.",
  },
  ...auditQuery,
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
  erase: {
    schema: boolean,
    description: "`true`: also all that he has said, his reactions, marks and files; tombstones stay.",
  },
  returnTo: { schema: string(), description: "Path of a page of this origin. `/` unless given." },
  code: { schema: string(), description: "Of the provider." },
  state: { schema: string(), description: "Of the sign-in." },
  iss: { schema: string(), description: "Of the provider." },
  error: { schema: string(), description: "Of the provider." },
  error_description: { schema: string(), description: "Of the provider." },
  files: {
    schema: string({ enum: ["links"] }),
    description:
      "`links`: attachments have a `link` that opens them without a token for five minutes. Never the bytes.",
  },
} satisfies Record<string, { schema: Schema; description: string }>;

export type QueryName = keyof typeof QUERY;
