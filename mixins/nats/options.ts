import type { ConnectionOptions } from "nats";
import "./one-connection";

/** Milliseconds between pings; a server that leaves two unanswered is taken for gone, also on a half-open connection. */
const PING_INTERVAL = 1_000;
const MAX_PING_OUT = 2;
/** Milliseconds for which a connection has been silent at most when it is given up for its silence. */
export const MAX_SILENCE = PING_INTERVAL * (MAX_PING_OUT + 1);
/** Milliseconds between attempts, with up to as many on top, so that a cluster does not come back in one moment. */
const RECONNECT_WAIT = 250;
const RECONNECT_JITTER = 250;
/** Milliseconds one attempt may take. */
const CONNECT_TIMEOUT = 2_000;

/**
 * Options of one connection to `nats://user:password@host:port,nats://host2` (`tls://` for TLS, `token@` for a token). A
 * connection is tried for ever: who starts first does not matter. Moleculer's own reading of such a list knows no TLS.
 */
export function natsOptions(urls: string, name: string): ConnectionOptions {
  const servers = urls.split(",").map(url => new URL(url.trim()));
  const { username, password } = servers.find(url => url.username !== "") ?? { username: "", password: "" };
  const credentials =
    password !== ""
      ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) }
      : username !== "" && { token: decodeURIComponent(username) };
  return {
    name,
    servers: servers.map(url => url.host),
    ...credentials,
    ...(servers.some(url => url.protocol === "tls:") && { tls: {} }),
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT,
    reconnectJitter: RECONNECT_JITTER,
    timeout: CONNECT_TIMEOUT,
    pingInterval: PING_INTERVAL,
    maxPingOut: MAX_PING_OUT,
  };
}
