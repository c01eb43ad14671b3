import { ERRORS } from "../../core/errors";
import { boolean, id, integer, list, shape, string, type Schema } from "./parts";

/** Files, and what the service says of itself. */
export const serviceSchemas = () => {
  return {
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
      signIn: shape({ registration: string({ enum: ["open", "invited", "closed"] }), guests: boolean }),
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
};
