import type { Document, Filter } from "mongodb";
import type { MongoConnection } from "../../mixins/mongo/connection";
import { unreadAfter } from "./marks";
import { entriesIn, type EntryDocument } from "./message.entries.mongo";
import type { MongoFloors } from "./message.floors.mongo";
import type { MongoMarks } from "./message.marks.mongo";
import { BRANCHES_AT_ONCE, inGroups, type MongoQueries } from "./message.queries.mongo";
import { EVERYBODY, type Place, type UnreadRow } from "./message.store";
import type { MongoThreads } from "./message.threads.mongo";

/** A room, and the offset up to which a reader sees nothing of it. */
interface Seen {
  room: string;
  visibleFrom: number;
}

/** What is new to a user, in rooms and in threads, put together from marks, ends of logs, and what is an exception. */
export class MongoUnread {
  constructor(
    private readonly connection: MongoConnection,
    private readonly floors: MongoFloors,
    private readonly queries: MongoQueries,
    private readonly marks: MongoMarks,
    private readonly threads: MongoThreads,
  ) {}

  async rows(user: string, rooms: readonly Seen[]): Promise<UnreadRow[]> {
    const ids = rooms.map(({ room }) => room);
    const [heads, marks, hidden, floors, parts] = await Promise.all([
      this.queries.heads(ids),
      this.marks.ofUser(user, ids),
      this.queries.hiddenIn(rooms),
      Promise.all(ids.map(room => this.floors.of(room))),
      this.threads.partsOf(user, ids),
    ]);
    const rows = rooms.map(({ room }, index) => {
      const { read = 0, private: alone = 0, again = 0 } = marks.get(room) ?? {};
      const [lastSeq, readSeq] = [heads.get(room)?.seq ?? 0, Math.max(read, alone, floors[index]?.seq ?? 0)];
      return { room, lastSeq, readSeq, ...unreadAfter(readSeq, again, hidden[index] ?? 0) };
    });
    const unread = rows.filter(({ lastSeq, seen }) => lastSeq > seen);
    const seen = new Map(unread.map(row => [row.room, row.seen]));
    const followed = new Set(parts.map(({ room }) => room));
    const asked = ids.filter(room => seen.has(room) || followed.has(room));
    const out = await this.threads.hiddenOf(
      user,
      asked.map(room => ({ room, seq: followed.has(room) ? 0 : (seen.get(room) ?? 0) })),
    );
    const [counts, hiddenOnes, threads] = await Promise.all([
      this.inRooms(user, unread),
      this.at(
        user,
        out.filter(({ room, seq }) => seq > (seen.get(room) ?? Infinity)),
      ),
      this.repliesFrom(
        rooms.filter(({ room }) => followed.has(room)),
        marks,
      ).then(seenIn => {
        const shown = new Map(rooms.map(({ room }, index) => [room, hidden[index] ?? 0]));
        const mine = parts.filter(({ room, seq }) => seq > (shown.get(room) ?? Infinity));
        return this.threads.unread(user, mine, seenIn, out);
      }),
    ]);
    return rows.map(({ seen: upTo, ...row }) => {
      const { uncounted = 0, mentions = 0 } = counts.get(row.room) ?? {};
      const without = hiddenOnes.get(row.room) ?? { unread: 0, mentions: 0 };
      const news = threads.get(row.room);
      return {
        ...row,
        unread: Math.max(row.lastSeq - upTo - uncounted - without.unread, 0),
        mentions: mentions - without.mentions,
        ...(news !== undefined && { threads: news }),
      };
    });
  }

  /** Up to where a user has no unread replies in whatever thread of a room: he came after them, or has read all of them. */
  async threadsSeen(user: string, room: Seen): Promise<number> {
    return (await this.repliesFrom([room], await this.marks.ofUser(user, [room.room]))).get(room.room) ?? 0;
  }

  /** The same of many rooms. */
  private async repliesFrom(
    rooms: readonly Seen[],
    marks: Awaited<ReturnType<MongoMarks["ofUser"]>>,
  ): Promise<Map<string, number>> {
    const came = await this.queries.hiddenIn(
      rooms.map(({ room, visibleFrom }) => ({
        room,
        visibleFrom: Math.max(visibleFrom, marks.get(room)?.joined ?? 0),
      })),
    );
    return new Map(rooms.map(({ room }, at) => [room, Math.max(came[at] ?? 0, marks.get(room)?.threads ?? 0)]));
  }

  /**
   * Of the messages after `seen`: how many do not count as unread, and how many of the others name the user. Deleted ones
   * and replies in threads do not count, and none of his own: sending moves his mark, so that these are all up to the mark,
   * and there are some only where messages count as unread again.
   */
  private async inRooms(
    user: string,
    rooms: readonly { room: string; seen: number; readSeq: number }[],
  ): Promise<Map<string, { uncounted: number; mentions: number }>> {
    const count = (filter: Filter<EntryDocument>, hint: string, of = rooms, upTo = false) =>
      inGroups(of, BRANCHES_AT_ONCE, group => {
        const $or = group.map(({ room, seen, readSeq }) => {
          return { ...filter, room, seq: { $gt: seen, ...(upTo && { $lte: readSeq }) } };
        });
        const pipeline: Document[] = [{ $match: { ...filter, $or } }, { $group: { _id: "$room", n: { $sum: 1 } } }];
        return this.connection.read(db =>
          entriesIn(db).aggregate<{ _id: string; n: number }>(pipeline, { hint }).toArray(),
        );
      });
    const again = rooms.filter(({ seen, readSeq }) => seen < readSeq);
    const named = { mentions: { $in: [user, EVERYBODY] }, deleted: false, sender: { $ne: user } };
    const [aside, own, mentions] = await Promise.all([
      count({ aside: true }, "aside"),
      count({ kind: "message", sender: user, aside: { $exists: false } }, "seq", again, true),
      count({ ...named, thread: { $exists: false } }, "mentions"),
    ]);
    const byRoom = new Map(rooms.map(({ room }) => [room, { uncounted: 0, mentions: 0 }]));
    for (const { _id, n } of [...aside, ...own]) (byRoom.get(_id) as { uncounted: number }).uncounted += n;
    for (const { _id, n } of mentions) (byRoom.get(_id) as { mentions: number }).mentions = n;
    return byRoom;
  }

  /** Of these messages, by room: those that count as unread for the user, and those of them that name him. */
  private async at(user: string, places: readonly Place[]): Promise<Map<string, { unread: number; mentions: number }>> {
    const found = await inGroups(places, BRANCHES_AT_ONCE, group => {
      const $or = group.map(({ room, seq }) => ({ room, seq }));
      const filter: Filter<EntryDocument> = { kind: "message", deleted: false, thread: { $exists: false }, $or };
      return this.connection.read(db => entriesIn(db).find(filter).toArray());
    });
    const byRoom = new Map<string, { unread: number; mentions: number }>();
    for (const { room, sender, mentions = [] } of found) {
      if (sender === user) continue;
      const counts = byRoom.get(room) ?? { unread: 0, mentions: 0 };
      byRoom.set(room, counts);
      counts.unread++;
      if (mentions.includes(user) || mentions.includes(EVERYBODY)) counts.mentions++;
    }
    return byRoom;
  }
}
