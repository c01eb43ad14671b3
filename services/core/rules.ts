import type { RuleCustom } from "fastest-validator";
import type { Limits } from "./limits";

/** Parameter rules that several services and wires share. Strict objects are the default of the broker's validator. */

/** Any text that might be an id. What is not one of ours is simply not found. */
export const id = "string|min:1|max:200";

/**
 * Not what stands for many in a mention, for nobody, or for the system, nor what erased users are called.
 */
export const username = {
  type: "string",
  pattern: /^(?!(?:all|here|everyone|channel|system|null|undefined)$|erased-)[A-Za-z0-9_.-]{3,32}$/i,
} as const;
/**
 * What mail servers take without quotes, on one line, with one "@". Tried on nothing longer than an address may be: it takes
 * time as the square of the length.
 */
const EMAIL =
  /^[^\s\p{Cc}\p{Cf}\p{Cs}<>()[\]:;,\\"@]+@[^\s\p{Cc}\p{Cf}\p{Cs}<>()[\]:;,\\"@]+\.[^\s\p{Cc}\p{Cf}\p{Cs}<>()[\]:;,\\"@]+$/u;
const LONGEST_EMAIL = 254;
/** Not the validator's own rule, which tries its pattern on texts of any length. */
export const email = {
  type: "string",
  max: LONGEST_EMAIL,
  custom: (value: unknown, errors: { type: string; message?: string }[]): unknown => {
    if (typeof value === "string" && value.length <= LONGEST_EMAIL && !EMAIL.test(value))
      errors.push({ type: "email", message: "Give an e-mail address." });
    return value;
  },
} as const;
export const password = {
  type: "string",
  min: 8,
  max: 72,
  /** bcrypt reads 72 bytes and no NUL; more would let two passwords be one. */
  custom: (value: unknown, errors: { type: string; message?: string }[]): unknown => {
    if (typeof value === "string" && (Buffer.byteLength(value) > 72 || value.includes("\0")))
      errors.push({ type: "passwordBytes", message: "A password has at most 72 bytes and no NUL." });
    return value;
  },
} as const;

/** Controls, lone surrogates, line separators, and what turns the direction of text: one name could look like another. */
const UNSAFE = /[\p{Cc}\p{Cs}\u2028\u2029\u202A-\u202E\u2066-\u2069]/u;

/** True for text that shows as one line, the way it is stored. */
export const isLine = (text: string): boolean => !UNSAFE.test(text);

/** Something that is seen by itself: no spaces, no marks that only change what stands before them, no fillers. */
const SEEN = /[\p{L}\p{N}\p{S}\p{P}]/u;
/** Letters and symbols that look like nothing: Hangul fillers, the blank pattern of Braille. */
const BLANK = /[\u115F\u1160\u2800\u3164\uFFA0]/gu;

/** Whether there is anything to be seen of a text. */
export const isSeen = (text: string): boolean => SEEN.test(text.replace(BLANK, ""));

/** A name that people are shown by: as `line`, and not invisible. */
export const shownName = <Bounds extends { min?: number; max: number; optional?: boolean; nullable?: boolean }>(
  bounds: Bounds,
) => {
  const rule = line(bounds);
  return {
    ...rule,
    custom: (value: unknown, errors: { type: string; message?: string }[]): unknown => {
      if (typeof value === "string" && value !== "" && !isSeen(value))
        errors.push({ type: "unseen", message: "Give a name that can be seen." });
      return rule.custom(value, errors);
    },
  } as const;
};

/** Text on one line (names, topics): spaces around it are cut, lengths count after that. */
export const line = <Bounds extends { min?: number; max: number; optional?: boolean; nullable?: boolean }>(
  bounds: Bounds,
) =>
  ({
    type: "string",
    trim: true,
    ...bounds,
    custom: (value: unknown, errors: { type: string; message?: string }[]): unknown => {
      if (typeof value === "string" && !isLine(value))
        errors.push({ type: "line", message: "Give one line without control characters." });
      return value;
    },
  }) as const;

/** Text that is looked for: stores would end it at a NUL, and find what begins with the rest or everything. */
export const sought = (bounds: { min?: number; max: number; optional?: boolean }) =>
  ({
    type: "string",
    ...bounds,
    custom: (value: unknown, errors: { type: string; message?: string }[]): unknown => {
      if (typeof value === "string" && value.includes("\0"))
        errors.push({ type: "nul", message: "Give a text without NUL." });
      return value;
    },
  }) as const;

/** A moment, with its zone. */
export const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

export const clientId = { type: "string", pattern: /^[A-Za-z0-9_-]{1,64}$/ } as const;

/** A whole number from `min`, from JSON or from a query string. Nothing else is converted. */
export const whole = (min: number, max = Number.MAX_SAFE_INTEGER): RuleCustom => ({
  type: "custom",
  check(value: unknown, errors: { type: string; message: string; expected?: unknown }[]): unknown {
    const number = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
    if (typeof number === "number" && Number.isSafeInteger(number) && number >= min && number <= max) return number;
    errors.push({ type: "whole", message: `Give a whole number from ${min}.` });
    return value;
  },
});

export const paging = {
  // So far that no page times its size leaves the safe integers.
  page: { ...whole(1, 1e9), optional: true },
  pageSize: { ...whole(1), optional: true },
} as const;

/** Page and size with defaults; a size over the maximum is cut, and the answer says so. */
export function pageOf(
  params: { page?: number; pageSize?: number },
  limits: Limits,
): { page: number; pageSize: number } {
  return { page: params.page ?? 1, pageSize: Math.min(params.pageSize ?? limits.pageDefault, limits.page) };
}
