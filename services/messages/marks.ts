import type { UserNote } from "../core/model";
import { memberOf } from "./member-entry";
import type { Entry } from "./message.store";

/** Says that messages count as unread again, or that none do any more. */
export interface UnreadMark {
  /** Number of the note in his feed that said so: of two the later note stands, whichever is stored last. */
  n: number;
  /** Seq of the first of them; 0: none. */
  from: number;
  /** Offset of the room's last entry when he said so: a message or joining of his beyond it ends it. */
  at: number;
}

/**
 * How far a member is, or what an entry makes of it. Every part only grows, so that what entries do to marks may be done
 * twice, late, and in any order.
 */
export interface Mark {
  room: string;
  user: string;
  read?: number;
  delivered?: number;
  /** Read, for himself alone. */
  private?: number;
  /** Offset of his last message or joining. */
  own?: number;
  /** Offset of his last joining. */
  joined?: number;
  /** Read in all threads of the room, and the same for himself alone. */
  threads?: number;
  threadsPrivate?: number;
  unread?: UnreadMark;
}

const NUMBERS = ["read", "delivered", "private", "own", "joined", "threads", "threadsPrivate"] as const;

/** Two marks of a user in a room as one. */
export function further(one: Mark, other: Mark): Mark {
  const mark: Mark = { ...one };
  for (const part of NUMBERS) {
    const at = Math.max(one[part] ?? 0, other[part] ?? 0);
    if (at > 0) mark[part] = at;
  }
  if ((other.unread?.n ?? 0) > (one.unread?.n ?? 0)) mark.unread = other.unread;
  return mark;
}

/** From where on messages count as unread again, 0 if he has sent, or come, since he said so. */
export const againFrom = ({ own = 0, unread }: Pick<Mark, "own" | "unread">): number =>
  unread && own <= unread.at ? unread.from : 0;

/** Of a room's unread messages: where they begin. `again`: before the mark, from there on. */
export function unreadAfter(readSeq: number, again: number, hidden: number): { seen: number; unreadFrom?: number } {
  const seen = Math.max(again > 0 ? Math.min(again - 1, readSeq) : readSeq, hidden);
  return { seen, ...(seen < readSeq && { unreadFrom: seen + 1 }) };
}

/**
 * What entries do to marks. One's own message and one's joining move the read mark: of a batch, the last such entry of each
 * user carries it. The notes of a user's feed, of which `room` is the id, move what they tell of.
 */
export function marksOf(room: string, entries: readonly Entry[]): Map<Entry, Mark[]> {
  const last = new Map<string, { entry: Entry; mark: Mark }>();
  const marks = new Map<Entry, Mark[]>();
  for (const entry of entries) {
    const { kind, seq, offset, sender, data } = entry;
    if (kind === "user" && data !== null) marks.set(entry, marksOfNote(room, offset, JSON.parse(data) as UserNote));
    const come = joined(entry);
    // Who replies in a thread need not have seen what is new in the room.
    const user = kind === "message" && !entry.thread ? sender : come;
    if (user === undefined) continue;
    const mark: Mark = { room, user, read: seq, delivered: seq, own: offset, ...(come && { joined: offset }) };
    last.set(user, { entry, mark: further(last.get(user)?.mark ?? mark, mark) });
  }
  for (const { entry, mark } of last.values()) marks.set(entry, [mark]);
  return marks;
}

function marksOfNote(user: string, n: number, { kind, data }: UserNote): Mark[] {
  const unread: UnreadMark = { n, from: 0, at: 0 };
  const reading = (roomId: string, seq: number, alone = false): Mark => ({
    room: roomId,
    user,
    delivered: seq,
    unread,
    ...(alone ? { private: seq } : { read: seq }),
  });
  switch (kind) {
    case "read":
      return [reading(data.roomId, data.seq, data.private)];
    case "readAll":
      return data.marks.map(({ roomId, seq }) => ({
        ...reading(roomId, seq, data.private),
        ...(data.private ? { threadsPrivate: seq } : { threads: seq }),
      }));
    case "delivered":
      return [{ room: data.roomId, user, delivered: data.seq }];
    case "unread":
      return [{ room: data.roomId, user, unread: { n, from: data.seq, at: data.offset } }];
    case "member":
    case "thread":
    case "hide":
    case "friend":
    case "block":
    case "preferences":
      return [];
  }
}

function joined({ kind, data }: Entry): string | undefined {
  const member = kind === "member" && data !== null ? memberOf(data) : undefined;
  return member?.change === "join" ? member.user : undefined;
}
