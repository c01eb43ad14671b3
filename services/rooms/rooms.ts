import { DuplicateKeyError, type Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { Paging, RoomAccess } from "../core/contract";
import { RookeryError } from "../core/errors";
import { isId, newId } from "../core/ids";
import type { Limits } from "../core/limits";
import type { Channel, Conversation, Identity, Member, Page } from "../core/model";
import { runsRoom, type RoomRole } from "../core/permissions";
import { pageOf } from "../core/rules";
import type { NewChange, RoomChanges } from "./changes";
import {
  accessOf,
  directKey,
  memberId,
  membership,
  toChannel,
  toConversation,
  type StoredMember,
  type StoredRoom,
} from "./room";

/** Names of users, asked of their owner. Unknown ids are left out. */
export type Names = (ids: string[]) => Promise<{ id: string; username: string }[]>;

export interface RoomEdit {
  name?: string;
  isPrivate?: boolean;
  topic?: string | null;
}

/** Rooms and who is in them. Every method decides by the records, deny by default. */
export class Rooms {
  /** Changes of one room take turns in this process; the pending list carries correctness between processes. */
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(
    private readonly rooms: Documents<StoredRoom>,
    private readonly members: Documents<StoredMember>,
    private readonly changes: RoomChanges,
    private readonly clock: Clock,
    private readonly limits: Limits,
  ) {}

  async access(user: string, ids: readonly string[]): Promise<RoomAccess[]> {
    const real = ids.filter(isId);
    const [rooms, members] = await Promise.all([
      this.rooms.getMany(real),
      this.members.getMany(real.map(id => memberId(id, user))),
    ]);
    const roomOf = new Map(rooms.map(room => [room.id, room]));
    const memberOf = new Map(members.map(member => [member.room, member]));
    return ids.map(id => accessOf(id, roomOf.get(id), memberOf.get(id)));
  }

  async listChannels(user: string, paging: Paging): Promise<Page<Channel>> {
    const { page, pageSize } = pageOf(paging, this.limits);
    const mine = await this.members.find({ where: { user, banned: false, kind: "channel" } });
    const roles = new Map(mine.map(member => [member.room, member.role]));
    const where = { kind: "channel", audience: { $in: ["public", ...roles.keys()] }, deletedAt: null } as const;
    const [rooms, total] = await Promise.all([
      this.rooms.find({ where, sort: ["createdAt", "id"], limit: pageSize, offset: (page - 1) * pageSize }),
      this.rooms.count({ where }),
    ]);
    return { items: rooms.map(room => toChannel(room, roles.get(room.id) ?? null)), page, pageSize, total };
  }

  async createChannel(user: string, name: string, isPrivate: boolean, topic: string | null): Promise<Channel> {
    const room = await this.insert({ ...this.blank(user, "channel"), name, nameKey: keyOf(name), isPrivate, topic }, [
      { type: "member", user, change: "join", role: "owner" },
    ]);
    return toChannel(room, "owner");
  }

  async get(user: string, id: string): Promise<Channel | Conversation> {
    const { room, member } = await this.visible(user, id);
    return this.shown(room, member);
  }

  async update(user: Identity, id: string, edit: RoomEdit): Promise<Channel | Conversation> {
    const { room, member } = await this.visible(user.id, id);
    if (room.kind === "direct") throw new RookeryError("FORBIDDEN", "A direct room has no settings.");
    if (!runsRoom(member?.role) && !user.permissions.includes("channels.manage")) throw new RookeryError("FORBIDDEN");
    if (room.kind === "group" && edit.isPrivate === false)
      throw new RookeryError("INVALID", "A group is always private.");
    const changed = await this.turn(id, () => this.changes.settings(id, doc => edited(doc, edit))).catch(nameTaken);
    return this.shown(changed, member);
  }

  async remove(user: Identity, id: string): Promise<void> {
    const { room, member } = await this.visible(user.id, id);
    const may = member?.role === "owner" || user.permissions.includes("channels.manage");
    if (room.kind === "direct" || !may) throw new RookeryError("FORBIDDEN");
    const deletedAt = timestamp(this.clock);
    await this.turn(id, () =>
      this.changes.settings(id, doc => ({ ...doc, deletedAt, nameKey: null, audience: doc.id })),
    );
  }

  async join(user: string, id: string): Promise<void> {
    const { room, member } = await this.visible(user, id);
    if (member) return;
    await this.changeMember(room.id, user, async current =>
      current ? [] : [{ type: "member", user, change: "join", role: "member" }],
    );
  }

  async leave(user: string, id: string): Promise<void> {
    const { room, member } = await this.visible(user, id);
    if (!member) return;
    if (room.kind === "direct") throw new RookeryError("FORBIDDEN", "A direct room cannot be left.");
    await this.takeOut(id, user, "leave");
  }

  async listMembers(user: string, id: string, paging: Paging, names: Names): Promise<Page<Member>> {
    await this.visible(user, id);
    const { page, pageSize } = pageOf(paging, this.limits);
    const where = { room: id, banned: false } as const;
    const [members, total] = await Promise.all([
      this.members.find({ where, sort: ["joinedAt", "id"], limit: pageSize, offset: (page - 1) * pageSize }),
      this.members.count({ where }),
    ]);
    return { items: await named(members, names), page, pageSize, total };
  }

  async addMember(user: string, id: string, userId: string, role: RoomRole, names: Names): Promise<Member> {
    const { room, member } = await this.visible(user, id);
    if (room.kind === "direct" || !runsRoom(member?.role)) throw new RookeryError("FORBIDDEN");
    if (role !== "member" && member?.role !== "owner")
      throw new RookeryError("FORBIDDEN", "Only an owner gives roles.");
    if ((await names([userId])).length === 0) throw new RookeryError("NOT_FOUND", "There is no such user.");
    await this.changeMember(id, userId, async current => {
      if (!current) return [{ type: "member", user: userId, change: "join", role }];
      if (current.role === role || member?.role !== "owner") return [];
      if (current.role === "owner" && !(await this.otherOwner(id, userId)))
        throw new RookeryError("CONFLICT", "A room keeps at least one owner.");
      return [{ type: "member", user: userId, change: "role", role }];
    });
    const [added] = await named([(await this.members.get(memberId(id, userId))) as StoredMember], names);
    return added as Member;
  }

  async removeMember(user: Identity, id: string, userId: string): Promise<void> {
    if (user.id === userId) return this.leave(user.id, id);
    const { room, member } = await this.visible(user.id, id);
    if (room.kind === "direct") throw new RookeryError("FORBIDDEN");
    const target = membership(await this.members.get(memberId(id, userId)));
    const manages = user.permissions.includes("channels.manage");
    if (!runsRoom(member?.role) && !manages) throw new RookeryError("FORBIDDEN");
    if (!target) return;
    if (runsRoom(target.role) && member?.role !== "owner" && !manages) throw new RookeryError("FORBIDDEN");
    await this.takeOut(id, userId, "remove");
  }

  async listConversations(user: string, paging: Paging): Promise<Page<Conversation>> {
    const { page, pageSize } = pageOf(paging, this.limits);
    const where = { user, banned: false, kind: { $in: ["direct", "group"] } } as const;
    const mine = await this.living(await this.members.find({ where, sort: ["joinedAt", "id"] }));
    const rooms = mine.slice((page - 1) * pageSize, page * pageSize).map(({ room }) => room);
    const ids = rooms.map(({ id }) => id);
    const all = await this.members.find({
      where: { room: { $in: ids }, banned: false },
      sort: ["joinedAt", "id"],
    });
    const membersOf = new Map(rooms.map(({ id }) => [id, [] as string[]]));
    for (const member of all) membersOf.get(member.room)?.push(member.user);
    const items = rooms.map(room => toConversation(room, membersOf.get(room.id) ?? []));
    return { items, page, pageSize, total: mine.length };
  }

  /** The direct room of two people, made once, or a new group. */
  async converse(
    user: string,
    type: "direct" | "group",
    others: readonly string[],
    name: string | null,
    names: Names,
  ): Promise<{ conversation: Conversation; created: boolean }> {
    const people = [...new Set([user, ...others])];
    if (type === "direct" && people.length !== 2) throw new RookeryError("INVALID", "members: Name one other person.");
    if (people.length > this.limits.group) throw new RookeryError("INVALID", `members: At most ${this.limits.group}.`);
    if ((await names(people)).length !== people.length) throw new RookeryError("NOT_FOUND", "There is no such user.");
    const role = (person: string): RoomRole => (type === "group" && person === user ? "owner" : "member");
    const joins = people.map((person): NewChange => ({
      type: "member",
      user: person,
      change: "join",
      role: role(person),
    }));
    const key = type === "direct" ? directKey(people[0] as string, people[1] as string) : null;
    const known = key && (await this.rooms.findOne({ directKey: key }));
    if (known) return { conversation: toConversation(await this.changes.finish(known), people), created: false };
    try {
      const room = await this.insert({ ...this.blank(user, type), name, directKey: key, isPrivate: true }, joins);
      return { conversation: toConversation(room, people), created: true };
    } catch (error) {
      const first = error instanceof DuplicateKeyError && key && (await this.rooms.findOne({ directKey: key }));
      if (!first) throw error;
      return { conversation: toConversation(await this.changes.finish(first), people), created: false };
    }
  }

  async memberships(user: string): Promise<{ room: string; visibleFrom: number }[]> {
    const mine = await this.living(await this.members.find({ where: { user, banned: false } }));
    return mine.map(({ room, member }) => ({ room: room.id, visibleFrom: member.visibleFrom }));
  }

  async memberIds(room: string): Promise<string[]> {
    const members = await this.members.find({ where: { room, banned: false }, sort: ["joinedAt", "id"] });
    return members.map(member => member.user);
  }

  /** Takes a user out of every room he can be taken out of; direct rooms stay, as the other's memory. */
  async evict(user: string): Promise<void> {
    const mine = await this.members.find({ where: { user, banned: false, kind: { $in: ["channel", "group"] } } });
    for (const { room } of mine) await this.takeOut(room, user, "remove");
  }

  private blank(user: string, kind: StoredRoom["kind"]): StoredRoom {
    return {
      id: newId(),
      kind,
      name: null,
      nameKey: null,
      directKey: null,
      isPrivate: false,
      audience: "",
      topic: null,
      history: "all",
      createdBy: user,
      createdAt: timestamp(this.clock),
      memberCount: 0,
      pending: [],
      hasPending: true,
      deletedAt: null,
    };
  }

  private async insert(room: StoredRoom, joins: readonly NewChange[]): Promise<StoredRoom> {
    const pending = joins.map(join => ({ ...join, id: newId() }));
    const audience = room.isPrivate ? room.id : "public";
    return this.changes.finish(await this.rooms.insert({ ...room, audience, pending }).catch(nameTaken));
  }

  /** A room that the user may see, and his membership if any. */
  private async visible(user: string, id: string): Promise<{ room: StoredRoom; member: StoredMember | null }> {
    if (!isId(id)) throw new RookeryError("NOT_FOUND");
    const [room, member] = await Promise.all([this.rooms.get(id), this.members.get(memberId(id, user))]);
    const { denied } = accessOf(id, room ?? undefined, member ?? undefined);
    if (!room || denied) throw new RookeryError(denied ?? "NOT_FOUND");
    return { room, member: membership(member) };
  }

  private async shown(room: StoredRoom, member: StoredMember | null): Promise<Channel | Conversation> {
    if (room.kind === "channel") return toChannel(room, member?.role ?? null);
    return toConversation(room, await this.memberIds(room.id));
  }

  /** Decides about one member with the room's turn held, so that two requests cannot both see the old state. */
  private changeMember(
    room: string,
    user: string,
    decide: (current: StoredMember | null) => Promise<NewChange[]>,
  ): Promise<void> {
    return this.turn(room, async () => {
      const changes = await decide(membership(await this.members.get(memberId(room, user))));
      if (changes.length > 0) await this.changes.change(room, changes);
    });
  }

  /** Ends a membership; where the last owner goes, the longest-standing of the highest role takes over. */
  private takeOut(room: string, user: string, change: "leave" | "remove"): Promise<void> {
    return this.changeMember(room, user, async current => {
      if (!current) return [];
      const out: NewChange = { type: "member", user, change };
      if (current.role !== "owner" || (await this.otherOwner(room, user))) return [out];
      const heir = await this.heir(room, user);
      return heir ? [{ type: "member", user: heir, change: "role", role: "owner" }, out] : [out];
    });
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
    return (await this.members.count({ where: { room, role: "owner", banned: false, user: { $ne: user } } })) > 0;
  }

  private async heir(room: string, user: string): Promise<string | null> {
    for (const role of ["moderator", "member"] as const) {
      const where = { room, role, banned: false, user: { $ne: user } } as const;
      const [first] = await this.members.find({ where, sort: "joinedAt", limit: 1 });
      if (first) return first.user;
    }
    return null;
  }

  private turn<T>(room: string, work: () => Promise<T>): Promise<T> {
    const result = (this.turns.get(room) ?? Promise.resolve()).then(work);
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    this.turns.set(room, settled);
    void settled.then(() => {
      if (this.turns.get(room) === settled) this.turns.delete(room);
    });
    return result;
  }
}

const keyOf = (name: string): string => name.toLowerCase();

function edited(doc: StoredRoom, { name, isPrivate, topic }: RoomEdit): StoredRoom {
  const next = { ...doc };
  if (name !== undefined) Object.assign(next, { name, nameKey: doc.kind === "channel" ? keyOf(name) : null });
  if (isPrivate !== undefined) Object.assign(next, { isPrivate, audience: isPrivate ? doc.id : "public" });
  if (topic !== undefined) next.topic = topic;
  return next;
}

async function named(members: readonly StoredMember[], names: Names): Promise<Member[]> {
  const users = new Map((await names(members.map(member => member.user))).map(user => [user.id, user.username]));
  return members.map(({ user, role, joinedAt }) => ({ userId: user, username: users.get(user) ?? "", role, joinedAt }));
}

function nameTaken(error: unknown): never {
  if (error instanceof DuplicateKeyError && error.constraint === "name")
    throw new RookeryError("CONFLICT", "There is a channel of this name.");
  throw error;
}
