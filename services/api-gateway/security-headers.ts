import type { ServerResponse } from "node:http";
import { securityHeaders, type Surface } from "../core/security-headers";

export const surfaceOf = (path: string): Surface =>
  !isApi(path) ? "page" : path === "/api/docs" || path.startsWith("/api/docs/") ? "docs" : "api";

/** Whether the path (without query) belongs to REST. Case counts, as it does for the router. */
export const isApi = (path: string): boolean => path === "/api" || path.startsWith("/api/");

export function setSecurityHeaders(res: ServerResponse, surface: Surface, https: boolean): void {
  for (const [name, value] of securityHeaders(surface, https)) res.setHeader(name, value);
}
