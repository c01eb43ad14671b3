import { createHash, randomBytes } from "node:crypto";
import { uuidv7 } from "uuidv7";

/** A new id: UUIDv7, so ids sort by the time they were made. Order in a room never rests on it. */
export const newId = (): string => uuidv7();

/** A secret for a client to hold: 256 random bits, URL-safe. Only its `digest` is stored. */
export const newSecret = (): string => randomBytes(32).toString("base64url");

/** SHA-256 as base64url: what is stored in place of a secret. */
export const digest = (secret: string): string => createHash("sha256").update(secret).digest("base64url");

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** False for what cannot be one of our ids, so that it is not even looked up. */
export const isId = (value: unknown): value is string => typeof value === "string" && ID.test(value);
