import type { IncomingMessage, ServerResponse } from "node:http";
import { clientAddress, isForwardingHeader, normalAddress, type TrustedProxies } from "../core/client-address";
import type { Authenticator } from "./authenticate";
import type { Cors } from "../core/cors";
import { openExchange, type Exchange } from "./exchange";
import { httpError, sendProblem } from "./http-errors";
import { addressKey, userKey, type RateLimit } from "./rate-limit";
import { isApi, setSecurityHeaders, surfaceOf } from "./security-headers";

export interface ListenerParts {
  authenticator: Authenticator;
  rateLimit: RateLimit;
  cors: Cors;
  proxies: TrustedProxies;
  /** False if another listener of this process takes the connections: it has judged the forwarding headers already. */
  ownConnections: boolean;
  /** Monotonic milliseconds. */
  now(): number;
  log(line: RequestLine): void;
  /** Answers a request that was let in. */
  answer(req: IncomingMessage, res: ServerResponse): Promise<void>;
  /** Answers with an error. */
  fail(req: IncomingMessage, res: ServerResponse, error: unknown): Promise<void>;
}

/** One line of the request log: no query, no header, no body. */
export interface RequestLine {
  method: string;
  path: string;
  /** 0: the client left before there was one. */
  status: number;
  ms: number;
  requestId: string;
  userId?: string;
}

/** A path in the log is cut here, characters. */
const LOGGED_PATH = 256;

/**
 * The first to see a request: what holds for every answer (request id, security headers, CORS, who is asking, how often,
 * the log line), before the router looks at the path.
 */
export class Listener {
  constructor(private readonly parts: ListenerParts) {}

  readonly handle = (req: IncomingMessage, res: ServerResponse): void => {
    this.serve(req, res)
      .catch((error: unknown) => this.parts.fail(req, res, error))
      .catch((error: unknown) => sendProblem(res, httpError(error)));
  };

  private async serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { cors, proxies, ownConnections, authenticator, answer, now } = this.parts;
    if (ownConnections && !proxies.has(normalAddress(req.socket.remoteAddress))) dropForwarding(req);
    const exchange = openExchange(req, clientAddress(req, proxies), now());
    res.once("close", () => this.log(req, res, exchange));

    // The router takes the id of the whole chain from here.
    req.headers["x-request-id"] = exchange.id;
    delete req.headers["x-correlation-id"];
    res.setHeader("X-Request-Id", exchange.id);
    setSecurityHeaders(res, surfaceOf(exchange.path), req.headers["x-forwarded-proto"] === "https");
    if (isApi(exchange.path)) {
      cors.apply(req, res);
      // The router would take the method of a preflight for that of the request and act on it.
      if (req.method === "OPTIONS") return cors.preflight(res);
      exchange.credentials = await authenticator.read(req.headers.authorization);
      // Whoever watches over us must not be told off for asking.
      if (exchange.path !== "/api/health") await this.limit(res, exchange);
    }
    await answer(req, res);
  }

  private limit(res: ServerResponse, { address, credentials }: Exchange): Promise<void> {
    const key = credentials.identity ? userKey(credentials.identity.id) : addressKey(address);
    return this.parts.rateLimit.take("requests", key, res);
  }

  private log(req: IncomingMessage, res: ServerResponse, exchange: Exchange): void {
    const userId = exchange.credentials.identity?.id;
    this.parts.log({
      method: req.method ?? "",
      path: exchange.path.slice(0, LOGGED_PATH),
      status: res.headersSent ? res.statusCode : 0,
      ms: Math.round((this.parts.now() - exchange.startedAt) * 10) / 10,
      requestId: exchange.id,
      ...(userId !== undefined && { userId }),
    });
  }
}

function dropForwarding(req: IncomingMessage): void {
  for (const name of Object.keys(req.headers)) if (isForwardingHeader(name)) delete req.headers[name];
}
