import { createHash } from "node:crypto";
import { isLine, isSeen, username } from "../../services/core/rules";

/**
 * An id that is the same whenever it is made of the same text: what was imported is known by it. With a time it is a UUIDv7
 * of that moment, so that ids still sort by time, else a UUIDv8.
 */
export function idOf(text: string, at?: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  if (at !== undefined) bytes.writeUIntBE(Math.max(0, Date.parse(at)), 0, 6);
  bytes[6] = ((bytes[6] as number) & 0x0f) | (at === undefined ? 0x80 : 0x70);
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The clientId under which a message of that key is stored for ever. */
export const clientIdOf = (key: string): string =>
  /^[A-Za-z0-9_-]{1,64}$/.test(key) ? key : `import-${createHash("sha256").update(key).digest("base64url")}`;

const LONGEST = 32;

/** A user name that may be one here. */
export function usernameOf(name: string): string {
  const plain = name
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .replace(/[^A-Za-z0-9_.-]+/g, "-")
    .split("-")
    .filter(Boolean)
    .join("-")
    .slice(0, LONGEST);
  return username.pattern.test(plain) ? plain : `user-${plain || "unknown"}`.slice(0, LONGEST);
}

/** The same with a number, and still short enough. */
export const numbered = (name: string, n: number, longest: number): string =>
  n < 2 ? name : `${name.slice(0, longest - 1 - String(n).length)}-${n}`;

export const numberedUsername = (name: string, n: number): string => numbered(name, n, LONGEST);

/** Text on one line of at most so many characters; undefined where nothing is left. */
export function lineOf(text: string | null | undefined, longest: number): string | undefined {
  const line = (text ?? "")
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/[\u202A-\u202E\u2066-\u2069]/g, "")
    .trim();
  const cut = [...line].slice(0, longest).join("").trim();
  return isSeen(cut) && isLine(cut) ? cut : undefined;
}

/** A text in parts of at most so many characters, cut at the end of a line or word where one is near. */
export function partsOf(text: string, longest: number): string[] {
  const parts: string[] = [];
  const signs = [...text.toWellFormed()];
  let begin = 0;
  while (signs.length - begin > longest) {
    const least = begin + longest / 2;
    let near = begin + longest - 1;
    while (near > least && signs[near] !== "\n" && signs[near] !== " ") near -= 1;
    const end = near > least ? near : begin + longest;
    parts.push(signs.slice(begin, end).join(""));
    begin = near > least ? end + 1 : end;
  }
  return [...parts, signs.slice(begin).join("")];
}

/** The text with a line for each file: it says what was there, and where it may still be. */
export const withFiles = (text: string, files: readonly { name: string; url?: string }[]): string =>
  [text, ...files.map(({ name, url }) => (url === undefined ? `[file] ${name}` : `[file] ${name}: ${url}`))]
    .filter(Boolean)
    .join("\n");
