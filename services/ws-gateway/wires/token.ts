/** The access token of a request, as SignalR's clients give it: browsers cannot set a header on a socket. Empty if none. */
export function tokenOf(query: URLSearchParams, authorization: string | undefined): string {
  const [scheme, value] = authorization?.split(" ") ?? [];
  if (scheme?.toLowerCase() === "bearer" && value) return value;
  return query.get("access_token") ?? "";
}
