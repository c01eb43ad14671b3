import { version } from "../../../config/root";
import { ADVICE, AS_40, CLOSES } from "../../core/closes";
import { ERRORS } from "../../core/errors";
import type { Limits } from "../../core/limits";
import { ROOM_STATE } from "../../core/shapes";
import { schemaOf } from "../rule-schema";
import { schemasOf } from "../schemas";
import type { Schema } from "../schemas/parts";
import { hubDoor } from "./hub";
import { nativeDoor, streamDoor } from "./native";
import { SECURITY, TAGS, type Door, type Operation } from "./parts";
import { socketioDoor } from "./socketio";

/**
 * The AsyncAPI 3.0 document of all sockets, made from the definitions by which frames and calls are checked. Schemas keep to
 * JSON Schema draft 7, which AsyncAPI has by default.
 */
export function asyncApiDocument(limits: Limits): Schema {
  const schemas = schemasOf(limits);
  const native = nativeDoor(schemas);
  const doors = Object.entries({
    native,
    stream: streamDoor(native),
    hub: hubDoor(schemas),
    socketio: socketioDoor(schemas),
  });
  const channels = Object.fromEntries(doors.map(([id, door]) => [id, channel(door)]));
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Rookery, sockets",
      version,
      description:
        "Four doors into the same rooms: what one sends over one of them all others get, with the same ids and in the same " +
        "order. Sign in over REST first (/api/openapi.json). Whatever the door, give each message a clientId of your own and " +
        "send it again under the same one until you know how it ended.",
      license: { name: "MIT" },
    },
    defaultContentType: "application/json",
    servers: { websocket: server("ws"), http: server("http") },
    channels,
    operations: Object.fromEntries(
      doors.flatMap(([id, { operations }]) =>
        Object.entries(operations).map(([name, one]) => [`${id}.${name}`, operation(id, one)]),
      ),
    ),
    components: {
      schemas: usedBy(channels, { ...schemas, RoomState: schemaOf(ROOM_STATE) }),
      securitySchemes: SECURITY,
      correlationIds: { i: { location: "$message.payload#/i", description: "Number of a frame and of its answer." } },
    },
    "x-close-codes": closeCodes(),
    "x-errors": Object.entries(ERRORS).map(([code, error]) => ({ code, ...error })),
    "x-limits": limits,
  };
}

const server = (protocol: string): Schema => ({
  host: "{origin}",
  protocol,
  description: `${protocol}s where the origin has TLS.`,
  variables: { origin: { default: "127.0.0.1:3000", description: "Where REST is, too." } },
});

const channel = ({ address, title, description, messages, bindings }: Door): Schema => ({
  address,
  title,
  description,
  messages,
  ...(bindings && { bindings }),
});

function operation(id: string, { action, summary, tag, messages, reply, bindings, security }: Operation): Schema {
  const within = { $ref: `#/channels/${id}` };
  const refs = (names: readonly string[]) => names.map(name => ({ $ref: `#/channels/${id}/messages/${name}` }));
  return {
    action,
    summary,
    channel: within,
    messages: refs(messages),
    ...(reply && { reply: { channel: within, messages: refs(reply) } }),
    tags: [{ name: tag, description: TAGS[tag] }],
    security: security.map(name => ({ $ref: `#/components/securitySchemes/${name}` })),
    ...(bindings && { bindings }),
  };
}

const REFERENCE = /"#\/components\/schemas\/(\w+)"/g;

/** Those that are referred to, and those to which these refer. */
function usedBy(channels: Schema, schemas: Record<string, Schema>): Record<string, Schema> {
  const used = new Set<string>();
  const look = (value: Schema): void => {
    for (const [, name = ""] of JSON.stringify(value).matchAll(REFERENCE)) {
      if (used.has(name)) continue;
      used.add(name);
      look(schemas[name] as Schema);
    }
  };
  look(channels);
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)));
}

function closeCodes(): Schema[] {
  const advice = (code: number): string => ADVICE[Math.floor(code / 100) as keyof typeof ADVICE];
  return [
    ...Object.values(CLOSES).map(({ code, reason }) => ({ code, reason, advice: advice(code) })),
    ...AS_40.map(code => ({ code, reason: "of WebSocket itself", advice: ADVICE[40] })),
  ];
}
