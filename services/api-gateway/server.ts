import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Milliseconds. */
const HEADERS_TIMEOUT = 10_000;
/** A request with its body: an upload over a slow line. Its pace is watched where it is taken, a JSON body has a bound of its own. */
const REQUEST_TIMEOUT = 600_000;
/** Without a byte in either direction: a reader that has stopped reading, a sender that has stopped sending. */
const STALL_TIMEOUT = 120_000;
const KEEP_ALIVE = 30_000;
const CHECK_INTERVAL = 2_000;
/** Milliseconds that answers under way get when the server stops. */
const CLOSE_TIMEOUT = 5_000;
/** Bytes of all headers, request line included. */
const MAX_HEADERS = 16 * 1024;

/** The HTTP server of REST and pages; it need not listen. */
export function createHttpServer(listener: RequestListener): Server {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      connectionsCheckingInterval: CHECK_INTERVAL,
      keepAlive: true,
      keepAliveTimeout: KEEP_ALIVE,
      maxHeaderSize: MAX_HEADERS,
    },
    listener,
  );
  server.maxHeadersCount = 100;
  server.timeout = STALL_TIMEOUT;
  return server;
}

/** Resolves to the port it got. Rejects with an error that names the port and is `expected`, if the port cannot be had. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const reason = error.code === "EADDRINUSE" ? "is taken" : `cannot be used (${error.code})`;
      reject(Object.assign(new Error(`PORT: port ${port} of ${host} ${reason}`), { expected: true, code: error.code }));
    };
    server.once("error", onError);
    server.listen(port, host, () => {
      server.off("error", onError);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Takes no more connections, lets answers under way end for a while, then drops what is left. */
export async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>(resolve => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT);
  await closed;
  clearTimeout(timer);
}
