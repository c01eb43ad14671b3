import type { Middleware } from "moleculer";
import type { Config } from "../config";

export function telemetryMiddleware(_config: Config): Middleware {
  return { name: "Telemetry" } as Middleware;
}
