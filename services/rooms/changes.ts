import type { Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { AppendAnswer, AppendRequest, RoomOperation } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import { endsMembership } from "../core/room-bus";
import { memberId, toChannel, toConversation, type PendingChange, type StoredMember, type StoredRoom } from "./room";

/** Writes into the room's log. Throws when the outcome is not known to be stored. */
export type Append = (request: AppendRequest) => Promise<AppendAnswer>;

export type NewChange = { type: "member" } & Omit<Extract<PendingChange, { type: "member" }>, "id" | "type">;

/**
 * Changes of membership and settings, each in three steps that can be repeated: into the room's record as pending, carried
 * out (log entry and membership record), cleared. Whoever finds one pending finishes it. Rights end before the entry is
 * written and begin after it, so a reader who is let in or cut at the entry's offset is never ahead of the record.
 */
export class RoomChanges {
  constructor(
    private readonly rooms: Documents<StoredRoom>,
    private readonly members: Documents<StoredMember>,
    private readonly append: Append,
    private readonly clock: Clock,
  ) {}

  /** Begins changes of membership and carries them out, together with those that were pending. */
  async change(room: string, changes: readonly NewChange[]): Promise<StoredRoom> {
    const pending = changes.map(change => ({ ...change, id: newId() }));
    return this.update(room, doc => ({ ...doc, pending: [...doc.pending, ...pending] }));
  }

  /** Changes the room's own record and tells it in the log. `edit` may refuse by throwing. */
  async settings(room: string, edit: (doc: StoredRoom) => StoredRoom): Promise<StoredRoom> {
    return this.update(room, doc => ({ ...edit(doc), pending: [...doc.pending, { type: "room", id: newId() }] }));
  }

  /** Carries out all that is pending in a room. */
  async finish(room: StoredRoom): Promise<StoredRoom> {
    const { pending } = room;
    // People who join together do not depend on each other; everything else happens in its order.
    if (pending.every(change => change.type === "member" && change.change === "join"))
      await Promise.all(pending.map(change => this.carryOut(room, change)));
    else for (const change of pending) await this.carryOut(room, change);
    return this.clear(room, pending);
  }

  /** Repeats what somebody left half done. Returns how many rooms were finished. */
  async sweep(limit: number): Promise<number> {
    const rooms = await this.rooms.find({ where: { hasPending: true }, limit });
    for (const room of rooms) await this.finish(room);
    return rooms.length;
  }

  private async update(id: string, edit: (doc: StoredRoom) => StoredRoom): Promise<StoredRoom> {
    const room = await this.rooms.update(id, doc => ({ ...edit(doc), hasPending: true }));
    if (!room) throw new RookeryError("NOT_FOUND");
    return this.finish(room);
  }

  private async carryOut(room: StoredRoom, change: PendingChange): Promise<void> {
    if (change.type === "room")
      return void (await this.log(room, { op: "room", changeId: change.id, room: shown(room) }));
    const { user } = change;
    const id = memberId(room.id, user);
    const entry: RoomOperation = {
      op: "member",
      changeId: change.id,
      user,
      change: change.change,
      ...(change.role && { role: change.role }),
    };
    if (change.change === "ban") await this.put({ ...this.blank(room, user), banned: true });
    else if (endsMembership(change.change)) await this.members.remove(id);
    else if (change.change === "role")
      await this.members.update(id, member => ({ ...member, role: change.role ?? member.role }));
    const offset = await this.log(room, entry);
    if (change.change !== "join") return;
    const before = await this.members.get(id);
    // Carried out before, by whoever did not come to clear it: what happened since must stay.
    if (before && !before.banned) return;
    const visibleFrom = room.history === "joined" && room.createdBy !== user ? offset : 0;
    await this.put({ ...this.blank(room, user), role: change.role ?? "member", visibleFrom });
  }

  private blank(room: StoredRoom, user: string): StoredMember {
    return {
      id: memberId(room.id, user),
      room: room.id,
      user,
      kind: room.kind,
      role: "member",
      joinedAt: timestamp(this.clock),
      visibleFrom: 0,
      banned: false,
    };
  }

  private async put(member: StoredMember): Promise<void> {
    if (!(await this.members.update(member.id, () => member))) await this.members.insert(member);
  }

  /** Returns the offset; a change that is in the log already keeps the one it got. */
  private async log(room: StoredRoom, entry: RoomOperation): Promise<number> {
    const answer = await this.append({ room: room.id, entry });
    if (!answer.ok) throw new RookeryError(answer.error.code, answer.error.detail);
    return answer.offset;
  }

  private async clear(room: StoredRoom, done: readonly PendingChange[]): Promise<StoredRoom> {
    const ids = new Set(done.map(change => change.id));
    const memberCount = await this.members.count({ where: { room: room.id, banned: false } });
    const cleared = await this.rooms.update(room.id, doc => {
      const pending = doc.pending.filter(change => !ids.has(change.id));
      return { ...doc, pending, hasPending: pending.length > 0, memberCount };
    });
    return cleared ?? room;
  }
}

/** The room as its log shows it: to everyone alike, so without anybody's own role. */
const shown = (room: StoredRoom) => ({
  ...(room.kind === "channel" ? toChannel(room, null) : toConversation(room, [])),
  ...(room.deletedAt !== null && { deletedAt: room.deletedAt }),
});
