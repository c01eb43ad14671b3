import type { AnyBulkWriteOperation, Collection, Document } from "mongodb";
import type { MongoConnection } from "../../mixins/mongo/connection";
import { upserted } from "../../mixins/mongo/once";
import type { Aside } from "../core/contract";
import { entriesIn, entryId, idsAfter } from "./message.entries.mongo";
import type { MongoFloors } from "./message.floors.mongo";
import { BRANCHES_AT_ONCE, inGroups, joined, ROOMS_AT_ONCE } from "./message.queries.mongo";
import { EVERYBODY, type Entry, type Place, type ReadMark, type ThreadPage, type Window } from "./message.store";
import { ownOf, type Own } from "./threads";

/** What one user has of one message of a room: the part he has in its thread, or that it is out of his sight. */
interface OwnDocument {
  /** User, room and seq of the message. */
  _id: string;
  room: string;
  seq: number;
  /** How far he has read the thread. */
  read?: number;
}

/** Part in the thread that began with a message, read up to a seq. */
export interface Part extends Place {
  read: number;
}

/** Each a collection of its own. */
const THREADS: Aside = "threads";
const HIDDEN: Aside = "hidden";

/** By room, so that it leaves with the messages. */
export async function prepareThreads(connection: MongoConnection): Promise<void> {
  const indexes = [{ name: "room", key: { room: 1, seq: 1 } }];
  for (const collection of [THREADS, HIDDEN])
    await connection.prepare((db, options) => db.command({ createIndexes: collection, indexes }, options));
}

/** Threads, and what users have of single messages: derived from entries or asked for by themselves. */
export class MongoThreads {
  constructor(
    private readonly connection: MongoConnection,
    private readonly floors: MongoFloors,
  ) {}

  /** What these entries give users; repeated or late it changes nothing. */
  async advance(room: string, entries: readonly Entry[]): Promise<void> {
    const all = entries.flatMap(entry => ownOf(room, entry));
    const parts = all.flatMap(one => (one.of === "thread" ? [partOf(one)] : []));
    const hidden = all.flatMap(one => (one.of === "hidden" ? [hiding(one)] : []));
    await Promise.all([this.write(THREADS, parts), this.write(HIDDEN, hidden)]);
  }

  async forget(room: string, user: string): Promise<void> {
    const _id = idsAfter(`${user}:${room}`, 0);
    for (const name of [THREADS, HIDDEN]) await this.connection.write(db => own(db, name).deleteMany({ _id }));
  }

  /** Of the threads that began with these messages, how far the user has read those he has part in. */
  async marks(room: string, user: string, roots: readonly number[]): Promise<Map<number, number>> {
    if (roots.length === 0) return new Map();
    const found = await this.connection.read(db =>
      own(db, THREADS)
        .find({ _id: { $in: roots.map(root => ownId(user, room, root)) } })
        .toArray(),
    );
    return new Map(found.map(({ seq, read = 0 }) => [seq, read]));
  }

  async replies(
    room: string,
    root: number,
    { before = Number.MAX_SAFE_INTEGER, after, limit }: Omit<Window, "visibleFrom">,
    hidden: number,
  ): Promise<{ seq: number; data: string }[]> {
    const bounds = after !== undefined ? { $gt: Math.max(after, hidden) } : { $lt: before, $gt: hidden };
    const filter = { room, "thread.root": root, seq: bounds };
    const sort = { seq: after !== undefined ? 1 : -1 } as const;
    const found = await this.connection.read(db => entriesIn(db).find(filter, { sort, limit }).toArray());
    return found.sort((one, other) => one.seq - other.seq).map(({ seq, data }) => ({ seq, data: data ?? "null" }));
  }

  /** Of everybody who has part in a thread, how far he has read it. */
  async marksOf(room: string, root: number): Promise<ReadMark[]> {
    const found = await this.connection.read(db => own(db, THREADS).find({ room, seq: root }).toArray());
    const rest = ownId("", room, root).length;
    return found.map(({ _id, read = 0 }) => ({ user: _id.slice(0, -rest), read }));
  }

  /**
   * Messages that threads began with, the last replied to first, and what the user has of these. `seen`: up to there he has
   * no unread replies in whatever thread.
   */
  async page(
    room: string,
    user: string,
    { skip, limit, visibleFrom, seen }: { skip: number; limit: number; visibleFrom: number; seen: number },
  ): Promise<ThreadPage> {
    const [{ floor }, places] = await Promise.all([this.floors.of(room), this.hiddenOf(user, [{ room, seq: 0 }])]);
    const hidden = places.map(({ seq }) => seq);
    const offset = { $gt: Math.max(visibleFrom, floor - 1) };
    const filter = { room, replied: { $exists: true }, offset, ...(hidden.length > 0 && { seq: { $nin: hidden } }) };
    const [roots, total] = await this.connection.read(db =>
      Promise.all([
        entriesIn(db)
          .find(filter, { sort: { replied: -1 }, skip, limit })
          .toArray(),
        entriesIn(db).countDocuments(filter),
      ]),
    );
    const marks = await this.marks(
      room,
      user,
      roots.map(({ seq }) => seq),
    );
    for (const [root, read] of marks) marks.set(root, Math.max(read, seen));
    const counts = await this.counts(room, user, marks, hidden);
    const items = roots.map(({ seq, data }) => ({
      root: data ?? "null",
      ...(counts.get(seq) ?? { unread: 0, mentions: 0 }),
      readSeq: marks.get(seq) ?? null,
    }));
    return { items, total };
  }

  async aside(
    user: string,
    what: Aside,
    after: Place | undefined,
    limit: number,
  ): Promise<{ room: string; seq: number; read?: number }[]> {
    const _id = { $gt: after ? ownId(user, after.room, after.seq) : `${user}:`, $lt: `${user};` };
    const found = await this.connection.read(db =>
      own(db, what)
        .find({ _id }, { sort: { _id: 1 }, limit })
        .toArray(),
    );
    return found.map(({ room, seq, read = 0 }) => ({ room, seq, ...(what === THREADS && { read }) }));
  }

  async hiddenBy(user: string, room: string, from: number, to: number): Promise<number[]> {
    const range = { ...idsAfter(`${user}:${room}`, from - 1), $lte: ownId(user, room, to) };
    const found = await this.connection.read(db => own(db, HIDDEN).find({ _id: range }).toArray());
    return found.map(({ seq }) => seq).sort((one, other) => one - other);
  }

  async hiddenAmong(user: string, places: readonly { room: string; seq: number }[]): Promise<string[]> {
    const ids = places.map(({ room, seq }) => ownId(user, room, seq));
    const found = await this.connection.read(db =>
      own(db, HIDDEN)
        .find({ _id: { $in: ids } })
        .toArray(),
    );
    return found.map(({ room }) => room);
  }

  /** Messages that a user has hidden behind places: of these alone, since what somebody ever hid is without a bound. */
  hiddenOf(user: string, places: readonly Place[]): Promise<Place[]> {
    return inGroups(places, BRANCHES_AT_ONCE, group => {
      const $or = group.map(({ room, seq }) => ({ _id: idsAfter(`${user}:${room}`, seq) }));
      return this.connection.read(db =>
        own(db, HIDDEN)
          .find({ $or }, { projection: { _id: 0, room: 1, seq: 1 } })
          .toArray(),
      );
    });
  }

  /** Threads that a user has part in, of these rooms at least: all of them by one look, but where one room is asked for. */
  async partsOf(user: string, rooms: readonly string[]): Promise<Part[]> {
    const [room] = rooms;
    if (room === undefined) return [];
    const _id = rooms.length === 1 ? idsAfter(`${user}:${room}`, 0) : { $gt: `${user}:`, $lt: `${user};` };
    const found = await this.connection.read(db => own(db, THREADS).find({ _id }).toArray());
    return found.map(({ room: id, seq, read = 0 }) => ({ room: id, seq, read }));
  }

  /**
   * By room, how many of these threads have replies that are new to the user; `seen`: up to there none are, in whatever
   * thread. What began them tells of most that nothing is new; of the others it is asked whether there is one such reply.
   */
  async unread(
    user: string,
    parts: readonly Part[],
    seen: ReadonlyMap<string, number>,
    hidden: readonly Place[],
  ): Promise<Map<string, number>> {
    const out = new Map<string, number[]>();
    for (const { room, seq } of hidden) out.set(room, [...(out.get(room) ?? []), seq]);
    const threads = parts
      .filter(({ room, seq }) => seen.has(room) && !out.get(room)?.includes(seq))
      .map(({ room, seq, read }) => ({ room, root: seq, read: Math.max(read, seen.get(room) ?? 0) }));
    const kind = "message" as const;
    const began = await inGroups(threads, BRANCHES_AT_ONCE, group => {
      const $or = group.map(({ room, root, read }) => ({ room, kind, seq: root, replied: { $gt: read } }));
      const options = { hint: "seq", projection: { room: 1, seq: 1 } };
      return this.connection.read(db => entriesIn(db).find({ kind, $or }, options).toArray());
    });
    const replied = new Set(began.map(({ room, seq }) => entryId(room, seq)));
    const asked = threads.filter(({ room, root }) => replied.has(entryId(room, root)));
    const found = await inGroups(asked, ROOMS_AT_ONCE, group => {
      const questions = group.map(({ room, root, read }): Document[] => [
        { $match: { ...newTo(user, out.get(room)), room, "thread.root": root, seq: { $gt: read } } },
        { $limit: 1 },
        { $project: { _id: 0, room: 1 } },
      ]);
      return this.connection.read(db => entriesIn(db).aggregate<{ room: string }>(joined(questions)).toArray());
    });
    const byRoom = new Map<string, number>();
    for (const { room } of found) byRoom.set(room, (byRoom.get(room) ?? 0) + 1);
    return byRoom;
  }

  /** Of messages that have left the log. A thread may go on when its beginning has left: who has read of it stays read. */
  async clear(room: string, upTo: number): Promise<void> {
    const left = { room, seq: { $lte: upTo } };
    await this.connection.write(db => own(db, THREADS).deleteMany({ ...left, read: { $not: { $gt: upTo } } }));
    await this.connection.write(db => own(db, HIDDEN).deleteMany(left));
  }

  /** Of each thread the replies that are new to the user, and those of them that name him. */
  private async counts(
    room: string,
    user: string,
    marks: ReadonlyMap<number, number>,
    hidden: readonly number[],
  ): Promise<Map<number, { unread: number; mentions: number }>> {
    if (marks.size === 0) return new Map();
    const $or = [...marks].map(([root, read]) => ({ room, "thread.root": root, seq: { $gt: read } }));
    const named = { $setIntersection: [{ $ifNull: ["$mentions", []] }, [user, EVERYBODY]] };
    const pipeline = [
      { $match: { $and: [{ $or }, newTo(user, hidden)] } },
      {
        $group: {
          _id: "$thread.root",
          unread: { $sum: 1 },
          mentions: { $sum: { $cond: [{ $eq: [named, []] }, 0, 1] } },
        },
      },
    ];
    const found = await this.connection.read(db =>
      entriesIn(db).aggregate<{ _id: number; unread: number; mentions: number }>(pipeline).toArray(),
    );
    return new Map(found.map(({ _id, unread, mentions }) => [_id, { unread, mentions }]));
  }

  private async write(collection: string, operations: AnyBulkWriteOperation<OwnDocument>[]): Promise<void> {
    if (operations.length === 0) return;
    await upserted(async () => {
      await this.connection.write(db => own(db, collection).bulkWrite(operations, { ordered: true }));
    });
  }
}

/** Who has no part in a thread gets none by reading it. */
const partOf = ({
  user,
  room,
  root,
  read,
  begins,
}: Extract<Own, { of: "thread" }>): AnyBulkWriteOperation<OwnDocument> => ({
  updateOne: {
    filter: { _id: ownId(user, room, root) },
    update: { $max: { read }, ...(begins && { $setOnInsert: { room, seq: root } }) },
    upsert: begins,
  },
});

const hiding = ({ user, room, seq }: Extract<Own, { of: "hidden" }>): AnyBulkWriteOperation<OwnDocument> => ({
  updateOne: { filter: { _id: ownId(user, room, seq) }, update: { $setOnInsert: { room, seq } }, upsert: true },
});

/** Replies that count as unread; `hidden`: those he has hidden. */
const newTo = (user: string, hidden: readonly number[] = []) => ({
  deleted: false,
  sender: { $ne: user },
  ...(hidden.length > 0 && { $nor: [{ seq: { $in: [...hidden] } }] }),
});

const ownId = (user: string, room: string, seq: number): string => entryId(`${user}:${room}`, seq);

const own = (db: MongoConnection["db"], name: string): Collection<OwnDocument> => db.collection(name);
