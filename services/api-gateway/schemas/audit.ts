import { AUDIT_TYPES } from "../../core/audit";
import { boolean, id, list, orNull, ref, shape, string, time, type Schema } from "./parts";

const type = string({ enum: [...AUDIT_TYPES] });
const result = string({ enum: ["ok", "refused"] });

/** Who did what. */
export const auditSchemas = () =>
  ({
    AuditRecord: shape({
      id,
      at: time,
      type,
      actor: orNull(string({ description: "Of a user; null where nobody was signed in." })),
      "object?": string({ description: "Id of what it was done to: user, room, session, token." }),
      "address?": string({ description: "Of the client." }),
      result,
      "detail?": {
        type: "object",
        additionalProperties: { type: ["string", "number", "boolean"] },
        description: "`times`: so many more of the same within a minute.",
      },
    }),
    AuditPage: shape({ items: list(ref("AuditRecord")), hasBefore: boolean }),
  }) satisfies Record<string, Schema>;

/** What records are looked for by. */
export const auditQuery = {
  type: { schema: type, description: "Of the records." },
  actor: { schema: string(), description: "Id of the user who did it." },
  object: { schema: string(), description: "Id of what it was done to." },
  result: { schema: result, description: "Whether it was done." },
  since: { schema: time, description: "Records from this time on." },
  until: { schema: time, description: "Records before this time." },
};
