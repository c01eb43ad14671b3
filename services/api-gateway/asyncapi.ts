import { version } from "../../config/root";
import { CALLS, HUB_EVENTS, SOCKETIO_EVENTS, type Argument, type Call } from "../core/calls";
import { CLOSES } from "../core/closes";
import type { Limits } from "../core/limits";
import { METHODS } from "../core/methods";
import { FRAMES, SERVER_FIELDS, SUBPROTOCOL } from "../core/protocol";
import { ruleSchema } from "./rule-schema";
import { schemasOf, type Schema } from "./schemas";

type Message = [name: string, summary: string, payload: Schema];

/** The AsyncAPI 3.0 document of all sockets, made from the definitions by which frames and calls are checked. */
export function asyncApiDocument(limits: Limits): Schema {
  const doors = {
    native: door(
      "/ws",
      `Our own protocol, subprotocol ${SUBPROTOCOL}. One JSON object, or several joined by newlines.`,
      {
        receive: Object.entries(FRAMES).map(([t, fields]): Message => [t, "", frame(t, fields)]),
        send: Object.entries(SERVER_FIELDS).map(([t, fields]): Message => [t, "", told(t, fields)]),
      },
    ),
    hub: door("/hubs/chat", "SignalR, JSON hub protocol: invocations and their completions.", {
      receive: calls().map(([, { hub, summary, args }]): Message => [hub, summary, list(args)]),
      send: Object.entries(HUB_EVENTS).map(([name, args]): Message => [name, "", named(args)]),
    }),
    socketio: door("/socket.io", "Socket.IO 4, namespace /; each event has one object, and may be acknowledged.", {
      receive: calls().map(([name, { summary, args }]): Message => [name, summary, object(args)]),
      send: Object.entries(SOCKETIO_EVENTS).map(([name, args]): Message => [name, "", named(args)]),
    }),
  };
  const all = Object.entries(doors);
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Rookery, sockets",
      version,
      description: [
        "What goes over the sockets; docs/clients.md has an example for each door. Sign in over REST first.",
        `Close codes: ${Object.values(CLOSES)
          .map(({ code, reason }) => `${code} ${reason}`)
          .join(", ")}. 40xx: come back and resume; 41xx: with a new token; 45xx: do not come back.`,
        `Methods of the frame \`call\`: ${METHODS.join(", ")}.`,
      ].join("\n\n"),
      license: { name: "MIT" },
    },
    channels: Object.fromEntries(
      all.map(([id, { address, description, receive, send }]) => [
        id,
        {
          address,
          description,
          messages: Object.fromEntries([...messages("client", receive), ...messages("server", send)]),
        },
      ]),
    ),
    operations: Object.fromEntries(
      all.flatMap(([id, { receive, send }]) => [
        [`${id}.receive`, operation("receive", id, "client", receive)],
        [`${id}.send`, operation("send", id, "server", send)],
      ]),
    ),
    components: { schemas: schemasOf(limits) },
  };
}

interface Door {
  address: string;
  description: string;
  /** What clients say, and what they are told. */
  receive: readonly Message[];
  send: readonly Message[];
}

const door = (address: string, description: string, sides: Pick<Door, "receive" | "send">): Door => ({
  address,
  description,
  ...sides,
});

const calls = (): [string, Call][] => Object.entries(CALLS);

const messages = (side: "client" | "server", list_: readonly Message[]): [string, Schema][] =>
  list_.map(([name, summary, payload]) => [`${side}.${name}`, { name, ...(summary && { summary }), payload }]);

const operation = (action: "receive" | "send", channel: string, side: string, list_: readonly Message[]): Schema => ({
  action,
  channel: { $ref: `#/channels/${channel}` },
  messages: list_.map(([name]) => ({ $ref: `#/channels/${channel}/messages/${side}.${name}` })),
});

function frame(t: string, fields: Record<string, unknown>): Schema {
  const { properties, required } = ruleSchema(fields);
  return {
    type: "object",
    required: ["t", ...required],
    properties: {
      t: { const: t },
      i: { type: "integer", description: "Answered exactly once under it." },
      ...properties,
    },
  };
}

const told = (t: string, fields: readonly string[]): Schema => ({
  type: "object",
  required: ["t"],
  properties: { t: { const: t }, ...Object.fromEntries(fields.map(field => [field, SHAPES[field] ?? {}])) },
});

/** What a name means is the same wherever it stands. */
const SHAPES: Record<string, Schema> = {
  ...Object.fromEntries(
    ["i", "offset", "seq", "n", "status", "retryAfterMs", "inMs", "afterMs"].map(name => [name, { type: "integer" }]),
  ),
  ...Object.fromEntries(
    [
      "room",
      "kind",
      "code",
      "detail",
      "session",
      "epoch",
      "channelId",
      "userId",
      "targetUserId",
      "messageId",
      "emoji",
    ].map(name => [name, { type: "string" }]),
  ),
  ...Object.fromEntries(
    ["on", "isTyping", "duplicate", "hasBefore", "hasAfter"].map(name => [name, { type: "boolean" }]),
  ),
  message: { $ref: "#/components/schemas/Message" },
};

const named = (names: readonly string[]): Schema => ({
  type: "object",
  required: names,
  properties: Object.fromEntries(names.map(name => [name, SHAPES[name] ?? {}])),
});

const KINDS: Record<Argument["kind"], Schema> = {
  id: { type: "string", minLength: 1, maxLength: 200 },
  text: { type: "string" },
  flag: { type: "boolean" },
  seq: { type: "integer", minimum: 0 },
  message: { oneOf: [{ type: "string" }, { $ref: "#/components/schemas/SendMessage" }] },
};

/** Arguments by their places. */
const list = (args: readonly Argument[]): Schema => ({
  type: "array",
  prefixItems: args.map(({ name, kind }) => ({ title: name, ...KINDS[kind] })),
  minItems: args.filter(({ optional }) => !optional).length,
});

/** Arguments by their names; a message's fields stand among them. */
function object(args: readonly Argument[]): Schema {
  const fields = args.filter(({ kind }) => kind !== "message");
  const own = {
    type: "object",
    required: fields.filter(({ optional }) => !optional).map(({ name }) => name),
    properties: Object.fromEntries(fields.map(({ name, kind }) => [name, KINDS[kind]])),
  };
  return fields.length === args.length ? own : { allOf: [own, { $ref: "#/components/schemas/SendMessage" }] };
}
