import { parse } from "secure-json-parse";
import { RookeryError } from "./errors";

const FORBIDDEN_KEYS = new Set(["__proto__", "constructor", "prototype"]);
const MAX_DEPTH = 16;

/**
 * Throws INVALID unless `value` is plain JSON that is safe to keep and to hand to any store: no prototype keys, no
 * operator keys (`$...`), at most 16 levels, at most `maxBytes` as text.
 */
export function checkPlain(value: unknown, field: string, maxBytes: number): void {
  checkTree(value, field);
  if (Buffer.byteLength(JSON.stringify(value) ?? "") > maxBytes)
    throw new RookeryError("TOO_LARGE", `${field} is larger than ${maxBytes} bytes.`);
}

/** The same but for the size, which costs more to know: what it lets pass can be encoded and sent to another node. */
export function checkTree(value: unknown, field: string): void {
  walk(value, field, MAX_DEPTH);
}

function walk(value: unknown, field: string, depth: number): void {
  // 1e999 is read as Infinity, which no JSON can give back.
  if (typeof value === "number" && !Number.isFinite(value))
    throw new RookeryError("INVALID", `${field} has a number that is too large.`);
  if (typeof value !== "object" || value === null) return;
  if (depth === 0) throw new RookeryError("INVALID", `${field} is nested too deeply.`);
  for (const key of Object.keys(value)) {
    if (FORBIDDEN_KEYS.has(key) || key.startsWith("$"))
      throw new RookeryError("INVALID", `${field} has a key that is not allowed.`);
    walk((value as Record<string, unknown>)[key], field, depth - 1);
  }
}

/** Parses a JSON object from outside. Throws BAD_REQUEST for what is not JSON, INVALID for prototype keys. */
export function parseBody(text: string): unknown {
  try {
    return parse(text, undefined, { protoAction: "error", constructorAction: "ignore" });
  } catch (error) {
    if (error instanceof SyntaxError && error.message.includes("forbidden prototype"))
      throw new RookeryError("INVALID", "The body has a key that is not allowed.");
    throw new RookeryError("BAD_REQUEST", "The body is not JSON.");
  }
}
