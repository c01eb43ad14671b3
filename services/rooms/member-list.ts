import type { Documents } from "../../mixins/documents";
import type { Paging } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { Limits } from "../core/limits";
import type { Member, MemberRange, Page } from "../core/model";
import { isMuted } from "./access";
import { pageOf } from "../core/rules";
import { isLarge, memberId, type StoredMember, type StoredRoom } from "./room";
import { sanctionOf } from "./sanctions";

interface Named {
  id: string;
  username: string;
}

/** Names of users, asked of their owner. Unknown ids are left out. */
export type Names = (ids: string[]) => Promise<Named[]>;

export interface People {
  names: Names;
  /** Users whose names begin so, ignoring case, in order of name. */
  startingWith(prefix: string, limit: number): Promise<Named[]>;
}

export interface MemberQuery extends Paging {
  /** Those after this user, in order of user id. */
  afterUser?: string;
  /** Those whose names begin so. */
  prefix?: string;
  limit?: number;
}

/** Members, or users of a prefix, who are looked at. */
const LOOKED_AT = 1_000;

/**
 * Members of a room: a numbered page, longest-standing first; a range in order of user id, which costs the same wherever it
 * begins and whoever comes and goes meanwhile; or the first by name of those with a prefix. Throws INVALID for a mixture.
 */
export function readMembers(
  members: Documents<StoredMember>,
  room: StoredRoom,
  query: MemberQuery,
  limits: Limits,
  people: People,
  now: string,
): Promise<Page<Member> | MemberRange> {
  const { afterUser, prefix } = query;
  const ranged = [afterUser, prefix, query.limit].some(part => part !== undefined);
  if (ranged && (query.page !== undefined || query.pageSize !== undefined))
    throw new RookeryError("INVALID", "Give page and pageSize, or afterUser, prefix and limit.");
  if (afterUser !== undefined && prefix !== undefined)
    throw new RookeryError("INVALID", "Give one of afterUser and prefix.");
  if (!ranged) return memberPage(members, room, pageOf(query, limits), people.names, now);
  const limit = Math.min(query.limit ?? limits.pageDefault, limits.page);
  if (prefix !== undefined) return withPrefix(members, room, prefix, limit, limits, people, now);
  return range(members, room, afterUser ?? "", limit, people.names, now);
}

export async function memberPage(
  members: Documents<StoredMember>,
  { id }: StoredRoom,
  { page: number, pageSize }: Required<Paging>,
  names: Names,
  now: string,
): Promise<Page<Member>> {
  const where = { room: id, state: "member" } as const;
  const [found, total] = await Promise.all([
    members.find({ where, sort: ["joinedAt", "id"], limit: pageSize, offset: (number - 1) * pageSize }),
    members.count({ where }),
  ]);
  return { items: await named(found, names, now), page: number, pageSize, total };
}

async function range(
  members: Documents<StoredMember>,
  { id }: StoredRoom,
  after: string,
  limit: number,
  names: Names,
  now: string,
): Promise<MemberRange> {
  const where = { room: id, state: "member", id: { $gt: memberId(id, after) } } as const;
  const found = await members.find({ where, sort: "id", limit: limit + 1 });
  return { items: await named(found.slice(0, limit), names, now), hasAfter: found.length > limit, limit };
}

/** Names are the users service's: of a large room it is asked who has such a name, of any other what its members are called. */
async function withPrefix(
  members: Documents<StoredMember>,
  room: StoredRoom,
  prefix: string,
  limit: number,
  limits: Limits,
  people: People,
  now: string,
): Promise<MemberRange> {
  if (room.memberCount <= LOOKED_AT && !isLarge(room, limits)) {
    const key = prefix.toLowerCase();
    const all = await named(await members.find({ where: { room: room.id, state: "member" } }), people.names, now);
    const found = all
      .map(member => ({ member, name: member.username.toLowerCase() }))
      .filter(({ name }) => name.startsWith(key))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ member }) => member);
    return { items: found.slice(0, limit), hasAfter: found.length > limit, limit };
  }
  const users = await people.startingWith(prefix, LOOKED_AT);
  const records = await members.getMany(users.map(({ id }) => memberId(room.id, id)));
  const byUser = new Map(records.map(record => [record.user, record]));
  const found = users.flatMap(({ id, username }) => {
    const record = byUser.get(id);
    return record?.state === "member" ? [shown(record, username, now)] : [];
  });
  // Who comes after those looked at is not known, but that there may be somebody.
  const hasAfter = found.length > limit || users.length === LOOKED_AT;
  return { items: found.slice(0, limit), hasAfter, limit };
}

/** Members with their names, in the order given. */
export async function named(members: readonly StoredMember[], names: Names, now: string): Promise<Member[]> {
  const users = new Map((await names(members.map(({ user }) => user))).map(({ id, username }) => [id, username]));
  return members.map(member => shown(member, users.get(member.user) ?? "", now));
}

/** A member as somebody sees him. @param whole he runs the room */
export const seenBy =
  (user: string, whole: boolean) =>
  ({ muted, ...member }: Member): Member => ({
    ...member,
    ...(muted && (whole || member.userId === user) && { muted }),
  });

const shown = (member: StoredMember, username: string, now: string): Member => ({
  userId: member.user,
  username,
  role: member.role,
  joinedAt: member.joinedAt,
  ...(isMuted(member, now) && { muted: sanctionOf(member.mutedUntil, member.mute, member.joinedAt) }),
});
