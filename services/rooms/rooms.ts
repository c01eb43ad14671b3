import { DuplicateKeyError, type Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { Membership, Paging, ReturnsOf, RoomAccess, RoomFacts, RoomRetention, RoomRules } from "../core/contract";
import { RookeryError } from "../core/errors";
import { isId, newId } from "../core/ids";
import type { Limits } from "../core/limits";
import type { Channel, Conversation, Identity, Member, MemberRange, Page, RoomMode, ShownRoom } from "../core/model";
import { runsRoom, type RoomRole } from "../core/permissions";
import { pageOf } from "../core/rules";
import { Turns } from "../core/turns";
import type { RoomChanges, RoomVerdict } from "./changes";
import { takingOut, type Crossing } from "./crossings";
import { memberPage, named, readMembers, type MemberQuery, type Names, type People } from "./member-list";
import {
  accessOf,
  decidedBy,
  directKey,
  heldFor,
  isLarge,
  memberId,
  membership,
  nameKeyOf,
  newRoom,
  peopleOf,
  rulesOf,
  toChannel,
  toConversation,
  toShownConversation,
  toRetention,
  type RoomChange,
  type StoredMember,
  type StoredRoom,
} from "./room";

/** A room that a user may see, and his membership if any. */
interface Sight {
  room: StoredRoom;
  member: StoredMember | null;
}

export interface RoomEdit {
  name?: string;
  isPrivate?: boolean;
  topic?: string | null;
  mode?: RoomMode;
  slowMode?: number;
  retentionDays?: number | null;
  legalHold?: boolean;
}

/** What stands between people. */
export interface Barriers {
  /** Those of the others between whom and the user there is a block. */
  blocks(user: string, others: string[]): Promise<string[]>;
  /** Those of them with whom he may not begin a conversation. */
  closed(user: string, others: string[]): Promise<string[]>;
}

const NO_BARRIERS: Barriers = { blocks: async () => [], closed: async () => [] };

const nobody = (): RookeryError => new RookeryError("NOT_FOUND", "There is no such user.");

/** What only those who run the installation set, also in rooms that they may not read. */
const OF_MANAGERS: ReadonlySet<string> = new Set<keyof RoomEdit>(["retentionDays", "legalHold"]);

/** Members whom operators are shown by name. */
const SHOWN_MEMBERS = 20;
/** Members up to which a group in a list is shown with them. */
const LISTED_MEMBERS = 100;

/** Rooms and who is in them. Every method decides by the records, deny by default. */
export class Rooms {
  /** Of all who want a name at once one gets it: they need not meet in the store, where they may block one another. */
  private readonly names = new Turns();

  constructor(
    private readonly rooms: Documents<StoredRoom>,
    private readonly members: Documents<StoredMember>,
    private readonly changes: RoomChanges,
    private readonly clock: Clock,
    private readonly limits: Limits,
  ) {}

  async access(user: string, ids: readonly string[]): Promise<RoomAccess[]> {
    return (await this.accessMany([{ user, rooms: ids }]))[0] ?? [];
  }

  async accessMany(asks: readonly { user: string; rooms: readonly string[] }[]): Promise<RoomAccess[][]> {
    const ids = new Set<string>();
    const memberIds: string[] = [];
    for (const { user, rooms } of asks)
      for (const id of rooms) {
        if (!isId(id)) continue;
        ids.add(id);
        memberIds.push(memberId(id, user));
      }
    const [rooms, members] = await Promise.all([
      this.rooms.pick([...ids], ["kind", "isPrivate", "deletedAt", "memberCount"]),
      this.members.pick(memberIds, ["state", "role", "visibleFrom"]),
    ]);
    return asks.map(({ user, rooms: asked }) =>
      asked.map(id => {
        const room = rooms.get(id);
        const access = accessOf(id, room, members.get(memberId(id, user)));
        return room && !access.denied && isLarge(room, this.limits) ? { ...access, large: true } : access;
      }),
    );
  }

  /** For operators: by id, else by the name of a channel. Null if there is none; a deleted one is found by its id. */
  async inspect(idOrName: string): Promise<RoomFacts | null> {
    const byId = isId(idOrName) ? await this.rooms.get(idOrName) : null;
    const room = byId ?? (await this.rooms.findOne({ nameKey: nameKeyOf(idOrName) }));
    if (!room) return null;
    const where = { room: room.id, state: "member" } as const;
    const members = await this.members.find({ where, sort: ["joinedAt", "id"], limit: SHOWN_MEMBERS });
    const { id, kind, name, isPrivate, createdBy, createdAt, deletedAt, memberCount, pending } = room;
    return {
      ...{ id, kind, name, isPrivate, createdBy, createdAt, deletedAt, memberCount },
      members: members.map(({ user, role }) => ({ user, role })),
      pending: pending.map(change => ({
        change: change.type === "member" ? change.change : "settings",
        ...(change.type === "member" && { user: change.user }),
        since: change.since,
      })),
    };
  }

  async listChannels(user: Identity, paging: Paging): Promise<Page<Channel>> {
    const { page, pageSize } = pageOf(paging, this.limits);
    const mine = await this.members.find({ where: { user: user.id, state: "member", kind: "channel" } });
    const roles = new Map(mine.map(member => [member.room, member.role]));
    const where = { kind: "channel", audience: { $in: ["public", ...roles.keys()] }, deletedAt: null } as const;
    const [rooms, total] = await Promise.all([
      this.rooms.find({ where, sort: ["createdAt", "id"], limit: pageSize, offset: (page - 1) * pageSize }),
      this.rooms.count({ where }),
    ]);
    const items = rooms.map(room => ({ ...toChannel(room, roles.get(room.id) ?? null), ...heldFor(user, room) }));
    return { items, page, pageSize, total };
  }

  async createChannel(user: string, name: string, isPrivate: boolean, topic: string | null): Promise<Channel> {
    const made = this.blank(user, "channel", { name, isPrivate, topic });
    const joins: RoomChange[] = [{ type: "member", user, change: "join", role: "owner" }];
    return toChannel(await this.names.run(nameKeyOf(name), () => this.insert(made, joins)), "owner");
  }

  async get(user: Identity, id: string): Promise<Channel | Conversation> {
    const { room, member } = await this.told(user.id, id);
    return this.shown(user, room, member);
  }

  async update(user: Identity, id: string, edit: RoomEdit): Promise<Channel | Conversation> {
    const manages = user.permissions.includes("channels.manage");
    const fields = Object.entries(edit).flatMap(([field, value]) => (value === undefined ? [] : [field]));
    if (manages && isId(id) && fields.length > 0 && fields.every(field => OF_MANAGERS.has(field)))
      return this.keep(user, id, edit);
    let caller: StoredMember | null = null;
    const may = ({ room, member }: Sight): void => {
      caller = member;
      if (room.kind === "direct") throw new RookeryError("FORBIDDEN", "A direct room has no settings.");
      if (!runsRoom(member?.role) && !manages) throw new RookeryError("FORBIDDEN");
      if (edit.legalHold !== undefined && !manages)
        throw new RookeryError("FORBIDDEN", "Administrators decide on a legal hold.");
      if (edit.retentionDays !== undefined && member?.role !== "owner" && !manages)
        throw new RookeryError("FORBIDDEN", "An owner decides how long messages are kept.");
      if (room.kind === "group" && edit.isPrivate === false)
        throw new RookeryError("INVALID", "A group is always private.");
      if (room.kind === "group" && (edit.mode !== undefined || edit.slowMode !== undefined))
        throw new RookeryError("INVALID", "In a group everybody posts.");
    };
    const after = await this.decide(user.id, id, may, async ({ room }) => settings(room, edit)).catch(nameTaken);
    return this.shown(user, after, caller);
  }

  /** How long messages are kept, set by who runs the installation: of every room there is or was, whoever is in it. */
  private async keep(user: Identity, id: string, edit: RoomEdit): Promise<Channel | Conversation> {
    const after = await this.changes.decide(id, async room => settings(room, edit));
    return this.shown(user, after, await this.member(id, user.id));
  }

  /** Every room there is or was, by id from behind `after`. */
  async retention(after: string, limit: number): Promise<RoomRetention[]> {
    return (await this.rooms.find({ where: { id: { $gt: after } }, sort: "id", limit })).map(toRetention);
  }

  async retentionOf(ids: readonly string[]): Promise<RoomRetention[]> {
    return (await this.rooms.getMany(ids.filter(isId))).map(toRetention);
  }

  async remove(user: Identity, id: string): Promise<void> {
    const may = ({ room, member }: Sight): void => {
      const manages = member?.role === "owner" || user.permissions.includes("channels.manage");
      if (room.kind === "direct" || !manages) throw new RookeryError("FORBIDDEN");
    };
    await this.decide(user.id, id, may, async ({ room }) => {
      const deletedAt = timestamp(this.clock);
      return { edit: { deletedAt, nameKey: null, audience: room.id }, changes: [{ type: "room" }] };
    });
  }

  join(user: string, id: string): Promise<void> {
    return this.cross(id, { user, way: "join" });
  }

  leave(user: string, id: string): Promise<void> {
    return this.cross(id, { user, way: "leave" });
  }

  async listMembers(user: string, id: string, query: MemberQuery, people: People): Promise<Page<Member> | MemberRange> {
    const { room } = await this.told(user, id);
    return readMembers(this.members, room, query, this.limits, people);
  }

  /** Lets a user in, or gives a member another role; without a role a newcomer is a member and a member stays what he is. */
  async addMember(
    user: string,
    id: string,
    userId: string,
    role: RoomRole | undefined,
    names: Names,
    barriers = NO_BARRIERS,
  ): Promise<Member> {
    const may = ({ room, member }: Sight): void => {
      if (room.kind === "direct" || !runsRoom(member?.role)) throw new RookeryError("FORBIDDEN");
      if (role && role !== "member" && member?.role !== "owner")
        throw new RookeryError("FORBIDDEN", "Only an owner gives roles.");
    };
    // Strangers learn nothing of users, and the room does not wait for the users service.
    may(await this.visible(user, id));
    if ((await names([userId])).length === 0) throw nobody();
    // Who is there already is not out of reach of those who run the room.
    if (!(await this.member(id, userId)) && (await barriers.blocks(user, [userId])).length > 0) throw nobody();
    await this.decide(user, id, may, async ({ room, member }) => {
      const current = await this.member(id, userId);
      if (!current && room.kind === "group" && room.memberCount >= this.limits.groupMembers)
        throw new RookeryError("CONFLICT", `A group has at most ${this.limits.groupMembers} members.`);
      if (!current) return joining(userId, role ?? "member");
      if (!role || role === current.role || member?.role !== "owner") return null;
      if (current.role === "owner" && !(await this.otherOwner(id, userId)))
        throw new RookeryError("CONFLICT", "A room keeps at least one owner.");
      return { changes: [{ type: "member", user: userId, change: "role", role }] };
    });
    const added = await this.member(id, userId);
    const [shown] = added ? await named([added], names) : [];
    if (!shown) throw new RookeryError("CONFLICT", "The member was taken out meanwhile.");
    return shown;
  }

  async removeMember(user: Identity, id: string, userId: string): Promise<void> {
    if (user.id === userId) return this.leave(user.id, id);
    const manages = user.permissions.includes("channels.manage");
    const may = ({ room, member }: Sight): void => {
      if (room.kind === "direct" || (!runsRoom(member?.role) && !manages)) throw new RookeryError("FORBIDDEN");
    };
    await this.decide(user.id, id, may, async ({ member }) => {
      const target = await this.member(id, userId);
      if (!target) return null;
      if (runsRoom(target.role) && member?.role !== "owner" && !manages) throw new RookeryError("FORBIDDEN");
      return { changes: await takingOut(this.members, [target], "remove") };
    });
  }

  async listConversations(user: Identity, paging: Paging): Promise<Page<Conversation>> {
    const { page, pageSize } = pageOf(paging, this.limits);
    const where = { user: user.id, state: "member", kind: { $in: ["direct", "group"] } } as const;
    const mine = await this.living(await this.members.find({ where, sort: ["joinedAt", "id"] }));
    const rooms = mine.slice((page - 1) * pageSize, page * pageSize).map(({ room }) => room);
    const peopleIn = await this.peopleIn(rooms.map(({ id }) => id));
    const items = rooms.map(room => ({
      ...toConversation(room, peopleIn.get(room.id) ?? []),
      ...heldFor(user, room),
    }));
    return { items, page, pageSize, total: mine.length };
  }

  /** The direct room of two people, made once, or a new group. */
  async converse(
    user: string,
    type: "direct" | "group",
    others: readonly string[],
    name: string | null,
    names: Names,
    barriers = NO_BARRIERS,
  ): Promise<{ conversation: Conversation; created: boolean }> {
    const people = [...new Set([user, ...others])];
    if (type === "direct" && people.length !== 2) throw new RookeryError("INVALID", "members: Name one other person.");
    const most = Math.min(this.limits.group, this.limits.groupMembers);
    if (people.length > most) throw new RookeryError("INVALID", `members: At most ${most}.`);
    if ((await names(people)).length !== people.length) throw nobody();
    const role = (person: string): RoomRole => (type === "group" && person === user ? "owner" : "member");
    const joins = people.map((person): RoomChange => ({
      type: "member",
      user: person,
      change: "join",
      role: role(person),
    }));
    const key = type === "direct" ? directKey(people[0] as string, people[1] as string) : null;
    const known = key && (await this.rooms.findOne({ directKey: key }));
    if (known) return { conversation: toConversation(await this.changes.settled(known.id), people), created: false };
    await this.approach(user, people.slice(1), barriers);
    try {
      const room = await this.insert(this.blank(user, type, { name, directKey: key }), joins);
      return { conversation: toConversation(room, people), created: true };
    } catch (error) {
      const first = error instanceof DuplicateKeyError && key && (await this.rooms.findOne({ directKey: key }));
      if (!first) throw error;
      return { conversation: toConversation(await this.changes.settled(first.id), people), created: false };
    }
  }

  async memberships(user: string): Promise<Membership[]> {
    const mine = await this.living(await this.members.find({ where: { user, state: "member" } }));
    return mine.map(({ room, member: { visibleFrom, joinedAt } }) => {
      return { room: room.id, visibleFrom, joinedAt, ...(isLarge(room, this.limits) && { large: true }) };
    });
  }

  /** All that the log holds by now is in what is read: what was decided before is carried out first. */
  async view(user: string, id: string, members: number, names: Names): Promise<ReturnsOf<"rooms.view">> {
    const seen = await this.told(user, id);
    const [[room], list] = await Promise.all([
      this.listed([seen]),
      memberPage(this.members, seen.room, pageOf({ pageSize: members }, this.limits), names),
    ]);
    return { room: room as ShownRoom, access: accessOf(id, seen.room, seen.member ?? undefined), members: list };
  }

  /** Of these rooms those that the user is in, in the order asked. */
  async shownTo(user: string, ids: readonly string[]): Promise<ShownRoom[]> {
    const members = await this.members.getMany(ids.map(id => memberId(id, user)));
    return this.listed(await this.living(members.filter(({ state }) => state === "member")));
  }

  async rules(id: string): Promise<RoomRules | null> {
    const room = isId(id) ? await this.rooms.get(id) : null;
    return room && room.deletedAt === null ? rulesOf(room) : null;
  }

  async memberIds(room: string, limit?: number): Promise<string[]> {
    return peopleOf(this.members, room, limit);
  }

  /** By id, which begins with the room: a range of the key, however many there are. */
  async memberPage(id: string, except: string, skip: number, limit: number): Promise<{ ids: string[]; total: number }> {
    const others = { room: id, state: "member", id: { $ne: memberId(id, except) } } as const;
    const [room, own, found] = await Promise.all([
      this.rooms.get(id),
      this.member(id, except),
      this.members.find({ where: others, sort: "id", limit, offset: skip }),
    ]);
    return { ids: found.map(({ user }) => user), total: Math.max((room?.memberCount ?? 0) - (own ? 1 : 0), 0) };
  }

  /** Takes a user out of every room he can be taken out of; direct rooms stay, as the other's memory. */
  async evict(user: string): Promise<void> {
    const mine = await this.members.find({ where: { user, state: "member", kind: { $in: ["channel", "group"] } } });
    for (const { room } of mine)
      await this.changes.decide(room, async () => {
        const member = await this.member(room, user);
        return member && { changes: await takingOut(this.members, [member], "remove") };
      });
  }

  /** Throws NOT_FOUND where one blocks the other, as if there was no such person, and FORBIDDEN where somebody wants no such thing. */
  private async approach(user: string, others: string[], barriers: Barriers): Promise<void> {
    if (others.length === 0) return;
    const [blocked, closed] = await Promise.all([barriers.blocks(user, others), barriers.closed(user, others)]);
    if (blocked.length > 0) throw nobody();
    if (closed.length > 0) throw new RookeryError("FORBIDDEN", "Not everybody named takes conversations from you.");
  }

  private blank(user: string, kind: StoredRoom["kind"], more: Partial<StoredRoom>): StoredRoom {
    return newRoom({ id: newId(), kind, createdBy: user, createdAt: timestamp(this.clock), ...more });
  }

  private insert(room: StoredRoom, joins: readonly RoomChange[]): Promise<StoredRoom> {
    return this.changes.create(room, decidedBy(room.createdBy, joins)).catch(nameTaken);
  }

  private async cross(id: string, crossing: Crossing): Promise<void> {
    if (!isId(id)) throw new RookeryError("NOT_FOUND");
    await this.changes.cross(id, crossing);
  }

  /**
   * Decides on a room that the user may see. `may` throws what he is told if he may not: at once, so that nobody waits for
   * what is refused anyway, and again in his turn. What `judge` is given and reads stands until its verdict is stored.
   */
  private async decide(
    user: string,
    id: string,
    may: (sight: Sight) => void,
    judge: (sight: Sight) => Promise<RoomVerdict | null>,
  ): Promise<StoredRoom> {
    may(await this.visible(user, id));
    return this.changes.decide(id, async room => {
      const seen = sight(room, await this.members.get(memberId(id, user)));
      may(seen);
      const verdict = await judge(seen);
      return verdict && { ...verdict, changes: decidedBy(user, verdict.changes) };
    });
  }

  private async listed(sights: readonly Sight[]): Promise<ShownRoom[]> {
    const small = sights.filter(({ room }) => room.kind !== "channel" && room.memberCount <= LISTED_MEMBERS);
    const peopleIn = await this.peopleIn(small.map(({ room }) => room.id));
    return sights.map(({ room, member }) =>
      room.kind === "channel"
        ? toChannel(room, member?.role ?? null)
        : toShownConversation(room, peopleIn.get(room.id)),
    );
  }

  /** Who is in rooms, longest-standing first. */
  private async peopleIn(ids: readonly string[]): Promise<Map<string, string[]>> {
    const people = new Map(ids.map(id => [id, [] as string[]]));
    if (ids.length === 0) return people;
    const where = { room: { $in: [...ids] }, state: "member" } as const;
    for (const { room, user } of await this.members.find({ where, sort: ["joinedAt", "id"] }))
      people.get(room)?.push(user);
    return people;
  }

  private async member(room: string, user: string): Promise<StoredMember | null> {
    return membership(await this.members.get(memberId(room, user)));
  }

  private async visible(user: string, id: string): Promise<Sight> {
    if (!isId(id)) throw new RookeryError("NOT_FOUND");
    const [room, member] = await Promise.all([this.rooms.get(id), this.members.get(memberId(id, user))]);
    if (!room) throw new RookeryError("NOT_FOUND");
    return sight(room, member);
  }

  /**
   * The same with all in the records that the room's log may tell already: who follows the log and then reads who is there
   * would else miss for ever somebody who came between the two.
   */
  private async told(user: string, id: string): Promise<Sight> {
    const seen = await this.visible(user, id);
    if (seen.room.pending.length === 0) return seen;
    await this.changes.settled(id);
    return this.visible(user, id);
  }

  private async shown(user: Identity, room: StoredRoom, member: StoredMember | null): Promise<Channel | Conversation> {
    const held = heldFor(user, room);
    if (room.kind === "channel") return { ...toChannel(room, member?.role ?? null), ...held };
    return { ...toConversation(room, await this.memberIds(room.id)), ...held };
  }

  /** Memberships with their rooms, less those of deleted ones, in the order given. */
  private async living(members: readonly StoredMember[]): Promise<{ room: StoredRoom; member: StoredMember }[]> {
    const rooms = new Map((await this.rooms.getMany(members.map(({ room }) => room))).map(room => [room.id, room]));
    return members.flatMap(member => {
      const room = rooms.get(member.room);
      return room && room.deletedAt === null ? [{ room, member }] : [];
    });
  }

  private async otherOwner(room: string, user: string): Promise<boolean> {
    return (await this.members.count({ where: { room, role: "owner", state: "member", user: { $ne: user } } })) > 0;
  }
}

const SHOWN = ["name", "isPrivate", "topic", "mode", "slowMode"] as const;

/** What a change of settings comes to. Of a hold nothing is told: an event without a change in it would say enough. */
function settings(room: StoredRoom, edit: RoomEdit): RoomVerdict | null {
  const told =
    SHOWN.some(field => edit[field] !== undefined && edit[field] !== room[field]) ||
    (edit.retentionDays !== undefined && edit.retentionDays !== (room.retentionDays ?? null));
  const held = edit.legalHold !== undefined && edit.legalHold !== (room.legalHold ?? false);
  if (!told && !held) return null;
  return { edit: edited(room, edit), changes: told ? [{ type: "room" }] : [] };
}

function edited(
  room: StoredRoom,
  { name, isPrivate, topic, mode, slowMode, retentionDays, legalHold }: RoomEdit,
): Partial<StoredRoom> {
  return {
    ...(name !== undefined && { name, nameKey: room.kind === "channel" ? nameKeyOf(name) : null }),
    ...(isPrivate !== undefined && { isPrivate, audience: isPrivate ? room.id : "public" }),
    ...(topic !== undefined && { topic }),
    ...(mode !== undefined && { mode }),
    ...(slowMode !== undefined && { slowMode }),
    ...(retentionDays !== undefined && { retentionDays }),
    ...(legalHold !== undefined && { legalHold }),
  };
}

const joining = (user: string, role: RoomRole): RoomVerdict => ({
  changes: [{ type: "member", user, change: "join", role }],
});

/** The room as a user sees it. Throws what he is told if he may not. */
function sight(room: StoredRoom, member: StoredMember | null): Sight {
  const { denied } = accessOf(room.id, room, member ?? undefined);
  if (denied) throw new RookeryError(denied);
  return { room, member: membership(member) };
}

function nameTaken(error: unknown): never {
  if (error instanceof DuplicateKeyError && error.constraint === "name")
    throw new RookeryError("CONFLICT", "There is a channel of this name.");
  throw error;
}
