/**
 * Names below the top level are data and may be anything JSON allows. MongoDB reads meaning into some of them (`$ref`,
 * `a.b`) and cannot hold others, so these characters, and the empty name, are written in percent notation.
 */
const SPECIAL = /[%$.\0]/g;
const WRITTEN = /%([0-9A-F]{2})/g;

/** A copy of what JSON makes of a value, with names as they are stored. */
export const toStored = (value: unknown): unknown => renamed(JSON.parse(JSON.stringify(value)), storedName);

/** The value `toStored` was given. */
export const fromStored = (value: unknown): unknown => renamed(value, ownName);

function storedName(name: string): string {
  if (name === "") return "%";
  return name.replace(SPECIAL, character => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}

function ownName(name: string): string {
  if (name === "%") return "";
  return name.replace(WRITTEN, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
}

function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map(item => renamed(item, rename));
  if (!isPlain(value)) return value;
  // fromEntries makes own properties of every name, also of `__proto__`.
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [rename(name), renamed(item, rename)]));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
