import type { Call } from "../../core/calls";
import { SEND_BODY } from "../../core/frames";
import type { Rules } from "../../core/shapes";
import { ruleSchema } from "../rule-schema";
import type { Schema } from "../schemas/parts";

/** A way into the rooms: what it says of itself, and what is said there. */
export interface Door {
  address: string;
  title: string;
  description: string;
  bindings?: Schema;
  /** By the names that operations use. */
  messages: Record<string, Schema>;
  operations: Record<string, Operation>;
}

/** `receive`: what clients ask. `send`: what they are told. */
export interface Operation {
  action: "receive" | "send";
  summary: string;
  tag: Tag;
  messages: readonly string[];
  /** Names of the answers, of which there is one. */
  reply?: readonly string[];
  bindings?: Schema;
  security: readonly SecurityName[];
}

export const TAGS = {
  ask: "What you ask",
  method: "Methods of call",
  hear: "What you hear",
  http: "Requests",
} as const;
export type Tag = keyof typeof TAGS;

/** Where the access token may stand. */
export const SECURITY = {
  bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT", description: "Authorization: Bearer TOKEN." },
  query: {
    type: "httpApiKey",
    in: "query",
    name: "access_token",
    description: "?access_token=TOKEN, where a browser cannot set a header.",
  },
  hello: { type: "apiKey", in: "password", description: "The token of the frame hello; of auth, once it is renewed." },
  handshake: { type: "apiKey", in: "password", description: "The client's option auth: {token}." },
} as const satisfies Record<string, Schema>;
export type SecurityName = keyof typeof SECURITY;

export const webSocket = (more: Schema = {}): Schema => ({ ws: { method: "GET", ...more, bindingVersion: "0.1.0" } });

/** @param title how people call it, where that is not its name */
export const message = (name: string, title: string, summary: string, payload: Schema): Schema => ({
  name,
  title,
  ...(summary !== "" && { summary }),
  payload,
});

/** An object with these fields, beside those that are the same in every such object. */
export function fieldsSchema(constant: Record<string, Schema>, rules: Rules, more = Object.keys(constant)): Schema {
  const { properties, required } = ruleSchema(rules);
  return { type: "object", required: [...more, ...required], properties: { ...constant, ...properties } };
}

/** What is sent, with the limits that are configuration: one check for every door stands behind it. */
export const sendBody = (schemas: { SendMessage: Schema }): Record<string, Schema> => {
  const known = schemas.SendMessage["properties"] as Record<string, Schema>;
  return Object.fromEntries(Object.keys(SEND_BODY).map(name => [name, known[name] as Schema]));
};

/** With a name for readers; what stands beside a reference is not read. */
export const titled = (title: string, schema: Schema): Schema =>
  "$ref" in schema ? { title, allOf: [schema] } : { title, ...schema };

/** Operations of a door whose clients ask by the calls that all of them have, each under its name at that door. */
export function callOperations(
  calls: readonly (readonly [name: string, Pick<Call, "summary" | "answer">])[],
  told: { summary: string; events: readonly string[] },
  security: readonly SecurityName[],
): Record<string, Operation> {
  const asked = calls.map(([name, { summary, answer }]): [string, Operation] => [
    name,
    {
      action: "receive",
      summary,
      tag: "ask",
      messages: [`client.${name}`],
      reply: [`answer.${answer}`, "answer.refused"],
      security,
    },
  ]);
  const messages = told.events.map(name => `server.${name}`);
  return {
    ...Object.fromEntries(asked),
    told: { action: "send", summary: told.summary, tag: "hear", messages, security },
  };
}
