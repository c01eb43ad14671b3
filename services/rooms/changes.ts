import type { Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { AppendAnswer, AppendRequest, RoomOperation } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import type { Conversation, SharedChannel } from "../core/model";
import { endsMembership } from "../core/room-bus";
import {
  memberId,
  peopleOf,
  toConversation,
  toSharedChannel,
  waiting,
  type PendingChange,
  type StoredMember,
  type StoredRoom,
} from "./room";

/** Writes into the room's log. Throws when the outcome is not known to be stored. */
export type Append = (request: AppendRequest) => Promise<AppendAnswer>;

export type NewChange = { type: "member" } & Omit<Extract<PendingChange, { type: "member" }>, "id" | "since" | "type">;

/** Milliseconds after which a pending change counts as left half done. */
const ABANDONED = 1_000;

/**
 * Changes of membership and settings, each in three steps that can be repeated: into the room's record as pending, carried
 * out (log entry and membership record), cleared. Whoever finds one pending finishes it. Rights end before the entry is
 * written and begin after it, so a reader who is let in or cut at the entry's offset is never ahead of the record.
 *
 * `change`, `settings`, `create` and `finish` are called with the room's turn held.
 */
export class RoomChanges {
  /** Changes of one room take turns in this process; the pending list carries correctness between processes. */
  private readonly turns = new Map<string, Promise<unknown>>();
  private sweeping = false;

  constructor(
    private readonly rooms: Documents<StoredRoom>,
    private readonly members: Documents<StoredMember>,
    private readonly append: Append,
    private readonly clock: Clock,
  ) {}

  /** Runs `work` when all earlier work for the room has ended. */
  turn<T>(room: string, work: () => Promise<T>): Promise<T> {
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

  /** Stores a new room and carries out the joins it begins with. */
  async create(room: StoredRoom, joins: readonly NewChange[]): Promise<StoredRoom> {
    const { id } = await this.rooms.insert({ ...room, ...waiting(joins.map(join => this.stamped(join))) });
    return this.finish(id);
  }

  /** Begins changes of membership and carries them out, together with those that were pending. NOT_FOUND: the room is gone. */
  async change(room: string, changes: readonly NewChange[]): Promise<StoredRoom> {
    const pending = changes.map(change => this.stamped(change));
    const joins = changes.some(({ change }) => change === "join");
    return this.update(room, pending, doc => {
      if (joins && doc.deletedAt !== null) throw new RookeryError("NOT_FOUND");
      return doc;
    });
  }

  /** Changes the room's own record and tells it in the log. NOT_FOUND: the room is gone. */
  async settings(room: string, edit: (doc: StoredRoom) => StoredRoom): Promise<StoredRoom> {
    return this.update(room, [this.stamped({ type: "room" })], doc => {
      if (doc.deletedAt !== null) throw new RookeryError("NOT_FOUND");
      return edit(doc);
    });
  }

  /** Carries out all that is pending in a room. */
  async finish(id: string): Promise<StoredRoom> {
    const room = await this.rooms.get(id);
    if (!room) throw new RookeryError("NOT_FOUND");
    const { pending } = room;
    if (pending.length === 0) return room;
    // People who join together do not depend on each other; everything else happens in its order.
    if (pending.every(change => change.type === "member" && change.change === "join"))
      await Promise.all(pending.map(change => this.carryOut(id, change)));
    else for (const change of pending) await this.carryOut(id, change);
    return this.clear(room, pending);
  }

  /** Finishes what was left half done; a room that fails is told to `report` and waits. Returns how many were finished. */
  async sweep(limit: number, report: (room: string, error: unknown) => void): Promise<number> {
    if (this.sweeping) return 0;
    this.sweeping = true;
    try {
      const pendingSince = { $lt: this.clock.now() - ABANDONED };
      const rooms = await this.rooms.find({ where: { pendingSince }, sort: "pendingSince", limit });
      let finished = 0;
      for (const { id } of rooms) {
        try {
          if (await this.turn(id, () => this.resume(id, pendingSince.$lt))) finished++;
        } catch (error) {
          report(id, error);
        }
      }
      return finished;
    } finally {
      this.sweeping = false;
    }
  }

  /** Finishes a room if its oldest change is still from before `until`; what is younger is somebody's work under way. */
  private async resume(id: string, until: number): Promise<boolean> {
    const since = (await this.rooms.get(id))?.pendingSince ?? null;
    if (since === null || since >= until) return false;
    await this.finish(id);
    return true;
  }

  private stamped(change: NewChange | { type: "room" }): PendingChange {
    return { ...change, id: newId(), since: this.clock.now() };
  }

  private async update(
    id: string,
    added: readonly PendingChange[],
    edit: (doc: StoredRoom) => StoredRoom,
  ): Promise<StoredRoom> {
    const room = await this.rooms.update(id, doc => ({ ...edit(doc), ...waiting([...doc.pending, ...added]) }));
    if (!room) throw new RookeryError("NOT_FOUND");
    return this.finish(id);
  }

  private async carryOut(id: string, change: PendingChange): Promise<void> {
    const room = await this.rooms.get(id);
    // Another process finished it meanwhile, and what happened since must stay.
    if (!room?.pending.some(pending => pending.id === change.id)) return;
    if (change.type === "room")
      return void (await this.log(room, { op: "room", changeId: change.id, room: await this.shown(room) }));
    const { user } = change;
    const record = memberId(id, user);
    const entry: RoomOperation = {
      op: "member",
      changeId: change.id,
      user,
      change: change.change,
      ...(change.role && { role: change.role }),
    };
    if (change.change === "ban") await this.put({ ...this.blank(room, user), banned: true });
    else if (endsMembership(change.change)) await this.members.remove(record);
    else if (change.change === "role")
      await this.members.update(record, member => ({ ...member, role: change.role ?? member.role }));
    const offset = await this.log(room, entry);
    if (change.change !== "join") return;
    const before = await this.members.get(record);
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
      return { ...doc, ...waiting(pending), memberCount };
    });
    return cleared ?? room;
  }

  /** The room as its log shows it. */
  private async shown(room: StoredRoom): Promise<SharedChannel | Conversation> {
    const data =
      room.kind === "channel" ? toSharedChannel(room) : toConversation(room, await peopleOf(this.members, room.id));
    return { ...data, ...(room.deletedAt !== null && { deletedAt: room.deletedAt }) };
  }
}
