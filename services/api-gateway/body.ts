import type { IncomingMessage } from "node:http";
import { RookeryError } from "../core/errors";
import { checkPlain, parseBody } from "../core/json";

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;
const NOT_ALLOWED = new Set(["constructor", "prototype", "__proto__"]);

/** Milliseconds a body may take. */
const TIMEOUT = 30_000;

/**
 * Reads the JSON object a request carries; none is `{}`. BAD_REQUEST: not JSON, or not called JSON; INVALID: not an object,
 * a key that could reach a prototype or an operator, too deep; TOO_LARGE: more than `limit` bytes, of which none are kept.
 */
export async function readJson(req: IncomingMessage, limit: number): Promise<Record<string, unknown>> {
  const bytes = await readBytes(req, limit);
  if (bytes.length === 0) return {};
  if (!JSON_TYPE.test(req.headers["content-type"] ?? "")) {
    throw new RookeryError("BAD_REQUEST", "Send JSON, with Content-Type: application/json.");
  }
  const value = parseBody(decode(bytes));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new RookeryError("INVALID", "The body is not an object.");
  }
  for (const [key, part] of Object.entries(value)) {
    if (NOT_ALLOWED.has(key) || key.startsWith("$")) {
      throw new RookeryError("INVALID", "The body has a key that is not allowed.");
    }
    if (typeof part === "object" && part !== null) checkPlain(part, key.slice(0, 64), Infinity);
  }
  return value as Record<string, unknown>;
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new RookeryError("BAD_REQUEST", "The body is not UTF-8.");
  }
}

function readBytes(req: IncomingMessage, limit: number): Promise<Buffer> {
  if ((req.headers["content-encoding"] ?? "identity") !== "identity") {
    throw new RookeryError("BAD_REQUEST", "Send the body without a content encoding.");
  }
  const tooLarge = (): RookeryError => new RookeryError("TOO_LARGE", `The body is larger than ${limit} bytes.`);
  if (Number(req.headers["content-length"] ?? 0) > limit) throw tooLarge();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else settle(() => reject(tooLarge()));
    };
    const onEnd = (): void => settle(() => resolve(Buffer.concat(chunks)));
    const onBroken = (): void => settle(() => reject(new RookeryError("BAD_REQUEST", "The body is not complete.")));
    const settle = (outcome: () => void): void => {
      clearTimeout(timer);
      req.off("data", onData).off("end", onEnd).off("error", onBroken).off("close", onBroken);
      // What still comes is read and dropped, so that the client gets to the answer.
      req.on("error", () => undefined).resume();
      outcome();
    };
    const timer = setTimeout(onBroken, TIMEOUT);
    req.on("data", onData).on("end", onEnd).on("error", onBroken).on("close", onBroken);
  });
}
