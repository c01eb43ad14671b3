import { Ajv, type ValidateFunction } from "ajv";
import type { Body } from "./rest";

/** The AsyncAPI document of a server, held against what is really said. Objects may have no field that it does not name. */
export class Described {
  /** Messages that something was like. */
  readonly met = new Set<string>();
  private readonly ajv = new Ajv({
    strict: false,
    formats: { "date-time": isTime, email: true, "uri-reference": true },
  });
  private readonly checks = new Map<string, ValidateFunction>();

  constructor(readonly document: Body) {
    this.ajv.addSchema(closed(document) as object, "document");
  }

  /** Names of the messages of a channel, without the channel. */
  messages(channel: string): string[] {
    return Object.keys(this.document.channels[channel].messages);
  }

  /** Throws unless it is like the one message that the operation takes. */
  asked(operation: string, said: unknown): void {
    this.like(this.operation(operation).messages, said);
  }

  /** Throws unless it is like an answer of the operation. */
  answered(operation: string, answer: unknown): void {
    this.like(this.operation(operation).reply.messages, answer);
  }

  /** Throws unless it is like what the channel says unasked, or like the one message of that name. */
  told(channel: string, said: unknown, name?: string): void {
    const all = this.operation(`${channel}.told`).messages as { $ref: string }[];
    this.like(name === undefined ? all : all.filter(({ $ref }) => $ref.endsWith(`/server.${name}`)), said);
  }

  private operation(name: string): Body {
    const found = this.document.operations[name];
    if (!found) throw new Error(`there is no operation ${name}`);
    return found;
  }

  private like(messages: readonly { $ref: string }[], value: unknown): void {
    const faults = messages.map(({ $ref }) => {
      const check = this.check($ref);
      if (!check(value)) return `${$ref}: ${this.ajv.errorsText(check.errors)}`;
      this.met.add($ref.replace("#/channels/", "").replace("/messages/", " "));
      return null;
    });
    if (!faults.includes(null))
      throw new Error(`${JSON.stringify(value).slice(0, 500)} is like none of ${faults.slice(0, 5).join("; ")}`);
  }

  private check(reference: string): ValidateFunction {
    const [, , channel = "", , name = ""] = reference.split("/");
    const { $ref = reference } = this.document.channels[channel].messages[name] as { $ref?: string };
    const known = this.checks.get($ref) ?? this.ajv.compile({ $ref: `document${$ref}/payload` });
    this.checks.set($ref, known);
    return known;
  }
}

const isTime = (text: string): boolean => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text));

/** The same with nothing left open: a field that is said and not described is a fault. */
function closed(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(closed);
  const inner = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, closed(one)]));
  if (inner["type"] === "array" && Array.isArray(inner["items"])) return { ...inner, additionalItems: false };
  return inner["type"] === "object" && inner["properties"] ? { additionalProperties: false, ...inner } : inner;
}
