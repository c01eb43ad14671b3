import { problem } from "../../engine.http";
import type { Reply } from "../../engine";
import { eventStream } from "../http/event-stream";
import type { HttpWire, WireReply, WireRequest } from "../http/http-door";
import type { Wire } from "../wire";

/** Milliseconds a poll waits: below what clients and proxies wait for an answer. */
const POLL = 25_000;
/** Characters of a body that are passed on at a time. */
const PIECE = 64 * 1024;

const TRANSPORTS = ["WebSockets", "ServerSentEvents", "LongPolling"].map(transport => ({
  transport,
  transferFormats: ["Text"],
}));

/**
 * What SignalR's clients ask over plain HTTP. A connection over Server-Sent Events or long polling is opened by negotiate
 * already, so that its id names the gateway it lives on; one that becomes a WebSocket has no use for it.
 * Source: TransportProtocols.md of dotnet/aspnetcore.
 */
export const signalrHttp = (wire: Wire): HttpWire => {
  return async request => {
    const { method, path, query } = request;
    if (path === "negotiate") return method === "POST" ? negotiate(wire, request) : problem("NOT_FOUND");
    if (path !== "") return problem("NOT_FOUND");
    const { id: user } = request.identify().identity;
    const id = query.get("id");
    if (id === null) return problem("BAD_REQUEST");
    if (method === "POST") return put(request, id, user);
    if (method === "DELETE") return (await request.sessions.end(id, user)) ? text(202) : GONE;
    if (method !== "GET") return problem("NOT_FOUND");
    return request.headers.accept?.includes("text/event-stream") ? events(request, id, user) : poll(request, id, user);
  };
};

const text = (status: number, body = ""): Reply => ({ status, body });
/** Of a connection that is not there, or not his. */
const GONE = text(404, "No Connection with that ID");

function negotiate(wire: Wire, { identify, address, token, query, sessions, refusal }: WireRequest): Reply {
  const { id: user } = identify().identity;
  const refused = refusal();
  if (refused) return refused;
  const id = sessions.reserve({ wire, user, token, address });
  const version = query.get("negotiateVersion") === "1" ? 1 : 0;
  const named = version === 1 ? { connectionToken: id, connectionId: id.slice(-12) } : { connectionId: id };
  return {
    status: 200,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ negotiateVersion: version, ...named, availableTransports: TRANSPORTS }),
  };
}

/** A body may hold more than a packet between gateways. */
async function put({ sessions, body }: WireRequest, id: string, user: string): Promise<Reply> {
  const said = await body();
  for (let at = 0; at < said.length; at += PIECE)
    if (!(await sessions.put(id, user, said.slice(at, at + PIECE)))) return GONE;
  return text(200);
}

async function events(request: WireRequest, id: string, user: string): Promise<Reply | undefined> {
  // The first look, which waits for nothing, tells whether there is such a connection.
  const begun = await request.sessions.take(id, user, 0);
  if (!begun) return GONE;
  const encode = (texts: string[]): string[] =>
    texts.length > 0 ? texts.map(one => `data: ${one}\r\n\r\n`) : [":\r\n\r\n"];
  return eventStream(request, id, user, encode, begun);
}

async function poll({ sessions }: WireRequest, id: string, user: string): Promise<WireReply> {
  const taken = await sessions.take(id, user, POLL);
  if (!taken) return GONE;
  if (!taken.open && taken.texts.length === 0) return text(204);
  return { ...text(200, taken.texts.join("")), sent: () => sessions.received(id, user, taken.number) };
}
