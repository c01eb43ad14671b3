import type { Context, Service } from "moleculer";
import type { Rounds } from "../../mixins/rounds";
import type { RoomWriters } from "../../mixins/writers";
import { call, type Caller, type Meta, type ProfileChange } from "../core/contract";
import { invalidField } from "../core/errors";
import type { PresenceStatus, PublicUser } from "../core/model";
import { callerOf } from "../core/policy";
import { Reach } from "../core/reach";
import type { Directory, Guard } from "./directory";
import type { Erasures, Owners } from "./erasures";
import type { Consequences, Lifecycle } from "./lifecycle";
import type { PreferenceStore } from "./preferences";
import { fileOf, toPublic } from "./profile";
import type { Relations } from "./relations";
import { findsAll } from "../core/permissions";
import type { Sight } from "./sight";
import type { StoredUser } from "./user";

/** What the service of this process holds; its actions find it in `this`. */
export interface UsersService extends Service {
  directory: Directory;
  lifecycle: Lifecycle;
  relations: Relations;
  preferences: PreferenceStore;
  sight: Sight;
  writers: RoomWriters;
  erasures: Erasures;
  resumer: Rounds;
  eraser: Rounds;
  sweeper: Rounds;
}

/** Milliseconds to wait for the status of users; without an answer they are shown as offline. */
const STATUS_TIMEOUT = 1_000;

export function consequencesVia(via: Caller, service: Pick<UsersService, "relations" | "preferences">): Consequences {
  return {
    async rolesChanged(userId) {
      await call(via, "auth.revoke", { userId, keepSessions: true });
    },
    async deactivated(userId) {
      await call(via, "auth.revoke", { userId, banned: true });
      await call(via, "rooms.handOver", { userId });
    },
    async removed(userId) {
      await call(via, "auth.revoke", { userId, forget: true });
      await call(via, "rooms.evict", { userId });
      await service.relations.forget(userId);
      await service.preferences.forget(userId);
    },
  };
}

/** Throws INVALID where somebody is to have a picture that is a file, and none that is his own image. */
export async function ownPicture(via: Caller, owner: string, { avatarUrl }: ProfileChange): Promise<void> {
  const id = fileOf(avatarUrl);
  if (id !== undefined && !(await call(via, "files.picture", { owner, id })))
    throw invalidField("avatarUrl", "Give the url of an uploaded PNG, JPEG, GIF or WebP image of the user's own.");
}

/** Whoever has something of a person, asked to give it up. */
export function ownersVia(via: Caller, remove: Owners["remove"]): Owners {
  return {
    remove,
    async nextRoom(user, after) {
      const [next] = await call(via, "rooms.exportMemberships", { user, after, limit: 1 });
      return next?.room ?? null;
    },
    erase: (room, user, after) => call(via, "messages.erase", { room, user, after }),
    forget: (room, user) => call(via, "messages.forget", { room, user }),
    eraseFiles: user => call(via, "files.eraseOwn", { user }),
  };
}

/** Who is just being made an Admin counts as one. */
export const managing =
  (reach: Reach): Guard =>
  ({ roles, pending }) =>
    reach.over(pending === "admin" ? [...roles, "Admin"] : roles);

/** How far the caller reaches. */
export function reachVia(ctx: Context<unknown, Meta>): Promise<Reach> {
  return Reach.of(callerOf(ctx.meta), roles => call(ctx, "auth.rolesWithin", { roles: [...roles] }));
}

export async function shown(service: UsersService, ctx: Context<unknown, Meta>, user: StoredUser): Promise<PublicUser> {
  return (await allShown(service, ctx, [user]))[0] as PublicUser;
}

/** Users as the caller may see them. */
export async function allShown(
  service: UsersService,
  ctx: Context<unknown, Meta>,
  users: StoredUser[],
): Promise<PublicUser[]> {
  const viewer = callerOf(ctx.meta);
  const ids = users.map(({ id }) => id);
  const [status, hidden] = await Promise.all([
    statusOf(ctx, ids),
    service.sight
      .unseen([{ viewer: viewer.id, finds: findsAll(viewer), users: ids }])
      // Of whom it cannot be found out, nobody is told.
      .catch(() => [ids.filter(id => id !== viewer.id)]),
  ]);
  const unseen = new Set(hidden[0]);
  return users.map(user => toPublic(user, viewer, unseen.has(user.id) ? "offline" : (status[user.id] ?? "offline")));
}

/** A list without its statuses is worth more than none: while presence is away everybody counts as offline. */
async function statusOf(ctx: Context<unknown, Meta>, users: string[]): Promise<Record<string, PresenceStatus>> {
  if (users.length === 0) return {};
  return call(ctx, "presence.of", { users }, { timeout: STATUS_TIMEOUT }).catch(() => ({}));
}
