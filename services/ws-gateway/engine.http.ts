import { STATUS_CODES } from "node:http";
import { ERRORS, type ErrorCode } from "../core/errors";
import { securityHeaders } from "../core/security-headers";
import type { Reply } from "./engine";

/** HTTP rules both drivers keep. */

/** Headers of one connection, not of the message (RFC 9110, 7.6.1); never passed on. */
const HOP_BY_HOP = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Whether header `name` (lower case) ends at this hop; `connection` is the message's Connection header, lower case. */
export function isHopByHop(name: string, connection: string): boolean {
  return HOP_BY_HOP.has(name) || (connection !== "" && connection.split(",").some(token => token.trim() === name));
}

/** Status code and phrase as the status line has them. */
export const statusLine = (status: number, phrase = STATUS_CODES[status] ?? "Unknown"): string => `${status} ${phrase}`;

/** Whether the answer has no body by definition; its length, if told, is that of the body left out. */
export const isBodiless = (method: string, status: number): boolean =>
  method === "HEAD" || status === 204 || status === 304;

/** Whether Transfer-Encoding, repeated ones joined by commas, is one that is spoken here: no proxy may read it otherwise. */
export const isKnownCoding = (value: string): boolean => value.trim().toLowerCase() === "chunked";

/** Milliseconds after which who was refused may try again, where nothing better is known. */
const TRY_AGAIN_AFTER: Partial<Record<ErrorCode, number>> = { UNAVAILABLE: 1_000, RATE_LIMITED: 10_000 };

/** An error as REST tells it (RFC 9457). */
export function problem(code: ErrorCode, title: string = ERRORS[code].title, retryAfterMs?: number): Reply {
  const { status } = ERRORS[code];
  const after = retryAfterMs ?? TRY_AGAIN_AFTER[code];
  return {
    status,
    headers: {
      "Content-Type": "application/problem+json",
      ...(after !== undefined && { "Retry-After": String(Math.max(1, Math.ceil(after / 1_000))) }),
    },
    body: JSON.stringify({ type: "about:blank", title, status, code }),
  };
}

/** The answer to whatever comes after `stopListening`. */
export const STOPPING = problem("UNAVAILABLE");

/** Headers of a complete answer, without its length. @param https see `securityHeaders` */
export const replyHeaders = (reply: Reply, https = false): [string, string][] => [
  ...Object.entries({ "Content-Type": "text/plain; charset=utf-8", ...reply.headers }),
  ...securityHeaders("api", https),
];

/** What a proxy says of a client whose connection to it is encrypted; believed where forwarding headers are. */
export const isHttps = (protocol: string | string[] | undefined): boolean => protocol === "https";

/** Milliseconds a request body has before its pace counts, and the bytes a second it must have made by then and after. */
const BODY_GRACE = 30_000;
const BODY_PACE = 16 * 1024;

/**
 * Guards against bodies that drip. The watch ends when `stop` is called.
 * @param received bytes so far
 * @param abort called once if the body is too slow
 */
export function watchBody(received: () => number, abort: () => void): { stop(): void } {
  const since = performance.now();
  const timer = setInterval(() => {
    if (received() >= ((performance.now() - since) / 1000) * BODY_PACE) return;
    clearInterval(timer);
    abort();
  }, BODY_GRACE);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
