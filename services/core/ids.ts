import { createHash, getRandomValues, randomBytes } from "node:crypto";
import { V7Generator } from "uuidv7";

/** Random numbers are fetched so many at a time: one by one they took more time than the ids they are for. */
const numbers = new Uint32Array(1_024);
let used = numbers.length;

function nextUint32(): number {
  if (used === numbers.length) {
    getRandomValues(numbers);
    used = 0;
  }
  return numbers[used++] as number;
}

const ids = new V7Generator({ nextUint32 });

/** A new id: UUIDv7, so ids sort by the time they were made. Order in a room never rests on it. */
export const newId = (): string => ids.generate().toString();

/** A secret for a client to hold: 256 random bits, URL-safe. Only its `digest` is stored. */
export const newSecret = (): string => randomBytes(32).toString("base64url");

/** SHA-256 as base64url: what is stored in place of a secret. */
export const digest = (secret: string): string => createHash("sha256").update(secret).digest("base64url");

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** False for what cannot be one of our ids, so that it is not even looked up. */
export const isId = (value: unknown): value is string => typeof value === "string" && ID.test(value);

/** Below every id of ours that is made from then on, and above those made before. @param time milliseconds since 1970 */
export function idsAt(time: number): string {
  const hex = Math.min(Math.floor(time), 2 ** 48 - 1)
    .toString(16)
    .padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7`;
}

/** Milliseconds since 1970 at which one of our ids was made; null for what is none. */
export function timeOf(id: string): number | null {
  if (!isId(id) || id[14] !== "7") return null;
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
