import { ANSWERS, CALLS, HUB_EVENTS, KINDS, type AnswerName, type Argument } from "../../core/calls";
import { ERRORS } from "../../core/errors";
import { PATHS } from "../../core/paths";
import type { Rules } from "../../core/shapes";
import { objectSchema, schemaOf } from "../rule-schema";
import type { SchemaName } from "../schemas";
import type { Schema } from "../schemas/parts";
import { callOperations, message, sendBody, titled, webSocket, type Door } from "./parts";

/** SignalR, as its clients see it: a payload is the list of arguments, or what a call completes with. */
export function hubDoor(schemas: Record<SchemaName, Schema>): Door {
  const calls = Object.values(CALLS);
  const events = Object.entries(HUB_EVENTS);
  const security = ["query", "bearer"] as const;
  return {
    address: PATHS.signalr,
    title: "SignalR",
    description:
      "For the official clients, unmodified: the JSON hub protocol over WebSockets, Server-Sent Events or long polling. " +
      "Payloads are what the library takes and gives: the arguments of a call by their place, what invoke resolves to, the " +
      "arguments of a handler. A refused call fails with `CODE: detail`, and the connection stays. Closed for good where " +
      "the close code says so, else with allowReconnect.",
    bindings: webSocket({ query: { type: "object", properties: { access_token: { type: "string" } } } }),
    messages: {
      ...Object.fromEntries(
        calls.map(({ hub, args, summary }) => [
          `client.${hub}`,
          message(hub, hub, summary, list(args.map(argument => [argument, schemaAt(argument, schemas)]))),
        ]),
      ),
      ...Object.fromEntries(
        Object.entries(ANSWERS).map(([name]) => [
          `answer.${name}`,
          message(name, name, "", completion(name as AnswerName)),
        ]),
      ),
      "answer.refused": message("refused", "error", "What the call fails with.", {
        type: "string",
        pattern: `(${Object.keys(ERRORS).join("|")}): `,
      }),
      ...Object.fromEntries(
        events.map(([name, { summary, args }]) => [
          `server.${name}`,
          message(name, name, summary, list(Object.entries(args).map(([at, rule]) => [{ name: at }, schemaOf(rule)]))),
        ]),
      ),
    },
    operations: callOperations(
      calls.map(call => [call.hub, call]),
      { summary: "What handlers are called with.", events: events.map(([name]) => name) },
      security,
    ),
  };
}

/** By their places. */
function list(args: readonly (readonly [{ name: string; optional?: true }, Schema])[]): Schema {
  return {
    type: "array",
    items: args.map(([{ name }, schema]) => titled(name, schema)),
    minItems: args.filter(([{ optional }]) => !optional).length,
  };
}

function schemaAt({ kind, optional }: Argument, schemas: { SendMessage: Schema }): Schema {
  if (kind === "message") {
    const body = { type: "object", properties: sendBody(schemas), additionalProperties: false };
    return { anyOf: [{ type: "string", description: "The text alone." }, body] };
  }
  const schema = schemaOf(KINDS[kind].rule);
  return optional ? { anyOf: [schema, { type: "null" }] } : schema;
}

function completion(name: AnswerName): Schema {
  const { fields, hub }: { fields: Rules; hub?: string } = ANSWERS[name];
  const alone = hub === undefined ? undefined : fields[hub];
  if (alone !== undefined) return schemaOf(alone);
  return Object.keys(fields).length > 0 ? objectSchema(fields) : { type: "null" };
}
