import type { Door } from "../doors";
import { signalrHttp } from "./signalr.http";
import { signalrWire, type SignalrSettings } from "./signalr.wire";

/** @param longest characters of one message */
export function signalrDoor(settings: SignalrSettings, longest: number): Door {
  const wire = signalrWire(settings, longest);
  return { path: "/hubs/chat", wire, webSockets: "token", http: signalrHttp(wire) };
}
