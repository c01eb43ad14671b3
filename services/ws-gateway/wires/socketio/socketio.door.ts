import { PATHS } from "../../../core/paths";
import type { Door } from "../doors";
import { socketioHttp, versionFault } from "./socketio.http";
import { Upgrading } from "./socketio.upgrade";
import { socketioWire } from "./socketio.wire";

/** @param longest bytes of a packet, and of a body of HTTP */
export function socketioDoor(longest: number): Door {
  const wire = socketioWire(longest);
  return {
    path: PATHS.socketio,
    wire,
    // It comes with the first packet inside.
    webSockets: "open",
    http: socketioHttp(wire),
    fault: versionFault,
    resume(socket, query, sessions) {
      const id = query.get("sid");
      return id === null ? undefined : new Upgrading(socket, id, sessions);
    },
  };
}
