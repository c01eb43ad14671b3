import { timestamp, type Clock } from "./clock";
import { call, type AuditEntry, type Caller, type Meta } from "./contract";
import { newId } from "./ids";

/** What is audited. A type is never renamed: records stay for good. */
export const AUDIT_TYPES = [
  "login",
  "logout",
  "token.reuse",
  "session.end",
  "account.register",
  "account.verify",
  "account.deactivate",
  "account.delete",
  "account.erase",
  "password.change",
  "password.reset",
  "email.change",
  "username.change",
  "second-factor.change",
  "token.create",
  "token.revoke",
  "identity.link",
  "roles.change",
  "permissions.change",
  "invitation.create",
  "room.ban",
  "room.unban",
  "room.mute",
  "room.kick",
  "room.role",
  "room.transfer",
  "room.archive",
  "room.delete",
  "room.invite",
  "access.denied",
  "limit.hit",
] as const;
export type AuditType = (typeof AUDIT_TYPES)[number];

/** Milliseconds that whoever is audited waits for his record. */
const PATIENCE = 2_000;

/** Records what the caller of `via` did; by him, unless the entry names another. */
export async function audit(
  via: Caller & { meta?: Meta },
  clock: Clock,
  entry: Omit<AuditEntry, "actor"> & { actor?: string | null },
): Promise<void> {
  const { user, address } = via.meta ?? {};
  const record = {
    id: newId(),
    at: timestamp(clock),
    ...(address !== undefined && { address }),
    ...entry,
    actor: entry.actor === undefined ? (user?.id ?? null) : entry.actor,
  };
  // What was done is done, whether its record is kept or not.
  await call(via, "auth.record", { records: [record] }, { timeout: PATIENCE }).catch(() => undefined);
}
