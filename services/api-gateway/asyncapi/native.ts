import { answerType, EVENTS, FRAMES, NOTES, TOLD } from "../../core/frames";
import { PATHS } from "../../core/paths";
import { OPENING, SUBPROTOCOL, type FrameType } from "../../core/protocol";
import { ERROR, ID, WHOLE, type Rules } from "../../core/shapes";
import { objectSchema, schemaOf } from "../rule-schema";
import type { SchemaName } from "../schemas";
import type { Schema } from "../schemas/parts";
import { methods, type Method } from "./methods";
import { fieldsSchema, message, sendBody, webSocket, type Door, type Operation } from "./parts";

const NUMBER: Schema = { type: "integer", description: "Of the frame that it answers." };
const ASKED: Schema = { type: "integer", description: "Answered exactly once under it; without it, not at all." };
const numbered = { correlationId: { $ref: "#/components/correlationIds/i" } };

/** Our own protocol. */
export function nativeDoor(schemas: Record<SchemaName, Schema>): Door {
  const all = methods(schemas);
  const types = (Object.keys(FRAMES) as FrameType[]).filter(t => t !== "call");
  return {
    address: PATHS.websocket,
    title: "Native WebSocket",
    description:
      `Subprotocol \`${SUBPROTOCOL}\`. A text frame has one JSON object, or several joined by newlines, both ways. ` +
      "A frame with an integer `i` is answered exactly once, under the same `i`; one without is not answered. " +
      "Unknown fields are ignored, and fields are only ever added. The first frame is hello, within 5 s.",
    bindings: webSocket({
      headers: { type: "object", properties: { "Sec-WebSocket-Protocol": { type: "string", const: SUBPROTOCOL } } },
    }),
    messages: { ...asked(types, all, schemas), ...answers(types, all), ...told() },
    operations: {
      ...Object.fromEntries(types.map(t => [t, ask(FRAMES[t].summary, `client.${t}`, answerOf(t), "ask")])),
      ...Object.fromEntries(
        all.map(({ name, summary, route }) => [
          `call.${name}`,
          ask(`${summary}. The same as ${route}.`, `client.call.${name}`, `answer.call.${name}`, "method"),
        ]),
      ),
      told: {
        action: "send",
        summary: "What is told unasked.",
        tag: "hear",
        messages: Object.keys(told()),
        security: ["hello"],
      },
    },
  };
}

/** The same frames for those whose network has no WebSocket. */
export function streamDoor({ messages }: Door): Door {
  const names = Object.keys(messages).filter(name => name !== `client.${OPENING}`);
  const of = (...sides: string[]) => names.filter(name => sides.some(side => name.startsWith(side)));
  const query = (name: string, schema: Schema): Schema => ({ type: "object", properties: { [name]: schema } });
  const security = ["bearer"] as const;
  return {
    address: PATHS.stream,
    title: "HTTP stream",
    description:
      "For any HTTP client: the frames of the native WebSocket as Server-Sent Events, and a POST for each of one's own. " +
      "Any gateway serves either. A request that is refused is answered by a problem document, as in REST.",
    messages: Object.fromEntries(names.map(name => [name, { $ref: `#/channels/native/messages/${name}` }])),
    operations: {
      open: {
        action: "send",
        summary: "Each `data:` is one frame; the first is a welcome, which names the `session`. Opening it says hello.",
        tag: "http",
        messages: of("answer.welcome", "answer.err", "server."),
        bindings: http("GET", query("rooms", ROOMS)),
        security,
      },
      say: {
        action: "receive",
        summary: "One frame as the body, answered at once by what answers it. All but hello.",
        tag: "http",
        messages: of("client."),
        reply: of("answer.").filter(name => name !== "answer.welcome"),
        bindings: http("POST", { ...query("session", { type: "string" }), required: ["session"] }),
        security,
      },
    },
  };
}

const ROOMS: Schema = {
  type: "string",
  description: "ROOM:OFFSET,ROOM,...: the rooms to read, each with the last offset one has; without one from now on.",
};

const http = (method: string, query: Schema): Schema => ({ http: { method, query, bindingVersion: "0.3.0" } });

const ask = (summary: string, asked: string, answer: string, tag: "ask" | "method"): Operation => ({
  action: "receive",
  summary,
  tag,
  messages: [asked],
  reply: [answer, "answer.err"],
  security: ["hello"],
});

const isBare = (t: FrameType): boolean => Object.keys(FRAMES[t].answer).length === 0;
const answerOf = (t: FrameType): string => `answer.${isBare(t) || t === OPENING ? answerType(t) : t}`;

function asked(types: readonly FrameType[], all: readonly Method[], schemas: { SendMessage: Schema }) {
  const frame = (t: FrameType): Schema => {
    const schema = fieldsSchema({ t: { const: t }, i: ASKED }, FRAMES[t].fields, ["t"]);
    const own = schema["properties"] as Record<string, Schema>;
    return t === "send" ? { ...schema, properties: { ...own, ...sendBody(schemas) } } : schema;
  };
  return Object.fromEntries([
    ...types.map(t => [`client.${t}`, { ...message(t, t, FRAMES[t].summary, frame(t)), ...numbered }]),
    ...all.map(({ name, summary, params }) => {
      const payload = {
        type: "object",
        required: ["t", "method", ...(params && params.required.length > 0 ? ["params"] : [])],
        properties: { t: { const: "call" }, i: ASKED, method: { const: name }, ...(params && { params }) },
      };
      return [`client.call.${name}`, { ...message("call", name, summary, payload), ...numbered }];
    }),
  ]) as Record<string, Schema>;
}

function answers(types: readonly FrameType[], all: readonly Method[]): Record<string, Schema> {
  const made = (t: string, title: string, summary: string, fields: Rules): Schema => ({
    ...message(t, title, summary, fieldsSchema({ t: { const: t }, i: NUMBER }, fields, ["t"])),
    ...numbered,
  });
  const result = ({ result: shown, name }: Method): Schema => ({
    ...message("ok", `ok to ${name}`, "", {
      type: "object",
      required: ["t", "result"],
      properties: { t: { const: "ok" }, i: NUMBER, result: shown },
    }),
    ...numbered,
  });
  return {
    "answer.ok": made("ok", "ok", "Done.", {}),
    "answer.pong": made("pong", "pong", "", {}),
    "answer.err": made("err", "err", "Refused; the connection stays.", ERROR),
    ...Object.fromEntries(
      types
        .filter(t => !isBare(t))
        .map(t => {
          const type = answerType(t);
          return [answerOf(t), made(type, type === "ok" ? `ok to ${t}` : type, "", FRAMES[t].answer)];
        }),
    ),
    ...Object.fromEntries(all.map(method => [`answer.call.${method.name}`, result(method)])),
  };
}

function told(): Record<string, Schema> {
  const event = (kind: string, data: Schema): Schema =>
    kindOf("event", { room: schemaOf(ID), offset: schemaOf(WHOLE) }, kind, data);
  const note = (kind: string, data: Schema): Schema => kindOf("user", { n: schemaOf(WHOLE) }, kind, data);
  return Object.fromEntries([
    ...Object.entries(EVENTS).map(([kind, { summary, data }]) => [
      `server.event.${kind}`,
      message("event", `event ${kind}`, summary, event(kind, schemaOf(data))),
    ]),
    ...Object.entries(NOTES).map(([kind, { summary, data }]) => [
      `server.user.${kind}`,
      message("user", `user ${kind}`, summary, note(kind, objectSchema(data as Rules))),
    ]),
    ...Object.entries(TOLD).map(([t, { summary, fields }]) => [
      `server.${t}`,
      message(t, t, summary, fieldsSchema({ t: { const: t } }, fields as Rules)),
    ]),
  ]) as Record<string, Schema>;
}

/** A frame whose `data` depends on its `kind`. */
function kindOf(t: string, fields: Record<string, Schema>, kind: string, data: Schema): Schema {
  const properties = { t: { const: t }, ...fields, kind: { const: kind }, data };
  return { type: "object", required: Object.keys(properties), properties };
}
