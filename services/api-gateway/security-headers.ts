import type { ServerResponse } from "node:http";

/** What a browser may do with an answer. */
export type Surface = "api" | "docs" | "page";

const POLICIES: Record<Surface, string> = {
  api: "default-src 'none'; frame-ancestors 'none'; sandbox",
  docs: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  page: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; manifest-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
};

export const surfaceOf = (path: string): Surface =>
  !isApi(path) ? "page" : path === "/api/docs" || path.startsWith("/api/docs/") ? "docs" : "api";

/** Whether the path (without query) belongs to REST. Case counts, as it does for the router. */
export const isApi = (path: string): boolean => path === "/api" || path.startsWith("/api/");

/** @param https whether the client's own connection is encrypted, on the word of a proxy we trust */
export function setSecurityHeaders(res: ServerResponse, surface: Surface, https: boolean): void {
  res.setHeader("X-Content-Type-Options", "nosniff");
  res.setHeader("Referrer-Policy", "no-referrer");
  res.setHeader("Content-Security-Policy", POLICIES[surface]);
  if (surface === "api") res.setHeader("Cache-Control", "no-store");
  if (https) res.setHeader("Strict-Transport-Security", "max-age=31536000");
}
