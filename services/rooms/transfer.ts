import { DuplicateKeyError, type Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { ExportedMember, ExportedRoom, ImportedMember, ParamsOf } from "../core/contract";
import { RookeryError } from "../core/errors";
import { isId } from "../core/ids";
import type { Identity } from "../core/model";
import { moderates } from "../core/permissions";
import type { RoomChanges } from "./changes";
import { accessOf, FOREVER, lookOf, membership } from "./access";
import {
  directKey,
  heldFor,
  kept,
  memberId,
  newRoom,
  rulesOf,
  type RoomChange,
  type StoredMember,
  type StoredRoom,
} from "./room";

/** Rooms as a whole: who may take one away, and how one that was elsewhere is made here. */
export class RoomTransfer {
  constructor(
    private readonly rooms: Documents<StoredRoom>,
    private readonly records: Documents<StoredMember>,
    private readonly changes: RoomChanges,
    private readonly clock: Clock,
  ) {}

  /**
   * An owner, both of a direct room, which has none, and `channels.manage`, also where he is no member; while it is on hold
   * he also of a deleted room. Who may not even know of the room is told NOT_FOUND.
   */
  async exported(caller: Identity, id: string): Promise<ExportedRoom> {
    if (!isId(id)) throw new RookeryError("NOT_FOUND");
    const [room, record] = await Promise.all([this.rooms.get(id), this.records.get(memberId(id, caller.id))]);
    const manages = caller.permissions.includes("channels.manage");
    const { denied } = accessOf(id, room ?? undefined, record ?? undefined, lookOf(caller, timestamp(this.clock)));
    const held = room?.legalHold === true;
    if (!room || (denied && !manages) || (room.deletedAt !== null && !held))
      throw new RookeryError(denied ?? "NOT_FOUND");
    const member = membership(record);
    const owns = member?.role === "owner" || (room.kind === "direct" && member !== null);
    if (!owns && !manages) throw new RookeryError("FORBIDDEN", "Only an owner exports a room.");
    const { kind, name, isPrivate, topic, history, archivedAt, createdBy, createdAt, memberCount } = room;
    const { mode, slowMode } = rulesOf(room);
    return {
      room: {
        ...{ id, kind, name, isPrivate },
        ...(topic !== null && { topic }),
        ...(kind === "channel" && { mode, slowMode }),
        ...(history === "joined" && { history }),
        ...(archivedAt && { archivedAt }),
        ...kept(room),
        ...heldFor(caller, room),
        ...{ createdBy, createdAt, memberCount },
      },
      versions: moderates(caller, member?.role),
      kept: manages && held,
      visibleFrom: manages ? 0 : (member?.visibleFrom ?? 0),
      emails: caller.permissions.includes("users.email"),
    };
  }

  /** By id, which begins with the room: a range of the key, however many there are. */
  async members(room: string, after: string, limit: number): Promise<ExportedMember[]> {
    const where = { id: { $gt: memberId(room, after), $lt: `${room};` } };
    return (await this.records.find({ where, sort: "id", limit })).map(exportedMember);
  }

  async memberships(user: string, after: string, limit: number): Promise<(ExportedMember & { name?: string })[]> {
    // Behind every member of the room where the last page ended.
    const where = { user, id: { $gt: after && `${after};` } };
    const now = timestamp(this.clock);
    const found = await this.records.find({ where, sort: "id", limit });
    const rooms = new Map((await this.rooms.getMany(found.map(({ room }) => room))).map(room => [room.id, room]));
    return found.map(member => {
      const room = rooms.get(member.room);
      const hidden = accessOf(member.room, room, member, { browses: true, now }).denied !== undefined;
      return { ...exportedMember(member), ...(!hidden && room && room.name !== null && { name: room.name }) };
    });
  }

  /**
   * Makes the room without members: who is let in after its messages are there finds nothing unread. The two of a direct
   * room are in at once, since it may be there already.
   */
  async make(wanted: ParamsOf<"rooms.import">): Promise<{ id: string; created: boolean }> {
    const { id, kind, people = [], topic, mode, slowMode, ...facts } = wanted;
    const [one, other] = people;
    const key = kind === "direct" && one !== undefined && other !== undefined ? directKey(one, other) : null;
    if (kind === "direct" && key === null) throw new RookeryError("INVALID", "people: Name both.");
    const found = (await this.rooms.get(id)) ?? (key && (await this.rooms.findOne({ directKey: key })));
    if (found) return { id: await this.there(found), created: false };
    const rules = kind === "channel" ? { mode: mode ?? "open", slowMode: slowMode ?? 0 } : {};
    const room = newRoom({ ...facts, ...rules, id, kind, directKey: key, topic: topic || null });
    const joins = kind === "direct" ? people.map(user => joining({ user, role: "member" })) : [];
    try {
      return { id: (await this.changes.create(room, joins)).id, created: true };
    } catch (error) {
      if (!(error instanceof DuplicateKeyError)) throw error;
      const other = (await this.rooms.get(id)) ?? (key && (await this.rooms.findOne({ directKey: key })));
      if (!other) throw new RookeryError("CONFLICT", "There is a channel of this name.");
      return { id: await this.there(other), created: false };
    }
  }

  /** Resolves to how many became members. */
  async admit(id: string, wanted: readonly ImportedMember[]): Promise<number> {
    let joined = 0;
    const room = await this.changes.decide(id, async () => {
      const fresh = await this.strangers(id, wanted);
      const joins = fresh.filter(({ state }) => state === "member").map(joining);
      joined = joins.length;
      return joins.length > 0 ? { changes: joins } : null;
    });
    // No right comes of such a record, so nobody is told: it says that he was here once.
    for (const { user, state, joinedAt, bannedUntil } of await this.strangers(id, wanted)) {
      if (state === "member") continue;
      const member = { id: memberId(id, user), room: id, user, kind: room.kind, state, role: "member" } as const;
      const record: StoredMember = {
        ...{ ...member, n: 0, joinedAt: joinedAt ?? room.createdAt, visibleFrom: 0 },
        ...(state === "banned" && { bannedUntil: bannedUntil ?? FOREVER }),
      };
      await this.records.insert(record).catch((error: unknown) => {
        if (!(error instanceof DuplicateKeyError)) throw error;
      });
    }
    return joined;
  }

  /** Those without a record here: who left or was banned since stays out. */
  private async strangers(id: string, wanted: readonly ImportedMember[]): Promise<ImportedMember[]> {
    const known = new Set((await this.records.getMany(wanted.map(({ user }) => memberId(id, user)))).map(m => m.user));
    return wanted.filter(({ user }) => !known.has(user));
  }

  private async there(room: StoredRoom): Promise<string> {
    if (room.deletedAt !== null) throw new RookeryError("NOT_FOUND", "It was imported before, and deleted since.");
    return (await this.changes.settled(room.id)).id;
  }
}

type Newcomer = Pick<ImportedMember, "user" | "role" | "joinedAt" | "mutedUntil">;

const joining = ({ user, role, joinedAt, mutedUntil }: Newcomer): RoomChange => ({
  type: "member",
  user,
  change: "join",
  role,
  ...(joinedAt !== undefined && { joinedAt }),
  ...(mutedUntil !== undefined && { mutedUntil: mutedUntil ?? FOREVER, muted: true }),
});

const exportedMember = (member: StoredMember): ExportedMember => {
  const { room, user, kind, role, state, joinedAt, bannedUntil, mutedUntil } = member;
  return {
    ...{ room, user, kind, role, state, joinedAt },
    ...(bannedUntil !== undefined && bannedUntil !== FOREVER && { bannedUntil }),
    ...(mutedUntil !== undefined && { mutedUntil: mutedUntil === FOREVER ? null : mutedUntil }),
  };
};
