import { timestamp, type Clock } from "./clock";
import { AuditTrail } from "./audit-trail";
import { call, type AuditEntry, type AuditRecord, type Caller, type Meta } from "./contract";
import type { ErrorCode, PublicError } from "./errors";
import { newId } from "./ids";
import type { Message } from "./model";

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
  "room.unmute",
  "room.unarchive",
  "reauthentication",
  "room.settings",
  "bot.create",
  "invitation.withdraw",
  "data.export",
  "message.delete",
] as const;
export type AuditType = (typeof AUDIT_TYPES)[number];

export const isAuditType = (value: unknown): value is AuditType => (AUDIT_TYPES as readonly unknown[]).includes(value);

/**
 * What an action declares as `audit`, so that each call of it is recorded: done, of unknown outcome, or refused because the
 * caller may not. Its names are those of parameters.
 */
export interface AuditDeclaration {
  type: AuditType;
  /** Holds the id of what it is done to. */
  object?: string;
  /** Recorded too. Never what is secret or what somebody says. */
  detail?: readonly string[];
  /** Recorded only where this one is given. */
  when?: string;
}

/** An entry as it is noted: by the caller, from his address, unless it says otherwise. */
export type AuditNote = Omit<AuditEntry, "actor"> & { actor?: string | null };

type Via = Caller & { meta?: Meta; broker?: object };

/** Milliseconds that one call with records may take. */
const TIMEOUT = 5_000;

const trails = new WeakMap<object, AuditTrail>();

/** For whoever makes brokers: where the records of this one wait. */
export function attachTrail(broker: object, trail: AuditTrail): void {
  trails.set(broker, trail);
}

/** Takes records to auth. */
export const sender =
  (via: Caller) =>
  (records: AuditRecord[]): Promise<unknown> =>
    call(via, "auth.record", { records }, { timeout: TIMEOUT });

/** The one trail of a process, or of a bare caller. */
export function trailOf(via: Via): AuditTrail {
  const owner = via.broker ?? via;
  let trail = trails.get(owner);
  if (!trail) trails.set(owner, (trail = new AuditTrail({ send: sender(owner as Caller) })));
  return trail;
}

/**
 * Records what the caller of `via` did; by him, unless the entry names another. Resolves once it is stored, or when waiting
 * any longer would only hold up who is recorded. Never rejects.
 */
export async function audit(via: Via, clock: Clock, entry: AuditNote): Promise<void> {
  await trailOf(via).add(recordOf(via.meta, clock, entry));
}

/** The same of what may come again and again: the first in a minute at once, the others of that minute as one more. */
export async function auditOften(via: Via, clock: Clock, entry: AuditNote): Promise<void> {
  const { type, object, result, detail } = entry;
  const who = entry.actor ?? via.meta?.user?.id ?? entry.address ?? via.meta?.address;
  const about = [type, who, object, result, detail?.["what"]].join(" ");
  await trailOf(via).often(about, more => recordOf(via.meta, clock, { ...entry, detail: { ...detail, ...more } }));
}

/**
 * The record of a message that somebody else than its sender deleted; null where it was his own, or gone already.
 * @param at offset that the deletion was answered with
 */
export const moderated = (
  { id, channelId, senderId, offset }: Pick<Message, "id" | "channelId" | "senderId" | "offset">,
  at: number,
  by: string | undefined,
): AuditNote | null =>
  senderId === by || at === offset
    ? null
    : { type: "message.delete", object: id, result: "ok", detail: { room: channelId, userId: senderId } };

/** Who was refused at a door, and what he asked for: an action, a kind of limit. */
export interface Refusal {
  code: ErrorCode;
  errors?: PublicError["errors"];
  what: string;
  /** The room, of what is asked of one. */
  object?: string;
  user?: string;
  address: string;
}

/** Whether doors record that they refused somebody so. Whoever names fields asks for a better proof, and records what was wrong. */
export const isRecorded = ({ code, errors }: Pick<PublicError, "code" | "errors">): boolean =>
  (code === "FORBIDDEN" && !errors) || code === "RATE_LIMITED";

/** Records that a door refused somebody who may not, or who asks too often; of all else it says nothing. Never rejects. */
export async function auditRefusal(via: Via, clock: Clock, refusal: Refusal): Promise<void> {
  if (!isRecorded(refusal)) return;
  const { code, what, object, user, address } = refusal;
  const type = code === "FORBIDDEN" ? "access.denied" : "limit.hit";
  // The limits of a room are those of who asks: of them one record a minute is enough.
  const of = code === "FORBIDDEN" && object !== undefined ? { object } : {};
  await auditOften(via, clock, { type, ...of, actor: user ?? null, address, result: "refused", detail: { what } });
}

function recordOf({ user, address }: Meta = {}, clock: Clock, entry: AuditNote): AuditRecord {
  return {
    id: newId(),
    at: timestamp(clock),
    ...(address !== undefined && address !== "" && { address }),
    ...entry,
    actor: entry.actor === undefined ? (user?.id ?? null) : entry.actor,
  };
}
