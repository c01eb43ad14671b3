import type { Route } from "./route";

const FILTERS = ["type", "actor", "object", "result", "since", "until"] as const;

export const audit: Route[] = [
  {
    method: "GET",
    path: "/audit",
    to: "auth.audit",
    summary: "Who did what, newest first; needs the permission audit.read",
    tag: "audit",
    auth: "user",
    status: 200,
    query: [...FILTERS, "before", "limit"],
    answer: "AuditPage",
  },
  {
    method: "GET",
    path: "/audit/export",
    to: "audit-export",
    summary: "The same, all of it, a JSON document a line",
    tag: "audit",
    auth: "user",
    status: 200,
    query: FILTERS,
    bytes: "lines",
  },
];
