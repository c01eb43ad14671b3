import type { Wire } from "./line";
import { native } from "./native";
import { signalr } from "./signalr";
import { socketio } from "./socketio";
import { stream } from "./stream";

const ALL = [
  native,
  stream,
  signalr("WebSockets"),
  signalr("ServerSentEvents"),
  signalr("LongPolling"),
  socketio("websocket"),
  socketio("polling", "websocket"),
] as const;

export type WireName = string;

const byName = new Map<WireName, Wire>(ALL.map(wire => [wire.name, wire]));

/** As devices are drawn: the native one as often as all others of a kind. */
export const WIRES: readonly WireName[] = [...ALL.map(({ name }) => name), native.name, native.name, stream.name];

export function wireOf(name: WireName): Wire {
  const wire = byName.get(name);
  if (!wire) throw new Error(`there is no wire ${name}`);
  return wire;
}
