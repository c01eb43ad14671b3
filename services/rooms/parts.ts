import type { Context, Service } from "moleculer";
import { platformOf } from "../../config/platform";
import type { Rounds } from "../../mixins/rounds";
import type { RoomWriters } from "../../mixins/writers";
import { audit as recordAudit, type AuditType } from "../core/audit";
import { call, type AuditEntry, type Caller, type Meta } from "../core/contract";
import type { RoomChanges } from "./changes";
import type { Invites, Standings } from "./invites";
import type { Names } from "./member-list";
import type { Ownership } from "./ownership";
import type { BlocksAmong, RoomPeople } from "./people";
import type { Barriers } from "./barriers";
import type { Rooms } from "./rooms";
import type { Sanctions } from "./sanctions";
import type { Present } from "./succession";
import type { RoomTransfer } from "./transfer";

/** What the service of this process holds; its actions find it in `this`. */
export interface RoomsService extends Service {
  writers: RoomWriters;
  rooms: Rooms;
  people: RoomPeople;
  sanctions: Sanctions;
  invites: Invites;
  ownership: Ownership;
  changes: RoomChanges;
  transfer: RoomTransfer;
  sweeper: Rounds;
  ending: AbortController;
}

/** Names of users, asked within the given request. */
export const namesOf =
  (via: Caller): Names =>
  ids =>
    call(via, "users.names", { ids });

/** Of users those who are there and not deactivated, asked within the given request. */
export const presentVia =
  (via: Caller): Present =>
  async ids =>
    (await call(via, "users.names", { ids, active: true })).map(({ id }) => id);

/** What users may by their roles, asked within the given request. */
export const standingVia =
  (via: Caller): Standings =>
  user =>
    call(via, "auth.standing", { user });

/** Blocks between users, asked within the given request; and what else keeps them apart. */
export const blocksVia =
  (via: Caller): BlocksAmong =>
  (user, others) =>
    call(via, "users.blocksAmong", { user, others });

export const barriersVia = (via: Caller): Barriers => ({
  present: presentVia(via),
  blocks: blocksVia(via),
  closed: (user, others) => call(via, "users.closedTo", { user, others }),
});

/** Records what the caller decided about a room, if anything came of it. */
export async function audited(
  ctx: Context<unknown, Meta> & Caller,
  changed: boolean,
  type: AuditType,
  room: string,
  detail?: AuditEntry["detail"],
): Promise<void> {
  if (!changed) return;
  const entry = { type, object: room, result: "ok", ...(detail && { detail }) } as const;
  await recordAudit(ctx, platformOf(ctx.broker).clock, entry);
}
