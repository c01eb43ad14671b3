import type { Wire } from "../wire";
import { ENGINE, eventPacket } from "./socketio.packets";
import { SocketioSession } from "./socketio.session";

/** Milliseconds; the library's own defaults, which clients are told. */
const PING_INTERVAL = 25_000;
const PING_TIMEOUT = 20_000;

/** Milliseconds until the client says who it is: it does so as soon as it is connected, on a slow network by two requests. */
const HELLO = 10_000;

/** @param longest bytes of a packet, and of a body of HTTP */
export const socketioWire = (longest: number): Wire => ({
  name: "socketio",
  helloWithin: HELLO,
  ping: { every: PING_INTERVAL, text: ENGINE.ping },
  // One packet is one message of a WebSocket.
  encode: ({ events }) => events.map(eventPacket),
  session: port =>
    new SocketioSession(
      port,
      { pingInterval: PING_INTERVAL, pingTimeout: PING_TIMEOUT, maxPayload: longest },
      port.requests ? ["websocket"] : [],
    ),
});
