import type { RoomAccess } from "../core/contract";
import { invalidField, RookeryError } from "../core/errors";
import type { Limits } from "../core/limits";
import type { Unread } from "../core/model";
import type { RoomBus } from "../core/room-bus";
import { readable, type Rooms } from "./access";
import type { MessageStore, OwnMarks, UnreadRow } from "./message.store";
import type { MarkNote, MarkNotes } from "./user-feed";

/** Rooms that one note tells of. */
const TOLD_AT_ONCE = 100;
/** Rooms of one question. */
const ASKED = 1_000;

/**
 * How far somebody has read. A mark is moved by the note of it in his own feed, and stored with it: what his devices are told,
 * in that order, is what is stored. Others are told of what they may know, once it is.
 */
export class Reading {
  constructor(
    private readonly store: MessageStore,
    private readonly notes: MarkNotes,
    private readonly bus: RoomBus,
    private readonly limits: Limits,
    /** Whether others are not to be told how far somebody has read. */
    private readonly discreet: (user: string) => Promise<boolean> = async () => false,
  ) {}

  /** Moves the read mark, never beyond the head; `wanted`: the private one. What he marked as unread is read. */
  async read(rooms: Rooms, user: string, room: string, upTo: number, wanted = false): Promise<void> {
    const [{ access, head, marks }, discreet] = await Promise.all([
      this.standing(rooms, user, room),
      wanted || this.discreet(user),
    ]);
    const alone = discreet || access.blocked === true;
    const seq = Math.min(upTo, head.seq);
    const ends = marks.again > 0;
    const known = alone ? Math.max(marks.read, marks.private) : marks.read;
    if (known >= seq && !ends) return;
    const note: MarkNote = { kind: "read", data: { roomId: room, seq, ...(alone && { private: true }) } };
    const type = alone ? "delivered" : "read";
    const news = marks[type] < seq && !access.large && !access.blocked;
    await this.notes.write(user, note, { ends, ...(news && { told: () => this.tell(room, type, user, seq) }) });
  }

  async delivered(rooms: Rooms, user: string, room: string, upTo: number): Promise<void> {
    const { access, head, marks } = await this.standing(rooms, user, room);
    const seq = Math.min(upTo, head.seq);
    if (marks.delivered >= seq || access.blocked) return;
    const told = () => this.tell(room, "delivered", user, seq);
    await this.notes.write(
      user,
      { kind: "delivered", data: { roomId: room, seq } },
      { ...(!access.large && { told }) },
    );
  }

  /** From a message on all count as unread again, until he reads or sends. Throws INVALID for one too far back, or not there yet. */
  async unreadFrom(rooms: Rooms, user: string, room: string, seq: number): Promise<void> {
    const { head, marks } = await this.standing(rooms, user, room);
    if (seq > head.seq) throw invalidField("seq", "There is no such message.");
    if (head.seq - seq >= this.limits.markUnread)
      throw invalidField("seq", `At most ${this.limits.markUnread} messages back.`);
    if (marks.again === seq) return;
    await this.notes.write(user, { kind: "unread", data: { roomId: room, seq, offset: head.offset } });
  }

  /** Marks as read, up to its head, every room in which something is unread, and all threads of it with it. */
  async readAll(rooms: Rooms, user: string, wanted = false): Promise<void> {
    const discreet = wanted || (await this.discreet(user));
    const memberships = await rooms.memberships(user);
    const silent = new Set(memberships.filter(({ large }) => large).map(({ room }) => room));
    const rows = await this.store.unread(user, memberships);
    const marks = rows
      .filter(({ unread, mentions, threads = 0, unreadFrom }) => unread + mentions + threads > 0 || unreadFrom)
      .map(({ room, lastSeq }) => ({ roomId: room, seq: lastSeq }));
    const blocked = new Set<string>();
    for (let from = 0; from < marks.length; from += ASKED) {
      const asked = marks.slice(from, from + ASKED).map(({ roomId }) => roomId);
      for (const room of await rooms.blocked(user, asked)) blocked.add(room);
    }
    const groups = [
      ...grouped(marks.filter(({ roomId }) => !blocked.has(roomId))).map(group => ({ group, alone: discreet })),
      ...grouped(marks.filter(({ roomId }) => blocked.has(roomId))).map(group => ({ group, alone: true })),
    ];
    await Promise.all(
      groups.map(({ group, alone }) => {
        const type = alone ? "delivered" : "read";
        const loud = group.filter(({ roomId }) => !silent.has(roomId) && !blocked.has(roomId));
        const told = () => loud.forEach(({ roomId, seq }) => this.tell(roomId, type, user, seq));
        const data = { marks: group, ...(alone && { private: true as const }) };
        return this.notes.write(user, { kind: "readAll", data }, { told });
      }),
    );
  }

  async unread(rooms: Rooms, user: string): Promise<{ items: Unread[] }> {
    return { items: (await this.store.unread(user, await rooms.memberships(user))).map(unreadOf) };
  }

  /** Moves the marks of newcomers to the head. May be repeated: what comes meanwhile they have read then, too. */
  async start(room: string, users: readonly string[]): Promise<void> {
    const { offset, seq } = (await this.store.heads([room])).get(room) ?? { offset: 0, seq: 0 };
    const come = { room, read: seq, delivered: seq, own: offset, joined: offset };
    await this.store.advance(users.map(user => ({ ...come, user })));
  }

  /**
   * The same after an import, up to its last message and in threads, too: nobody shall find unread what was said years ago.
   * Feeds are not told: a device finds the marks when it asks.
   */
  async imported(room: string, users: readonly string[], upTo: number): Promise<void> {
    const seq = Math.min(upTo, (await this.store.heads([room])).get(room)?.seq ?? 0);
    await this.store.advance(users.map(user => ({ room, user, read: seq, delivered: seq, threads: seq })));
  }

  /** Of a room of his: where it stands, and he in it. */
  private async standing(
    rooms: Rooms,
    user: string,
    room: string,
  ): Promise<{ access: RoomAccess; head: { offset: number; seq: number }; marks: OwnMarks }> {
    const access = await readable(rooms, user, room, true);
    if (access.role === null) throw new RookeryError("FORBIDDEN", "Join first.");
    const [heads, marks] = await Promise.all([this.store.heads([room]), this.store.markOf(room, user)]);
    return { access, head: heads.get(room) ?? { offset: 0, seq: 0 }, marks };
  }

  private tell(room: string, type: "read" | "delivered", user: string, seq: number): void {
    this.bus.publish({ type: "signal", room, signal: { type, user, seq } });
  }
}

function grouped<T>(all: readonly T[]): T[][] {
  const groups: T[][] = [];
  for (let from = 0; from < all.length; from += TOLD_AT_ONCE) groups.push(all.slice(from, from + TOLD_AT_ONCE));
  return groups;
}

export const unreadOf = ({ room, ...row }: UnreadRow): Unread => ({ roomId: room, ...row });
