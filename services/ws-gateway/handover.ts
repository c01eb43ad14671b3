import type { Server } from "node:http";
import type { HttpExchange } from "./engine";
import { problem } from "./engine.http";

const UNAVAILABLE = problem("UNAVAILABLE", "Service unavailable");

/** Hands HTTP requests that came in on the sockets' port to the Node server of this process that answers them. */
export class HttpHandover {
  /** @param origin the server (it need not listen), undefined while there is none: then the answer is 503 */
  constructor(private readonly origin: () => Server | undefined) {}

  handle(exchange: HttpExchange): void {
    const server = this.origin();
    if (server === undefined) exchange.reply(UNAVAILABLE);
    else exchange.serve(server);
  }
}
