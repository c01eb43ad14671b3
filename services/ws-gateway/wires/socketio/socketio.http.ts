import type { Reply } from "../../engine";
import { ANYBODY } from "../http/http-sessions";
import type { HttpWire } from "../http/http-door";
import type { Wire } from "../wire";
import { SEPARATOR } from "./socketio.packets";

/** Milliseconds a poll waits. */
const POLL = 25_000;

/** Errors of Engine.IO: of a session that is not there, and of a request that makes no sense. */
const UNKNOWN = error(1, "Session ID unknown");
const BAD = error(3, "Bad request");
const VERSION = error(5, "Unsupported protocol version");

/**
 * Long polling of Engine.IO: a GET that waits for packets, a POST that brings some. The session's id is all that tells one
 * from another: who it is comes with the first packet.
 */
export const socketioHttp =
  (wire: Wire): HttpWire =>
  async ({ method, path, query, token, address, sessions, refusal, body }) => {
    if (path !== "" || query.get("transport") !== "polling") return BAD;
    const fault = versionFault(query);
    if (fault) return fault;
    let id = query.get("sid");
    if (id === null) {
      if (method !== "GET") return BAD;
      const refused = refusal();
      if (refused) return refused;
      id = sessions.reserve({ wire, user: ANYBODY, token, address });
    }
    if (method === "POST") return (await sessions.put(id, ANYBODY, await body())) ? plain("ok") : UNKNOWN;
    if (method !== "GET") return BAD;
    const taken = await sessions.take(id, ANYBODY, POLL);
    if (!taken || (!taken.open && taken.texts.length === 0)) return UNKNOWN;
    return {
      ...plain(taken.texts.length > 0 ? taken.texts.join(SEPARATOR) : NOTHING),
      sent: () => sessions.received(id, ANYBODY, taken.number),
    };
  };

/** Version 4 of Engine.IO is spoken, whatever the transport. */
export const versionFault = (query: URLSearchParams): Reply | undefined =>
  query.get("EIO") === "4" ? undefined : VERSION;

/** A packet that says nothing: an empty body would be an error. */
const NOTHING = "6";

const plain = (text: string): Reply => ({
  status: 200,
  headers: { "Content-Type": "text/plain; charset=UTF-8" },
  body: text,
});

function error(code: number, message: string): Reply {
  return {
    status: 400,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code, message }),
  };
}
