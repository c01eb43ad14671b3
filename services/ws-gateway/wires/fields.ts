import { invalidField } from "../../core/errors";
import type { SendBody } from "../../core/send";

const BODY: readonly string[] = ["text", "clientId", "attachments", "replyTo", "metadata"];

/**
 * What a client gave for a call: an object's fields by their names, a list's by their places. Each look throws INVALID where
 * it is not what is asked for; what a text or a message may be is checked where it is used.
 */
export class Fields {
  private readonly given: Readonly<Record<string, unknown>>;

  constructor(given: unknown) {
    this.given = typeof given === "object" && given !== null ? (given as Record<string, unknown>) : {};
  }

  text(field: string | number): string {
    const value = this.any(field);
    if (typeof value !== "string") throw invalidField(nameOf(field), "Give a text.");
    return value;
  }

  id(field: string | number): string {
    const value = this.text(field);
    if (value === "" || value.length > 200) throw invalidField(nameOf(field), "Give an id.");
    return value;
  }

  flag(field: string | number): boolean {
    const value = this.any(field);
    if (typeof value !== "boolean") throw invalidField(nameOf(field), "Give true or false.");
    return value;
  }

  seq(field: string | number): number {
    const value = this.any(field);
    if (!Number.isSafeInteger(value) || (value as number) < 0)
      throw invalidField(nameOf(field), "Give a whole number.");
    return value as number;
  }

  seqIfGiven(field: string | number): number | undefined {
    return this.any(field) === undefined || this.any(field) === null ? undefined : this.seq(field);
  }

  /** What REST takes as the body of a send. @param besides fields that are no part of it */
  body(besides: readonly string[] = []): SendBody {
    const entries = Object.entries(this.given).filter(([name]) => !besides.includes(name));
    const strange = entries.find(([name]) => !BODY.includes(name));
    if (strange) throw invalidField(strange[0].slice(0, 64), "There is no such field.");
    return Object.fromEntries(entries);
  }

  any(field: string | number): unknown {
    return Object.hasOwn(this.given, field) ? this.given[field] : undefined;
  }
}

/** People count from one. */
const nameOf = (field: string | number): string => (typeof field === "number" ? `argument ${field + 1}` : field);
