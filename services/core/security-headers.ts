/** What a browser may do with an answer. */
export type Surface = "api" | "docs" | "page";

const POLICIES: Record<Surface, string> = {
  api: "default-src 'none'; frame-ancestors 'none'; sandbox",
  docs: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  page: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; manifest-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
};

/**
 * The headers of every answer on every door. What may be private is kept by nobody on the way.
 * @param https whether the client's own connection is encrypted, on the word of a proxy we trust
 */
export const securityHeaders = (surface: Surface, https: boolean): [string, string][] => [
  ["X-Content-Type-Options", "nosniff"],
  ["Referrer-Policy", "no-referrer"],
  ["Content-Security-Policy", POLICIES[surface]],
  ...(surface === "api" ? ([["Cache-Control", "no-store"]] as [string, string][]) : []),
  ...(https ? ([["Strict-Transport-Security", "max-age=31536000"]] as [string, string][]) : []),
];
