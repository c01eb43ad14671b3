/** What must never stand in a log, and characters that could make one line look like two. */

const SECRET_KEY =
  /pass(word|wd|phrase)|secret|token|authorization|cookie|credential|jwt|private_?key|access_?key|api_?key|^(auth|sid|session|signature)$/i;
/** Counts and times of secrets are no secrets. */
const HARMLESS_KEY = /(ttl|count|length|expires(In|At)?)$/i;
const STRUCK = "[redacted]";

const SECRETS_IN_TEXT: [RegExp, string][] = [
  [/\beyJ[\w-]{4,}\.[\w-]+\.[\w-]*/g, STRUCK],
  [/\brkp_[\w-]+/g, STRUCK],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, `$1 ${STRUCK}`],
  [/(\/\/)[^/@\s"']+@/g, `$1${STRUCK}@`],
  // Name and value as in a query, a header, JSON, or JSON inside JSON: a quoted value ends at a quote escaped as its first.
  [
    /((?:password|passwd|secret|token|authorization|cookie|signature)[\w-]{0,32}\\*["']?\s*[:=]\s*)(?:(\\*)"[^]*?(?<!\\)\2"|'[^']*'|(?!\[redacted\]|Bearer |Basic )[^\s"',;&}\])]+)/gi,
    `$1${STRUCK}`,
  ],
];

const MAX_TEXT = 8_192;
const MAX_DEPTH = 6;
/** Values of one record. A record that is larger is cut, never the process slowed. */
const MAX_VALUES = 400;

/** Text without secrets that can be recognised by their form, cut to 8 KiB. */
export function redactText(text: string): string {
  let out = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}... (${text.length} characters)` : text;
  for (const [pattern, instead] of SECRETS_IN_TEXT) out = out.replace(pattern, instead);
  return out;
}

/** Plain JSON of anything at all: secrets struck out by name and by form, bounded in depth and size. Never throws. */
export function redact(value: unknown): unknown {
  let left = MAX_VALUES;

  const walk = (item: unknown, depth: number): unknown => {
    if (--left < 0) return "[cut]";
    if (typeof item === "string") return redactText(item);
    if (typeof item === "bigint" || typeof item === "symbol") return String(item);
    if (typeof item === "function") return "[function]";
    if (typeof item !== "object" || item === null) return item;
    if (item instanceof Error) return errorFields(item);
    if (item instanceof Date) return Number.isNaN(item.getTime()) ? "invalid date" : item.toISOString();
    if (ArrayBuffer.isView(item)) return `[${item.byteLength} bytes]`;
    if (depth === 0) return "[deep]";
    if (Array.isArray(item)) return item.slice(0, left + 1).map(part => walk(part, depth - 1));
    if (item instanceof Set) return walk([...item], depth);
    if (item instanceof Map) return fields(item.entries(), depth);
    return fields(Object.entries(item), depth);
  };

  const fields = (entries: Iterable<[unknown, unknown]>, depth: number): Record<string, unknown> => {
    const out: Record<string, unknown> = {};
    for (const [key, part] of entries) {
      if (left <= 0) break;
      const name = redactText(String(key));
      const hidden = SECRET_KEY.test(name) && !HARMLESS_KEY.test(name) && part !== null && typeof part !== "boolean";
      if (name !== "__proto__") out[name] = hidden ? STRUCK : walk(part, depth - 1);
    }
    return out;
  };

  try {
    return walk(value, MAX_DEPTH);
  } catch {
    return "[unprintable]";
  }
}

/** What a log may hold of an error. Its `data` stays out: validation errors carry there what the user typed. */
export function errorFields(error: Error): Record<string, unknown> {
  const { type, code, expected, cause } = error as Error & { type?: unknown; code?: unknown; expected?: unknown };
  return {
    name: String(error.name),
    message: redactText(String(error.message)),
    ...(typeof type === "string" && { type: redactText(type) }),
    ...((typeof code === "string" || typeof code === "number") && { code }),
    ...(expected !== true && typeof error.stack === "string" && { stack: redactText(error.stack) }),
    ...(cause instanceof Error && cause !== error && { cause: redactText(`${cause.name}: ${cause.message}`) }),
  };
}

/** Controls, line ends of Unicode and marks of direction. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text whose every character stays on its line and does nothing to a terminal. */
export const printable = (text: string): string =>
  text.replace(UNSAFE, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
