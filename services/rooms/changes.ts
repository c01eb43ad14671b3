import { DuplicateKeyError, type Documents } from "../../mixins/documents";
import { StagedChanges, type Staged, type Verdict } from "../../mixins/staged-changes";
import { timestamp, type Clock } from "../core/clock";
import type { AppendAnswer, AppendRequest, RoomOperation } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { Conversation, SharedChannel, UserNote } from "../core/model";
import { runsRoom } from "../core/permissions";
import { endsMembership } from "../core/room-bus";
import { LIMITS } from "../core/limits";
import { Turns, type TurnLimits } from "../core/turns";
import { FOREVER } from "./access";
import { judgeCrossings, type Crossing } from "./crossings";
import { withoutThoseOf } from "./invites";
import {
  isLarge,
  memberId,
  peopleOf,
  sealOf,
  seesAll,
  toChannel,
  toConversation,
  toSharedChannel,
  type RoomChange,
  type StoredMember,
  type StoredRoom,
} from "./room";
import { Succession, type Present } from "./succession";

/** Writes into the logs of rooms: one answer for each request, in order. */
export type Append = (requests: AppendRequest[]) => Promise<AppendAnswer[]>;

/** Of rooms too large for every join to be told. */
export interface LargeRooms {
  /** More members than this. */
  largeRoom: number;
  /** Moves the read marks of newcomers to the room's head, where the entry of a join would have moved them. */
  start(room: string, users: string[]): Promise<unknown>;
}

/** What the changes of rooms are held to. */
interface Bounds {
  groupMembers: number;
  present: Present;
}

const everybody: Present = async users => users;

export type RoomVerdict = Verdict<StoredRoom, RoomChange>;

type MemberUpdate = Extract<Staged<RoomChange>, { type: "member" }>;

const isUpdate = (change: Staged<RoomChange>): change is MemberUpdate => change.type === "member";

/** Members up to which a group's newcomer is told of all the others: what is written for each of them stays small. */
const SHOWN_MEMBERS = 100;

/**
 * Changes of membership and settings: decided in the room's record, then carried out as log entry and membership record, and
 * last as note to those concerned, who then find what they are told of.
 * Rights end before the entry is written and begin after it, so a reader who is let in or cut at the entry's offset is never
 * ahead of the record.
 */
export class RoomChanges {
  private readonly staged: StagedChanges<RoomChange, StoredRoom>;
  /**
   * Requests of this process for one room wait for each other instead of being decided again and again. Who comes and goes by
   * himself waits for those who run the room, and is decided on together with all others.
   */
  private readonly turns: Turns<Crossing>;
  private readonly most: number;
  readonly succession: Succession;

  constructor(
    rooms: Documents<StoredRoom>,
    private readonly members: Documents<StoredMember>,
    private readonly append: Append,
    private readonly clock: Clock,
    private readonly large: LargeRooms,
    { groupMembers = LIMITS.groupMembers, present = everybody, ...limits }: Partial<TurnLimits & Bounds> = {},
  ) {
    this.succession = new Succession(members, clock, present);
    this.most = groupMembers;
    this.staged = new StagedChanges(rooms, room => this.carryOut(room), clock);
    this.turns = new Turns(limits, (id, crossings) => this.crossAll(id, crossings));
  }

  /** Requests that wait for their turn. */
  get waiting(): number {
    return this.turns.waiting;
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
    return this.turns.run(id, () =>
      this.staged.decide(id, async room => {
        const verdict = await judge(room);
        return verdict && withoutLinksOfThoseGone(room, verdict);
      }),
    );
  }

  /** Lets somebody come or go by himself; nothing to do where he is there already. */
  cross(id: string, crossing: Crossing): Promise<void> {
    return this.turns.share(id, crossing, crossing.user);
  }

  /** Finishes what was left half done in a bounded number of rooms. Returns how many were finished. */
  sweep(limit: number, report: (room: string, error: unknown) => void): Promise<number> {
    return this.staged.sweep(limit, report);
  }

  private async crossAll(id: string, crossings: Crossing[]): Promise<(Error | null)[]> {
    let refused: (Error | null)[] = [];
    try {
      await this.staged.decide(id, async room => {
        const ground = { now: timestamp(this.clock), most: this.most };
        const { refused: judged, ...crossed } = await judgeCrossings(
          this.members,
          room,
          crossings,
          ground,
          this.succession,
        );
        refused = judged;
        return crossed.changes.length > 0 ? withoutLinksOfThoseGone(room, crossed) : null;
      });
      return refused;
    } catch (error) {
      return crossings.map((_, at) => refused[at] ?? (error as Error));
    }
  }

  /**
   * In three steps of one append each: what leaves people where they are, who goes, who comes (if that is told); and one for
   * the feeds of all of them. All of it may be repeated.
   */
  private async carryOut(decided: StoredRoom): Promise<Partial<StoredRoom>> {
    const seal = sealOf(decided);
    const room = { ...decided, ...seal };
    const updates = room.pending.filter(isUpdate);
    const staying = updates.filter(({ change }) => change !== "join" && !endsMembership(change));
    const going = updates.filter(({ change }) => endsMembership(change));
    const coming = updates.filter(({ change }) => change === "join");
    const silent = this.tellsJoins(room)
      ? []
      : coming.filter(({ user, by = user, role }) => by === user && role !== "guest");
    const told = coming.filter(update => !silent.includes(update));

    // One after the other: two of one member have their order.
    for (const change of staying) await this.amend(room, change);
    await this.log(room, [...staying, ...room.pending.filter(one => one.type === "room" && (!one.heir || seal))]);

    await this.put(going.map(change => ({ ...record(room, change), ...ending(change) })));
    await this.log(room, going);

    const offsets = await this.log(room, told);
    if (silent.length > 0)
      await this.large.start(
        room.id,
        silent.map(({ user }) => user),
      );
    await this.put([
      ...told.map((change, at) => ({
        ...record(room, change),
        role: change.role ?? "member",
        visibleFrom: readsBack(room, change) ? 0 : (offsets[at] as number),
      })),
      ...silent.map(change => record(room, change)),
    ]);
    const memberCount = await this.members.count({ where: { room: room.id, state: "member" } });
    await this.tell({ ...room, memberCount }, [...staying, ...going, ...coming]);
    return { ...seal, memberCount };
  }

  /**
   * Who comes by himself into a large public channel is no entry: everybody may read there already, so nobody's rights to
   * read change with it, and ten thousand joins would push out of reach what others come back for.
   */
  private tellsJoins(room: StoredRoom): boolean {
    return room.kind !== "channel" || room.isPrivate || !isLarge(room, this.large);
  }

  private async tell(room: StoredRoom, updates: readonly MemberUpdate[]): Promise<void> {
    const entered = updates.some(({ change }) => change === "join");
    const people = entered && room.kind !== "channel" ? await peopleOf(this.members, room.id) : [];
    await this.write(
      updates
        .filter(({ untold }) => !untold)
        .map(update => ({
          room: update.user,
          entry: { op: "user", changeId: update.id, note: noteOf(room, people, update) },
        })),
    );
  }

  private async amend(room: StoredRoom, change: MemberUpdate): Promise<void> {
    const { user, n } = change;
    await this.members.update(memberId(room.id, user), known =>
      known.n < n ? { ...amended(room, known, change), n } : null,
    );
  }

  /** Replaces records, but for the mutes in them, unless they have seen this change, or a later one. */
  private async put(records: readonly StoredMember[]): Promise<void> {
    if (records.length === 0) return;
    const known = new Map((await this.members.getMany(records.map(({ id }) => id))).map(({ id, n }) => [id, n]));
    const replace = (member: StoredMember) =>
      this.members.update(member.id, found => (found.n < member.n ? { ...member, ...voiceOf(found) } : null));
    await Promise.all(
      records.map(async member => {
        const seen = known.get(member.id);
        if (seen !== undefined) return seen < member.n ? replace(member) : null;
        try {
          return await this.members.insert(member);
        } catch (error) {
          if (!(error instanceof DuplicateKeyError)) throw error;
          return replace(member);
        }
      }),
    );
  }

  private async log(room: StoredRoom, changes: readonly Staged<RoomChange>[]): Promise<number[]> {
    const entries = await Promise.all(changes.map(change => this.entry(room, change)));
    return this.write(entries.map(entry => ({ room: room.id, entry })));
  }

  /** Returns the offsets; a change that is in the log already keeps the one it got. */
  private async write(requests: AppendRequest[]): Promise<number[]> {
    if (requests.length === 0) return [];
    return (await this.append(requests)).map(answer => {
      if (!answer.ok) throw new RookeryError(answer.error.code, answer.error.detail);
      return answer.offset;
    });
  }

  private async entry(room: StoredRoom, change: Staged<RoomChange>): Promise<RoomOperation> {
    if (change.type === "room") return { op: "room", changeId: change.id, room: await this.shown(room) };
    const { id, user, role, until, muted } = change;
    return {
      ...{ op: "member", changeId: id, user, change: change.change },
      ...(role && { role }),
      ...(until && { until }),
      ...(muted && { muted }),
    };
  }

  /** The room as its log shows it. */
  private async shown(room: StoredRoom): Promise<SharedChannel | Conversation> {
    const data =
      room.kind === "channel" ? toSharedChannel(room) : toConversation(room, await peopleOf(this.members, room.id));
    return { ...data, ...(room.deletedAt !== null && { deletedAt: room.deletedAt }) };
  }
}

/** What somebody finds in his own feed about a change that concerns him. */
function noteOf(room: StoredRoom, people: string[], { user, change, role, by, until, reason }: MemberUpdate): UserNote {
  const shown = change === "join" && people.length <= SHOWN_MEMBERS;
  return {
    kind: "member",
    data: {
      roomId: room.id,
      change,
      ...(role && { role }),
      ...(by !== undefined && by !== user && { by }),
      ...(until !== undefined && { until }),
      ...(reason !== undefined && { reason }),
      ...(shown && {
        room: room.kind === "channel" ? toChannel(room, role ?? "member") : toConversation(room, people),
      }),
    },
  };
}

/** The record a change makes, the same whoever carries it out. */
const record = (room: StoredRoom, { user, n, since, joinedAt, mutedUntil }: MemberUpdate): StoredMember => ({
  id: memberId(room.id, user),
  room: room.id,
  user,
  kind: room.kind,
  state: "member",
  role: "member",
  n,
  joinedAt: joinedAt ?? new Date(since).toISOString(),
  visibleFrom: 0,
  ...(mutedUntil !== undefined && { mutedUntil }),
});

/** What a record becomes that its user keeps. */
function amended(room: StoredRoom, known: StoredMember, update: MemberUpdate): StoredMember {
  const { change, role = known.role, until = FOREVER, inherits = false } = update;
  switch (change) {
    case "role": {
      const grown = known.role === "guest" && role !== "guest" && !inherits && seesAll(room);
      return { ...known, role, ...(grown && { visibleFrom: 0 }) };
    }
    case "mute":
      return { ...known, mutedUntil: until, mute: groundsOf(update) };
    case "unmute": {
      const { mutedUntil: _until, mute: _mute, ...rest } = known;
      return rest;
    }
    case "unban": {
      const { bannedUntil: _until, ban: _ban, ...rest } = known;
      return { ...rest, state: "left" };
    }
    default:
      return known;
  }
}

const ending = (update: MemberUpdate): Pick<StoredMember, "state" | "bannedUntil" | "ban"> =>
  update.change === "ban"
    ? { state: "banned", bannedUntil: update.until ?? FOREVER, ban: groundsOf(update) }
    : { state: "left" };

const groundsOf = ({ by, since, reason }: MemberUpdate): NonNullable<StoredMember["ban"]> => ({
  by: by ?? null,
  at: new Date(since).toISOString(),
  ...(reason !== undefined && { reason }),
});

const voiceOf = ({ mutedUntil, mute }: StoredMember): Pick<StoredMember, "mutedUntil" | "mute"> => ({
  ...(mutedUntil !== undefined && { mutedUntil }),
  ...(mute && { mute }),
});

/**
 * Whether a newcomer reads what was said before him. Those a room begins with do; so do those who run it and were brought in
 * with it from elsewhere, where others may not have seen it all.
 */
function readsBack(room: StoredRoom, { n, role, joinedAt }: MemberUpdate): boolean {
  if (room.version === room.pending.length && n <= room.pending.length) return true;
  if (joinedAt !== undefined && runsRoom(role)) return true;
  return role !== "guest" && seesAll(room);
}

/** Links end with the right to make them. */
function withoutLinksOfThoseGone(room: StoredRoom, verdict: RoomVerdict): RoomVerdict {
  const gone = verdict.changes.flatMap(change =>
    change.type === "member" && (endsMembership(change.change) || (change.role && !runsRoom(change.role)))
      ? change.user
      : [],
  );
  const invites = verdict.edit?.invites ?? room.invites ?? [];
  const left = withoutThoseOf(invites, new Set(gone));
  return left.length < invites.length ? { ...verdict, edit: { ...verdict.edit, invites: left } } : verdict;
}
