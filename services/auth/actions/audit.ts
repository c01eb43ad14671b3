import { AUDIT_TYPES } from "../../core/audit";
import type { ActionsOf } from "../../core/contract";
import * as rules from "../../core/rules";
import type { AuthService } from "../parts";

const short = "string|max:100";
const given = "string|min:1|max:100|optional";

const query = {
  type: { type: "enum", values: [...AUDIT_TYPES], optional: true },
  actor: given,
  object: given,
  result: { type: "enum", values: ["ok", "refused"], optional: true },
  since: given,
  until: given,
  before: given,
  limit: { ...rules.whole(1), optional: true },
} as const;

/** What is kept of who did what. There is no action that changes or removes any of it. */
export const audits = {
  record: {
    auth: "internal",
    visibility: "public",
    params: {
      records: {
        type: "array",
        min: 1,
        max: 100,
        items: {
          type: "object",
          strict: true,
          props: {
            id: rules.id,
            at: short,
            type: { type: "enum", values: [...AUDIT_TYPES] },
            actor: { type: "string", max: 100, nullable: true },
            object: `${short}|optional`,
            address: `${short}|optional`,
            result: { type: "enum", values: ["ok", "refused"] },
            detail: {
              type: "record",
              key: "string|max:50",
              value: [{ type: "string", max: 500 }, "number", "boolean"],
              optional: true,
            },
          },
        },
      },
    },
    async handler(this: AuthService, ctx) {
      await this.audit.append(ctx.params.records);
      return null;
    },
  },
  audit: {
    auth: { permission: "audit.read" },
    visibility: "published",
    params: query,
    handler(this: AuthService, ctx) {
      return this.audit.page(ctx.params);
    },
  },
  auditTrail: {
    auth: "internal",
    visibility: "public",
    params: query,
    handler(this: AuthService, ctx) {
      return this.audit.page(ctx.params);
    },
  },
} satisfies Partial<ActionsOf<"auth">>;
