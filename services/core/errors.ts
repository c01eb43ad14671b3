/**
 * Every error a client or another node can see, on one page. A code is the contract; its status and title follow from it.
 *
 * Classes do not survive a hop between nodes (a remote error arrives as a plain `Error` with the same `type`), so code
 * branches on the code and never on `instanceof`.
 */
export const ERRORS = {
  BAD_REQUEST: { status: 400, title: "The request is not well-formed" },
  UNAUTHENTICATED: { status: 401, title: "Sign in first" },
  FORBIDDEN: { status: 403, title: "Not allowed" },
  NOT_FOUND: { status: 404, title: "Not found" },
  CONFLICT: { status: 409, title: "Conflicts with what is there" },
  TOO_LARGE: { status: 413, title: "Too large" },
  INVALID: { status: 422, title: "Not valid" },
  RATE_LIMITED: { status: 429, title: "Too many requests" },
  INTERNAL: { status: 500, title: "Something went wrong here" },
  UNAVAILABLE: {
    status: 503,
    title: "Not available right now",
    advice: "Refused before anything was sent on: surely not done, try again.",
  },
  UNKNOWN_OUTCOME: {
    status: 504,
    title: "Outcome unknown",
    advice: "Sent on, no answer: it may have been done. Repeat with the same clientId.",
  },
} as const satisfies Record<string, { status: number; title: string; advice?: string }>;

export type ErrorCode = keyof typeof ERRORS;

export interface FieldError {
  field: string;
  message: string;
}

/** What may be told to a client besides the code. Never holds internals or the offending value. */
export interface ErrorDetails {
  errors?: FieldError[];
  /** Milliseconds after which a retry may work. */
  retryAfterMs?: number;
}

/** The one error our own code throws. `type` is the code, `code` the HTTP status: Moleculer carries both between nodes. */
export class RookeryError extends Error {
  override readonly name = "RookeryError";
  readonly type: ErrorCode;
  readonly code: number;
  readonly retryable: boolean;
  readonly data: ErrorDetails;

  constructor(type: ErrorCode, detail?: string, data: ErrorDetails = {}) {
    super(detail ?? ERRORS[type].title);
    this.type = type;
    this.code = ERRORS[type].status;
    this.retryable = type === "UNAVAILABLE";
    this.data = data;
  }
}

/** Refuses what a client gave in one field. */
export const invalidField = (field: string, message: string): RookeryError =>
  new RookeryError("INVALID", `${field}: ${message}`, { errors: [{ field, message }] });

/** Refuses what somebody would say who only reads. @param until RFC 3339; null: until somebody ends it */
export const muted = (until: string | null): RookeryError =>
  new RookeryError("FORBIDDEN", `You are muted here until ${until ?? "somebody ends it"}.`);

/** Refuses what would change a room that is only read. */
export const archivedRoom = (): RookeryError => new RookeryError("FORBIDDEN", "This room is archived.");

/** The public face of an error: what REST and every wire show. */
export interface PublicError extends ErrorDetails {
  code: ErrorCode;
  status: number;
  detail?: string;
}

interface ErrorLike {
  name?: unknown;
  type?: unknown;
  message?: unknown;
  data?: unknown;
}

/** Moleculer's own refusals and what they mean to a client. Sent and unanswered is unknown; never sent is unavailable. */
const MOLECULER_CODES: Record<string, ErrorCode> = {
  REQUEST_TIMEOUT: "UNKNOWN_OUTCOME",
  REQUEST_REJECTED: "UNKNOWN_OUTCOME",
  REQUEST_SKIPPED: "UNAVAILABLE",
  QUEUE_FULL: "UNAVAILABLE",
  SERVICE_NOT_FOUND: "UNAVAILABLE",
  SERVICE_NOT_AVAILABLE: "UNAVAILABLE",
  MAX_CALL_LEVEL: "INTERNAL",
};

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERRORS, value);
}

/** True if `error`, thrown here or on another node, carries this code. */
export function hasCode(error: unknown, code: ErrorCode): boolean {
  return (error as ErrorLike | null)?.type === code;
}

/**
 * Maps anything that was thrown to what a client may see. Unknown errors become INTERNAL with no text of their own;
 * validation errors keep field and message but never the value.
 */
export function publicError(error: unknown): PublicError {
  const { name, type, message, data } = (error ?? {}) as ErrorLike;
  if (name === "RookeryError" && isErrorCode(type)) {
    const { errors, retryAfterMs } = (data ?? {}) as ErrorDetails;
    return {
      code: type,
      status: ERRORS[type].status,
      ...(typeof message === "string" && message !== ERRORS[type].title && { detail: message }),
      ...(errors && { errors }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  }
  if (type === "VALIDATION_ERROR") {
    const errors = fieldErrors(data);
    return { code: "INVALID", status: 422, detail: errors.map(e => e.message).join(" "), errors };
  }
  const code: ErrorCode = (typeof type === "string" && MOLECULER_CODES[type]) || "INTERNAL";
  return { code, status: ERRORS[code].status };
}

/** Like `publicError`, of what only reads: that has no outcome which could be unknown. */
export function readError(error: unknown): PublicError {
  const told = publicError(error);
  return told.code === "UNKNOWN_OUTCOME" ? publicError(new RookeryError("UNAVAILABLE")) : told;
}

/** At most so many fields are named, each cut to this many characters: names of unknown fields come from outside. */
const NAMED_FIELDS = 20;
const FIELD_LENGTH = 64;

interface ValidatorFault {
  field?: unknown;
  type?: unknown;
  message?: unknown;
  actual?: unknown;
}

/** Turns fastest-validator's list into ours: without the offending values it carries, but with the names of unknown fields. */
export function fieldErrors(list: unknown): FieldError[] {
  if (!Array.isArray(list)) return [];
  return (list as ValidatorFault[]).flatMap(errorsOf).slice(0, NAMED_FIELDS);
}

function errorsOf({ field, type, message, actual }: ValidatorFault): FieldError[] {
  const at = typeof field === "string" ? field : "";
  // For an unknown field `actual` is the list of names, not a value.
  if (type === "objectStrict" && typeof actual === "string") {
    const names = actual.split(", ").map(name => (at ? `${at}.${name}` : name).slice(0, FIELD_LENGTH));
    return names.map(name => ({ field: name, message: "There is no such field." }));
  }
  return [{ field: at, message: typeof message === "string" ? message : "Not valid." }];
}
