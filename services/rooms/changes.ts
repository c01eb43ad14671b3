import { DuplicateKeyError, type Documents } from "../../mixins/documents";
import { StagedChanges, type Staged, type Verdict } from "../../mixins/staged-changes";
import type { Clock } from "../core/clock";
import type { AppendAnswer, AppendRequest, RoomOperation } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { Conversation, SharedChannel } from "../core/model";
import { endsMembership } from "../core/room-bus";
import { Turns } from "../core/turns";
import {
  memberId,
  peopleOf,
  toConversation,
  toSharedChannel,
  type RoomChange,
  type StoredMember,
  type StoredRoom,
} from "./room";

/** Writes into the room's log. Throws when the outcome is not known to be stored. */
export type Append = (request: AppendRequest) => Promise<AppendAnswer>;

export type RoomVerdict = Verdict<StoredRoom, RoomChange>;

type MemberUpdate = Extract<Staged<RoomChange>, { type: "member" }>;

/**
 * Changes of membership and settings: decided in the room's record, then carried out as log entry and membership record.
 * Rights end before the entry is written and begin after it, so a reader who is let in or cut at the entry's offset is never
 * ahead of the record.
 */
export class RoomChanges {
  private readonly staged: StagedChanges<RoomChange, StoredRoom>;
  /** Requests of this process for one room wait for each other instead of being decided again and again. */
  private readonly turns = new Turns();

  constructor(
    rooms: Documents<StoredRoom>,
    private readonly members: Documents<StoredMember>,
    private readonly append: Append,
    clock: Clock,
  ) {
    this.staged = new StagedChanges(rooms, room => this.carryOut(room), clock);
  }

  /** Stores a new room and carries out the joins it begins with. Rejects with DuplicateKeyError. */
  create(room: StoredRoom, joins: readonly RoomChange[]): Promise<StoredRoom> {
    return this.turns.run(room.id, () => this.staged.create(room, joins));
  }

  /** The room with nothing pending. NOT_FOUND: there is none. */
  settled(id: string): Promise<StoredRoom> {
    return this.turns.run(id, () => this.staged.settled(id));
  }

  /** Decides on the settled room and its records, null for nothing to do, and carries it out. NOT_FOUND: there is none. */
  decide(id: string, judge: (room: StoredRoom) => Promise<RoomVerdict | null>): Promise<StoredRoom> {
    return this.turns.run(id, () => this.staged.decide(id, judge));
  }

  /** Finishes what was left half done in a bounded number of rooms. Returns how many were finished. */
  sweep(limit: number, report: (room: string, error: unknown) => void): Promise<number> {
    return this.staged.sweep(limit, report);
  }

  private async carryOut(room: StoredRoom): Promise<Partial<StoredRoom>> {
    const { pending } = room;
    // People who join together do not depend on each other; everything else happens in its order.
    if (pending.every(change => change.type === "member" && change.change === "join"))
      await Promise.all(pending.map(change => this.one(room, change)));
    else for (const change of pending) await this.one(room, change);
    return { memberCount: await this.members.count({ where: { room: room.id, state: "member" } }) };
  }

  private async one(room: StoredRoom, change: Staged<RoomChange>): Promise<void> {
    if (change.type === "room") {
      await this.log(room, { op: "room", changeId: change.id, room: await this.shown(room) });
      return;
    }
    const { user, role } = change;
    const entry: RoomOperation = {
      op: "member",
      changeId: change.id,
      user,
      change: change.change,
      ...(role && { role }),
    };
    if (change.change === "join") {
      const offset = await this.log(room, entry);
      const visibleFrom = room.history === "joined" && room.createdBy !== user ? offset : 0;
      await this.put({ ...record(room, change), role: role ?? "member", visibleFrom });
      return;
    }
    if (endsMembership(change.change))
      await this.put({ ...record(room, change), state: change.change === "ban" ? "banned" : "left" });
    else if (role)
      await this.members.update(memberId(room.id, user), known =>
        known.n < change.n ? { ...known, role, n: change.n } : null,
      );
    await this.log(room, entry);
  }

  /** Replaces the record unless it has seen this change, or a later one. */
  private async put(member: StoredMember): Promise<void> {
    const replace = () => this.members.update(member.id, known => (known.n < member.n ? member : null));
    if (await replace()) return;
    try {
      await this.members.insert(member);
    } catch (error) {
      if (!(error instanceof DuplicateKeyError)) throw error;
      await replace();
    }
  }

  /** Returns the offset; a change that is in the log already keeps the one it got. */
  private async log(room: StoredRoom, entry: RoomOperation): Promise<number> {
    const answer = await this.append({ room: room.id, entry });
    if (!answer.ok) throw new RookeryError(answer.error.code, answer.error.detail);
    return answer.offset;
  }

  /** The room as its log shows it. */
  private async shown(room: StoredRoom): Promise<SharedChannel | Conversation> {
    const data =
      room.kind === "channel" ? toSharedChannel(room) : toConversation(room, await peopleOf(this.members, room.id));
    return { ...data, ...(room.deletedAt !== null && { deletedAt: room.deletedAt }) };
  }
}

/** The record a change makes, the same whoever carries it out. */
const record = (room: StoredRoom, { user, n, since }: MemberUpdate): StoredMember => ({
  id: memberId(room.id, user),
  room: room.id,
  user,
  kind: room.kind,
  state: "member",
  role: "member",
  n,
  joinedAt: new Date(since).toISOString(),
  visibleFrom: 0,
});
