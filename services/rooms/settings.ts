import type { ParamsOf } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { Identity } from "../core/model";
import { runsRoom } from "../core/permissions";
import { manages } from "./access";
import type { RoomVerdict } from "./changes";
import type { Sight } from "./decisions";
import { nameKeyOf, type StoredRoom } from "./room";

export type RoomEdit = Omit<ParamsOf<"rooms.update">, "id">;

/** What only those who run the installation set, also in rooms that they may not read. */
const OF_MANAGERS: ReadonlySet<string> = new Set<keyof RoomEdit>(["retentionDays", "legalHold"]);

/** Whether nothing is to change but that. */
export function isOfManagers(edit: RoomEdit): boolean {
  const fields = Object.entries(edit).flatMap(([field, value]) => (value === undefined ? [] : [field]));
  return fields.length > 0 && fields.every(field => OF_MANAGERS.has(field));
}

/** Throws FORBIDDEN for what he may not set there, INVALID for what such a room does not have. */
export function mayEdit(user: Identity, edit: RoomEdit): (sight: Sight) => void {
  const rules = manages(user);
  return ({ room, member }) => {
    if (room.kind === "direct") throw new RookeryError("FORBIDDEN", "A direct room has no settings.");
    if (!runsRoom(member?.role) && !rules) throw new RookeryError("FORBIDDEN");
    if (edit.legalHold !== undefined && !rules)
      throw new RookeryError("FORBIDDEN", "Administrators decide on a legal hold.");
    if (edit.retentionDays !== undefined && member?.role !== "owner" && !rules)
      throw new RookeryError("FORBIDDEN", "An owner decides how long messages are kept.");
    if (edit.history !== undefined && member?.role !== "owner" && !rules)
      throw new RookeryError("FORBIDDEN", "An owner decides what newcomers may read.");
    const opens = edit.history === "all" || edit.isPrivate === false;
    if (room.sealed && opens && !rules && (member?.visibleFrom ?? 0) > 0)
      throw new RookeryError("FORBIDDEN", "Nobody opens to others what he does not read himself.");
    if (room.kind === "group" && edit.isPrivate === false)
      throw new RookeryError("INVALID", "A group is always private.");
    if (room.kind === "group" && (edit.mode !== undefined || edit.slowMode !== undefined))
      throw new RookeryError("INVALID", "In a group everybody posts.");
  };
}

const SHOWN = ["name", "isPrivate", "topic", "mode", "slowMode", "history"] as const;

/** Settings that decide who reads, who writes and what is kept: of a change of these there is a record. */
const RECORDED = ["isPrivate", "mode", "slowMode", "history", "retentionDays", "legalHold"] as const;
export type SettingsChanged = Partial<Record<(typeof RECORDED)[number], string | number | boolean>>;

/** What the room will be like and is not now, of that. */
export function changedOf(room: StoredRoom, edit: RoomEdit): SettingsChanged {
  const before = { ...room, retentionDays: room.retentionDays ?? null, legalHold: room.legalHold ?? false };
  return Object.fromEntries(
    RECORDED.flatMap(field => {
      const value = edit[field];
      return value === undefined || value === before[field] ? [] : [[field, value ?? "default"] as const];
    }),
  );
}

/** What a change of settings comes to. Of a hold nothing is told: an event without a change in it would say enough. */
export function verdictOf(room: StoredRoom, edit: RoomEdit): RoomVerdict | null {
  const told =
    SHOWN.some(field => edit[field] !== undefined && edit[field] !== room[field]) ||
    (edit.retentionDays !== undefined && edit.retentionDays !== (room.retentionDays ?? null));
  const held = edit.legalHold !== undefined && edit.legalHold !== (room.legalHold ?? false);
  if (!told && !held) return null;
  return { edit: edited(room, edit), changes: told ? [{ type: "room" }] : [] };
}

function edited(
  room: StoredRoom,
  { name, isPrivate, topic, mode, slowMode, history, retentionDays, legalHold }: RoomEdit,
): Partial<StoredRoom> {
  return {
    ...(name !== undefined && { name, nameKey: room.kind === "channel" ? nameKeyOf(name) : null }),
    ...(isPrivate !== undefined && { isPrivate, audience: isPrivate ? room.id : "public" }),
    ...(room.sealed && (history === "all" || isPrivate === false) && { sealed: false }),
    ...(topic !== undefined && { topic }),
    ...(mode !== undefined && { mode }),
    ...(slowMode !== undefined && { slowMode }),
    ...(history !== undefined && { history }),
    ...(retentionDays !== undefined && { retentionDays }),
    ...(legalHold !== undefined && { legalHold }),
  };
}
