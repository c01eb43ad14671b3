import { PATHS } from "../../../core/paths";
import type { Door } from "../doors";
import { streamHttp } from "./stream.http";
import { streamWire } from "./stream.wire";

export function streamDoor(): Door {
  return { path: PATHS.stream, wire: streamWire, webSockets: "none", http: streamHttp(streamWire) };
}
