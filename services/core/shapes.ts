import { ERRORS, type PublicError } from "./errors";
import { PRESENCE_STATUSES } from "./model";
import { PERMISSIONS, ROLES, ROOM_ROLES } from "./permissions";
import { MEMBER_CHANGES } from "./room-bus";

/**
 * Shapes of what goes over the sockets, as rules: those of what clients say check it, and all of them make the AsyncAPI
 * document, which tests hold against what is really said.
 */

/** A rule of fastest-validator. `description` is for readers, where the name of the field does not say it. */
export type Rule = string | RuleObject;
export type RuleObject = { readonly type: string; readonly description?: string } & Readonly<Record<string, unknown>>;
export type Rules = Readonly<Record<string, Rule>>;

/** A rule for each field of a type: it does not compile where one of the two has a field that the other lacks. */
export type RulesOf<T> = { readonly [Field in keyof T]-?: Rule };

/** Those that the documents have by name: of REST, and `ROOM_STATE`. */
export type ShapeName = "Message" | "Channel" | "SharedChannel" | "Conversation" | "RoomState";
export const shape = (name: ShapeName) => ({ type: "shape", name }) as const;

export const optional = (rule: RuleObject, description?: string): RuleObject => ({
  ...rule,
  optional: true,
  ...(description !== undefined && { description }),
});
export const oneOf = (...rules: Rule[]) => ({ type: "multi", rules }) as const;
export const said = (values: readonly unknown[], description?: string): RuleObject => ({
  type: "enum",
  values,
  ...(description !== undefined && { description }),
});
export const listOf = (items: Rule): RuleObject => ({ type: "array", items });

/** Any text that might be an id. A text itself, since a validator takes one object in two places for a cycle. */
export const ID = "string|min:1|max:200";
export const TEXT = { type: "string" } as const;
export const FLAG = { type: "boolean" } as const;
export const WHOLE = { type: "number", integer: true, min: 0 } as const;
export const MESSAGE = shape("Message");
export const CODE = said(Object.keys(ERRORS));
export const STATUS = said(PRESENCE_STATUSES);

/** What any refusal tells. */
export const ERROR: RulesOf<PublicError> = {
  code: CODE,
  status: { ...WHOLE, description: "The HTTP status that REST would answer." },
  detail: optional(TEXT, "For people; the code is the contract."),
  errors: optional(listOf({ type: "object", props: { field: TEXT, message: TEXT } }), "Which fields were not valid."),
  retryAfterMs: optional(WHOLE, "Milliseconds after which a retry may work."),
};

/** Who reacted to what, or took it back. */
export const REACTION = { messageId: ID, userId: ID, emoji: TEXT, on: FLAG };

/** What became of a member. */
export const CHANGE = said(MEMBER_CHANGES);
export const ROOM_ROLE = said(ROOM_ROLES);

/** How a subscription goes on. */
export const ROOM_STATE = oneOf(
  {
    type: "object",
    props: {
      offset: { ...WHOLE, description: "Of the room's last entry." },
      seq: { ...WHOLE, description: "Of its last message." },
      state: said(
        ["live", "replayed", "reset"],
        "live: the next event is offset+1. replayed: first what follows the offset that was asked for, then on. " +
          "reset: nothing is replayed and the next is offset+1; fetch history.",
      ),
      mode: optional(
        said(["passive"]),
        "It is read passively: always live, and bumps come in place of events. Absent: events come.",
      ),
    },
  },
  { type: "object", props: { state: said(["denied"], "This room only; the others go on."), code: CODE } },
);

/** Of whom the token is. */
export const SELF = {
  id: ID,
  username: TEXT,
  roles: listOf(said(ROLES)),
  permissions: listOf(said(PERMISSIONS)),
};
