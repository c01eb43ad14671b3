import { PATHS } from "../../../core/paths";
import type { Door } from "../doors";
import { JOINED } from "./signalr.frames";
import { signalrHttp } from "./signalr.http";
import { signalrWire, type SignalrSettings } from "./signalr.wire";

/** @param longest characters of one message */
export function signalrDoor(settings: SignalrSettings, longest: number): Door {
  const wire = signalrWire(settings, longest);
  return {
    path: PATHS.signalr,
    wire,
    longest: JOINED,
    webSockets: "token",
    tokenInQuery: true,
    http: signalrHttp(wire),
  };
}
