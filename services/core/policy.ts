import type { Identity } from "./model";
import { RookeryError } from "./errors";
import type { Permission } from "./permissions";

/**
 * Who may call an action. Every action declares one as `auth`, else its service does not load.
 *
 * - `anyone`: no sign-in needed (register, login, refresh).
 * - `user`: any signed-in user; finer rules are checked by the owner of the data.
 * - `{ permission }`: a signed-in user whose token grants it.
 * - `internal`: other services only; no door ever passes it on.
 */
export type Policy = "anyone" | "user" | "internal" | { permission: Permission };

export function isPolicy(value: unknown): value is Policy {
  return (
    value === "anyone" ||
    value === "user" ||
    value === "internal" ||
    (typeof value === "object" && value !== null && typeof (value as { permission?: unknown }).permission === "string")
  );
}

/** Throws UNAUTHENTICATED or FORBIDDEN unless the policy lets this caller in. */
export function enforce(policy: Policy, user: Identity | undefined): void {
  if (policy === "anyone" || policy === "internal") return;
  if (!user) throw new RookeryError("UNAUTHENTICATED");
  if (policy !== "user" && !user.permissions.includes(policy.permission)) throw new RookeryError("FORBIDDEN");
}

/** The signed-in caller of an action whose policy asked for one. */
export function callerOf(meta: { user?: Identity }): Identity {
  if (!meta.user) throw new RookeryError("UNAUTHENTICATED");
  return meta.user;
}
