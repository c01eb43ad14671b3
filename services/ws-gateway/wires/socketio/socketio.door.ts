import type { Door } from "../doors";
import { socketioHttp } from "./socketio.http";
import { Upgrading } from "./socketio.upgrade";
import { socketioWire } from "./socketio.wire";

/** @param longest bytes of a packet, and of a body of HTTP */
export function socketioDoor(longest: number): Door {
  const wire = socketioWire(longest);
  return {
    path: "/socket.io",
    wire,
    // It comes with the first packet inside.
    webSockets: "open",
    http: socketioHttp(wire),
    resume(socket, query, sessions) {
      const id = query.get("sid");
      return id === null ? undefined : new Upgrading(socket, id, sessions);
    },
  };
}
