import type { IncomingMessage } from "node:http";
import { newId } from "../core/ids";
import type { Credentials } from "./authenticate";

/** What is known of a request from its first moment on. */
export interface Exchange {
  /** `X-Request-Id`: the client's if it is harmless, else made here. Names the whole chain of calls. */
  readonly id: string;
  /** Path without query. */
  readonly path: string;
  /** The client's address. */
  readonly address: string;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  credentials: Credentials;
}

const REQUEST_ID = /^[A-Za-z0-9-]{1,64}$/;

const exchanges = new WeakMap<IncomingMessage, Exchange>();

export function openExchange(req: IncomingMessage, address: string, startedAt: number): Exchange {
  const told = req.headers["x-request-id"];
  const exchange: Exchange = {
    id: typeof told === "string" && REQUEST_ID.test(told) ? told : newId(),
    path: pathOf(req.url ?? "/"),
    address,
    startedAt,
    credentials: {},
  };
  exchanges.set(req, exchange);
  return exchange;
}

/** The exchange of a request that the listener let in. */
export function exchangeOf(req: IncomingMessage): Exchange {
  const exchange = exchanges.get(req);
  if (!exchange) throw new Error("This request did not come through the listener");
  return exchange;
}

const pathOf = (url: string): string => {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
};
