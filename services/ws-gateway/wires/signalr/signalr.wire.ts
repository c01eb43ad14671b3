import type { Wire } from "../wire";
import { invocations, PING } from "./signalr.frames";
import { SignalrSession } from "./signalr.session";

export interface SignalrSettings {
  /** Seconds between pings, and until the handshake. */
  keepAlive: number;
  handshakeTimeout: number;
}

/** @param longest characters of one message */
export const signalrWire = ({ keepAlive, handshakeTimeout }: SignalrSettings, longest: number): Wire => ({
  name: "signalr",
  helloWithin: handshakeTimeout * 1_000,
  ping: { every: keepAlive * 1_000, text: PING },
  encode: ({ events }) => (events.length > 0 ? [events.flatMap(invocations).join("")] : []),
  session: port => new SignalrSession(port, longest),
});
