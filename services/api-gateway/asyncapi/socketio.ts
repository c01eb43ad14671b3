import { ANSWERS, CALLS, KINDS, REFUSAL, SOCKETIO_EVENTS, type Argument } from "../../core/calls";
import { PATHS } from "../../core/paths";
import type { Rules } from "../../core/shapes";
import { objectSchema, schemaOf } from "../rule-schema";
import type { SchemaName } from "../schemas";
import type { Schema } from "../schemas/parts";
import { callOperations, fieldsSchema, message, sendBody, webSocket, type Door } from "./parts";

/** Socket.IO, as its clients see it: a payload is the one object of an event, or that of an acknowledgement. */
export function socketioDoor(schemas: Record<SchemaName, Schema>): Door {
  const calls = Object.entries(CALLS);
  const events = Object.entries(SOCKETIO_EVENTS);
  const security = ["handshake", "query", "bearer"] as const;
  return {
    address: PATHS.socketio,
    title: "Socket.IO",
    description:
      "Protocol 5 of Socket.IO 4, namespace `/`, with the default options of the official client. Each event has one object " +
      "and may be acknowledged. A bad token is a connect_error with `err.data = {code, detail}`.",
    bindings: webSocket({ query: { type: "object", properties: { EIO: { const: "4" } }, required: ["EIO"] } }),
    messages: {
      ...Object.fromEntries(
        calls.map(([name, { args, summary }]) => [
          `client.${name}`,
          message(name, name, summary, argumentsOf(args, schemas)),
        ]),
      ),
      ...Object.fromEntries(
        Object.entries(ANSWERS).map(([name, { fields }]) => [
          `answer.${name}`,
          message("ack", `ok, ${name}`, "", fieldsSchema({ ok: { const: true } }, fields)),
        ]),
      ),
      "answer.refused": message("ack", "refused", "", fieldsSchema({ ok: { const: false } }, REFUSAL)),
      ...Object.fromEntries(
        events.map(([name, { summary, args }]) => [
          `server.${name}`,
          message(name, name, summary, objectSchema(args as Rules)),
        ]),
      ),
    },
    operations: callOperations(
      calls,
      { summary: "What listeners are called with.", events: events.map(([name]) => name) },
      security,
    ),
  };
}

/** By their names; a message's fields stand among them. The only one that is needed may come without an object. */
function argumentsOf(args: readonly Argument[], schemas: { SendMessage: Schema }): Schema {
  const named = args.filter(({ kind }) => kind !== "message");
  const needed = named.filter(({ optional }) => !optional);
  const own = named.map(({ name, kind, optional }): [string, Schema] => {
    const schema = schemaOf(KINDS[kind].rule);
    return [name, optional ? { anyOf: [schema, { type: "null" }] } : schema];
  });
  const object = {
    type: "object",
    required: needed.map(({ name }) => name),
    properties: { ...Object.fromEntries(own), ...(named.length < args.length && sendBody(schemas)) },
  };
  const [first] = needed;
  if (!first || needed.length > 1 || named.length < args.length) return object;
  return { anyOf: [object, schemaOf(KINDS[first.kind].rule)] };
}
