/**
 * The access token of a request, empty if there is none. In an address, which proxies write into their logs, it counts only
 * for clients that have no other way: SignalR's in a browser cannot set a header on a socket.
 */
export function tokenOf(query: URLSearchParams | null, authorization: string | undefined): string {
  const [scheme, value] = authorization?.split(" ") ?? [];
  if (scheme?.toLowerCase() === "bearer" && value) return value;
  return query?.get("access_token") ?? "";
}
