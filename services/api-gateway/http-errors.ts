import type { ServerResponse } from "node:http";
import { ERRORS, publicError, readError, type ErrorCode, type PublicError } from "../core/errors";

/** The router's own refusals, by class name and HTTP status. */
const ROUTER_ERRORS: Record<string, ErrorCode> = {
  BadRequestError: "BAD_REQUEST",
  NotFoundError: "NOT_FOUND",
  ServiceUnavailableError: "UNAVAILABLE",
};

const READS = ["GET", "HEAD"];

/** Milliseconds a client should wait before it tries again what was refused as UNAVAILABLE, if nothing better is known. */
const TRY_AGAIN_AFTER = 1_000;

/** What a client is told of anything that was thrown on the way. @param method of the request: what only reads is told so */
export function httpError(error: unknown, method = ""): PublicError {
  const name = (error as { name?: unknown } | null)?.name;
  const code = typeof name === "string" && Object.hasOwn(ROUTER_ERRORS, name) ? ROUTER_ERRORS[name] : undefined;
  const told = READS.includes(method) ? readError(error) : publicError(error);
  const known = code ? { code, status: ERRORS[code].status } : told;
  return known.code === "UNAVAILABLE" ? { retryAfterMs: TRY_AGAIN_AFTER, ...known } : known;
}

/** The body of an error answer (RFC 9457). */
export const problemOf = ({ code, status, detail, errors }: PublicError) => ({
  type: "about:blank",
  title: ERRORS[code].title,
  status,
  code,
  ...(detail !== undefined && { detail }),
  ...(errors !== undefined && { errors }),
});

/** Answers with an error. Where an answer has begun already it is cut off, so that its reader sees it is not whole. */
export function sendProblem(res: ServerResponse, error: PublicError): void {
  if (res.headersSent) {
    if (!res.writableEnded) res.destroy();
    return;
  }
  const body = JSON.stringify(problemOf(error));
  if (error.retryAfterMs !== undefined) {
    res.setHeader("Retry-After", Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
  }
  res.writeHead(error.status, {
    "Content-Type": "application/problem+json",
    "Content-Length": Buffer.byteLength(body),
  });
  res.end(body);
}
