import type { IncomingMessage, ServerResponse } from "node:http";

const EXPOSED = "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-Id, Location";
const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE";
const HEADERS = ["Authorization", "Content-Type", "X-Request-Id"];
/** Seconds a browser may remember a preflight. */
const MAX_AGE = 600;

/**
 * Which pages of other origins may read our answers: those listed, by exact comparison, and our own. The router's CORS is
 * not used: it compares by substring, and runs an action for a preflight where it is off.
 */
export class Cors {
  private readonly allowed: ReadonlySet<string>;

  /**
   * @param credentials for libraries that ask for them whether they are needed or not. Nothing here looks at a cookie.
   * @param headers that requests may have besides
   */
  constructor(
    allowedOrigins: readonly string[],
    private readonly more: { credentials?: boolean; headers?: readonly string[] } = {},
  ) {
    this.allowed = new Set(allowedOrigins);
  }

  /** Adds the headers an answer needs. Tokens travel in a header, never in cookies. */
  apply(req: IncomingMessage, res: ServerResponse): void {
    res.setHeader("Vary", "Origin");
    const { origin, host } = req.headers;
    if (origin === undefined || !this.allows(origin, host)) return;
    res.setHeader("Access-Control-Allow-Origin", origin);
    res.setHeader("Access-Control-Expose-Headers", EXPOSED);
    if (this.more.credentials) res.setHeader("Access-Control-Allow-Credentials", "true");
  }

  /** Answers OPTIONS, whoever asks; without `apply`'s header a browser takes it for a refusal. */
  preflight(res: ServerResponse): void {
    if (res.hasHeader("Access-Control-Allow-Origin")) {
      res.setHeader("Access-Control-Allow-Methods", METHODS);
      res.setHeader("Access-Control-Allow-Headers", [...HEADERS, ...(this.more.headers ?? [])].join(", "));
      res.setHeader("Access-Control-Max-Age", MAX_AGE);
    }
    res.writeHead(204, { Allow: `${METHODS}, OPTIONS` }).end();
  }

  private allows(origin: string, host: string | undefined): boolean {
    return this.allowed.has(origin) || origin === `http://${host}` || origin === `https://${host}`;
  }
}
