import { DuplicateKeyError, type Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type {
  AccessAsk,
  Membership,
  Paging,
  ParamsOf,
  ReturnsOf,
  RoomAccess,
  RoomFacts,
  RoomRetention,
  RoomRules,
} from "../core/contract";
import { archivedRoom, RookeryError } from "../core/errors";
import { isId, newId } from "../core/ids";
import type { Limits } from "../core/limits";
import type { Channel, Conversation, History, Identity, Member, MemberRange, Page, ShownRoom } from "../core/model";
import { browses, moderates, runsRoom, type RoomRole } from "../core/permissions";
import { pageOf } from "../core/rules";
import { Turns } from "../core/turns";
import { accessOf, isBanned, isMuted, manages, membership, type Look } from "./access";
import { approach, NO_BARRIERS, withoutWishes } from "./barriers";
import type { RoomChanges, RoomVerdict } from "./changes";
import { Decisions, type Sight, type Viewer, mayDecideOn, mayRun, noSuchUser } from "./decisions";
import { memberPage, named, readMembers, seenBy, type MemberQuery, type Names, type People } from "./member-list";
import {
  decidedBy,
  directKey,
  heldFor,
  isLarge,
  memberId,
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
import { changedOf, isOfManagers, mayEdit, verdictOf, type RoomEdit, type SettingsChanged } from "./settings";

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
    private readonly decisions = new Decisions(rooms, members, changes, clock),
  ) {}

  async access(ask: AccessAsk): Promise<RoomAccess[]> {
    return (await this.accessMany([ask]))[0] ?? [];
  }

  async accessMany(asks: readonly AccessAsk[]): Promise<RoomAccess[][]> {
    const ids = new Set<string>();
    const memberIds: string[] = [];
    for (const { user, rooms } of asks)
      for (const id of rooms) {
        if (!isId(id)) continue;
        ids.add(id);
        memberIds.push(memberId(id, user));
      }
    const now = timestamp(this.clock);
    const [rooms, members] = await Promise.all([
      this.rooms.pick([...ids], ["kind", "isPrivate", "deletedAt", "archivedAt", "memberCount"]),
      this.members.pick(memberIds, ["state", "role", "visibleFrom", "bannedUntil", "mutedUntil"]),
    ]);
    return asks.map(({ user, browses: looksAround, rooms: asked }) =>
      asked.map(id => {
        const room = rooms.get(id);
        const access = accessOf(id, room, members.get(memberId(id, user)), { browses: looksAround, now });
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

  async listChannels(
    user: Identity,
    { archived = false, ...paging }: Paging & { archived?: boolean },
  ): Promise<Page<Channel>> {
    const { page, pageSize } = pageOf(paging, this.limits);
    const mine = await this.members.find({ where: { user: user.id, state: "member", kind: "channel" } });
    const roles = new Map(mine.map(member => [member.room, member.role]));
    const seen = browses(user)
      ? { audience: { $in: ["public", ...roles.keys()] } }
      : { id: { $in: [...roles.keys()] } };
    const where = { kind: "channel", ...seen, deletedAt: null, ...(!archived && { archivedAt: null }) } as const;
    const [rooms, total] = await Promise.all([
      this.rooms.find({ where, sort: ["createdAt", "id"], limit: pageSize, offset: (page - 1) * pageSize }),
      this.rooms.count({ where }),
    ]);
    const items = rooms.map(room => ({ ...toChannel(room, roles.get(room.id) ?? null), ...heldFor(user, room) }));
    return { items, page, pageSize, total };
  }

  async createChannel(
    user: string,
    { name, isPrivate = false, topic = null, history = "all" }: ParamsOf<"rooms.create">,
  ): Promise<Channel> {
    const made = this.blank(user, "channel", { name, isPrivate, topic, history });
    const joins: RoomChange[] = [{ type: "member", user, change: "join", role: "owner" }];
    return toChannel(await this.names.run(nameKeyOf(name), () => this.insert(made, joins)), "owner");
  }

  get(user: Identity, id: string): Promise<Channel | Conversation> {
    return this.decisions.get(user, id);
  }

  /** `changed`: what the room is like now and was not before, less what is said in it. */
  async update(
    user: Identity,
    id: string,
    edit: RoomEdit,
  ): Promise<{ room: Channel | Conversation; changed: SettingsChanged }> {
    let changed: SettingsChanged = {};
    // Judged anew on what is stored each time it runs; the last run is the one that counted.
    const judge = (room: StoredRoom): RoomVerdict | null => {
      changed = changedOf(room, edit);
      return verdictOf(room, edit);
    };
    if (manages(user) && isId(id) && isOfManagers(edit)) return { room: await this.keep(user, id, judge), changed };
    await this.decisions.decide(user, id, mayEdit(user, edit), async ({ room }) => judge(room)).catch(nameTaken);
    return { room: await this.decisions.get(user, id), changed };
  }

  /** How long messages are kept, set by who runs the installation: of every room there is or was, whoever is in it. */
  private async keep(
    user: Identity,
    id: string,
    judge: (room: StoredRoom) => RoomVerdict | null,
  ): Promise<Channel | Conversation> {
    const after = await this.changes.decide(id, async room => judge(room));
    return this.decisions.shown(user, after, await this.decisions.member(id, user.id));
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
      if (room.kind === "direct" || (member?.role !== "owner" && !manages(user))) throw new RookeryError("FORBIDDEN");
    };
    await this.decisions.decide(user, id, may, async ({ room }) => {
      const deletedAt = timestamp(this.clock);
      return { edit: { deletedAt, nameKey: null, audience: room.id, invites: [] }, changes: [{ type: "room" }] };
    });
  }

  join(user: Identity, id: string): Promise<void> {
    return this.decisions.cross(user, id, "join");
  }

  leave(user: Identity, id: string): Promise<void> {
    return this.decisions.cross(user, id, "leave");
  }

  async listMembers(
    user: Identity,
    id: string,
    query: MemberQuery,
    people: People,
  ): Promise<Page<Member> | MemberRange> {
    const { room, member } = await this.decisions.told(user, id);
    const whole = moderates(user, member?.role) || manages(user);
    const seen = await readMembers(this.members, room, query, this.limits, people, timestamp(this.clock));
    return { ...seen, items: seen.items.map(seenBy(user.id, whole)) };
  }

  /**
   * Lets a user in, or gives a member another role; without a role a newcomer is a member and a member stays what he is. Who
   * runs the room says whether somebody is a member or a guest, an owner also who runs it.
   */
  async addMember(
    user: Identity,
    id: string,
    userId: string,
    role: RoomRole | undefined,
    names: Names,
    barriers = NO_BARRIERS,
  ): Promise<{ member: Member; changed: boolean }> {
    const may = ({ room, member }: Sight): void => {
      if (room.kind === "direct" || !runsRoom(member?.role)) throw new RookeryError("FORBIDDEN");
      if (runsRoom(role) && member?.role !== "owner") throw new RookeryError("FORBIDDEN", "Only an owner gives roles.");
    };
    // Strangers learn nothing of users, and the room does not wait for the users service.
    may(await this.decisions.visible(user, id));
    if ((await names([userId])).length === 0) throw noSuchUser();
    // Who is there already is not out of reach of those who run the room.
    if (!(await this.decisions.member(id, userId))) await approach(user.id, [userId], withoutWishes(user, barriers));
    else if (role === "owner" && (await barriers.present([userId])).length === 0) throw noSuchUser();
    const changed = await this.decisions.decide(user, id, may, async ({ room, member }) => {
      const record = await this.members.get(memberId(id, userId));
      const current = membership(record);
      if (!current) {
        if (isBanned(record, timestamp(this.clock))) throw new RookeryError("CONFLICT", "He is banned here.");
        if (room.archivedAt) throw archivedRoom();
        if (room.kind === "group" && room.memberCount >= this.limits.groupMembers)
          throw new RookeryError("CONFLICT", `A group has at most ${this.limits.groupMembers} members.`);
        return joining(userId, role ?? "member", isMuted(record, timestamp(this.clock)));
      }
      if (!role || role === current.role || (member?.role !== "owner" && runsRoom(current.role))) return null;
      await this.decisions.keepsOwner(current);
      if (role === "owner") return { changes: this.changes.succession.rising(current) };
      return { changes: [{ type: "member", user: userId, change: "role", role }] };
    });
    const added = await this.decisions.member(id, userId);
    const [shown] = added ? await named([added], names, timestamp(this.clock)) : [];
    if (!shown) throw new RookeryError("CONFLICT", "The member was taken out meanwhile.");
    return { member: shown, changed };
  }

  /** Resolves to whether somebody else was taken out. */
  async removeMember(user: Identity, id: string, userId: string): Promise<boolean> {
    if (user.id === userId) return this.leave(user, id).then(() => false);
    return this.decisions.decide(user, id, mayRun(user), async seen => {
      const target = await this.decisions.member(id, userId);
      if (!target) return null;
      mayDecideOn(user, seen, target);
      return { changes: await this.changes.succession.takingOut([target], "remove") };
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
    { name = null, history }: { name?: string | null; history?: History },
    names: Names,
    barriers = NO_BARRIERS,
  ): Promise<{ conversation: Conversation; created: boolean }> {
    const people = [...new Set([user, ...others])];
    if (type === "direct" && people.length !== 2) throw new RookeryError("INVALID", "members: Name one other person.");
    const most = Math.min(this.limits.group, this.limits.groupMembers);
    if (people.length > most) throw new RookeryError("INVALID", `members: At most ${most}.`);
    if ((await names(people)).length !== people.length) throw noSuchUser();
    if (type === "direct" && history !== undefined)
      throw new RookeryError("INVALID", "history: In a direct room both read all.");
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
    await approach(user, people.slice(1), barriers);
    try {
      const room = await this.insert(
        this.blank(user, type, { name, directKey: key, ...(history && { history }) }),
        joins,
      );
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
  async view(viewer: Viewer, id: string, members: number, names: Names): Promise<ReturnsOf<"rooms.view">> {
    const look: Look = { browses: viewer.browses, now: timestamp(this.clock) };
    const seen = await this.decisions.toldTo(viewer, id);
    const [[room], list] = await Promise.all([
      this.listed([seen]),
      memberPage(this.members, seen.room, pageOf({ pageSize: members }, this.limits), names, look.now),
    ]);
    const access = accessOf(id, seen.room, seen.member ?? undefined, look);
    const items = list.items.map(seenBy(viewer.id, runsRoom(access.role)));
    return { room: room as ShownRoom, access, members: { ...list, items } };
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
      this.decisions.member(id, except),
      this.members.find({ where: others, sort: "id", limit, offset: skip }),
    ]);
    return { ids: found.map(({ user }) => user), total: Math.max((room?.memberCount ?? 0) - (own ? 1 : 0), 0) };
  }

  /** Takes a user out of every room he can be taken out of; direct rooms stay, as the other's memory. */
  async evict(user: string): Promise<void> {
    const mine = await this.members.find({ where: { user, state: "member", kind: { $in: ["channel", "group"] } } });
    for (const { room } of mine)
      await this.changes.decide(room, async () => {
        const member = await this.decisions.member(room, user);
        return member && { changes: await this.changes.succession.takingOut([member], "remove") };
      });
  }

  /** A user who cannot come in any more owns no room that somebody else can run. */
  async handOver(user: string): Promise<void> {
    if ((await this.changes.succession.present([user])).length > 0) return;
    const owned = await this.members.find({ where: { user, state: "member", role: "owner" } });
    for (const { room } of await this.living(owned))
      await this.changes.decide(room.id, async () => {
        const member = await this.decisions.member(room.id, user);
        const changes = member?.role === "owner" ? await this.changes.succession.passingOn(member) : [];
        return changes.length > 0 ? { changes } : null;
      });
  }

  private blank(user: string, kind: StoredRoom["kind"], more: Partial<StoredRoom>): StoredRoom {
    return newRoom({ id: newId(), kind, createdBy: user, createdAt: timestamp(this.clock), ...more });
  }

  private insert(room: StoredRoom, joins: readonly RoomChange[]): Promise<StoredRoom> {
    return this.changes.create(room, decidedBy(room.createdBy, joins)).catch(nameTaken);
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

  /** Memberships with their rooms, less those of deleted ones, in the order given. */
  private async living(members: readonly StoredMember[]): Promise<{ room: StoredRoom; member: StoredMember }[]> {
    const rooms = new Map((await this.rooms.getMany(members.map(({ room }) => room))).map(room => [room.id, room]));
    return members.flatMap(member => {
      const room = rooms.get(member.room);
      return room && room.deletedAt === null ? [{ room, member }] : [];
    });
  }
}

const joining = (user: string, role: RoomRole, muted: boolean): RoomVerdict => ({
  changes: [{ type: "member", user, change: "join", role, ...(muted && { muted }) }],
});

function nameTaken(error: unknown): never {
  if (error instanceof DuplicateKeyError && error.constraint === "name")
    throw new RookeryError("CONFLICT", "There is a channel of this name.");
  throw error;
}
