import type { AnyBulkWriteOperation, Collection } from "mongodb";
import type { MongoConnection } from "../../mixins/mongo/connection";
import { upserted } from "../../mixins/mongo/once";
import type { Aside } from "../core/contract";
import { entriesIn, entryId, idsAfter } from "./message.entries.mongo";
import type { MongoFloors } from "./message.floors.mongo";
import { BRANCHES_AT_ONCE, inGroups } from "./message.queries.mongo";
import type { Entry, Place, ThreadPage, Window } from "./message.store";
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
    const hidden = all.flatMap(one => (one.of === "hidden" ? [hiddenOf(one)] : []));
    await Promise.all([this.write(THREADS, parts), this.write(HIDDEN, hidden)]);
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
    { before, after, limit }: Omit<Window, "visibleFrom">,
  ): Promise<{ seq: number; data: string }[]> {
    const bounds = after !== undefined ? { $gt: after } : { $lt: before ?? Number.MAX_SAFE_INTEGER };
    const filter = { room, "thread.root": root, seq: bounds };
    const sort = { seq: after !== undefined ? 1 : -1 } as const;
    const found = await this.connection.read(db => entriesIn(db).find(filter, { sort, limit }).toArray());
    return found.sort((one, other) => one.seq - other.seq).map(({ seq, data }) => ({ seq, data: data ?? "null" }));
  }

  /** Messages that threads began with, the last replied to first, and what the user has of these. */
  async page(
    room: string,
    user: string,
    { skip, limit, visibleFrom }: { skip: number; limit: number; visibleFrom: number },
  ): Promise<ThreadPage> {
    const { floor } = await this.floors.of(room);
    const filter = { room, replied: { $exists: true }, offset: { $gt: Math.max(visibleFrom, floor - 1) } };
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
    const unread = await this.unread(room, user, marks);
    const items = roots.map(({ seq, data }) => ({
      root: data ?? "null",
      unread: unread.get(seq) ?? 0,
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

  async readAll(room: string, users: readonly string[], upTo: number): Promise<void> {
    const operations = users.map((user): AnyBulkWriteOperation<OwnDocument> => {
      const filter = { _id: idsAfter(`${user}:${room}`, 0) };
      return { updateMany: { filter, update: { $max: { read: upTo } } } };
    });
    await this.write(THREADS, operations);
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

  /** Of each room, the messages after a seq that a user has hidden. */
  async hiddenAfter(
    user: string,
    rooms: readonly { room: string; seen: number }[],
  ): Promise<{ room: string; seq: number }[]> {
    // Of these rooms alone: what somebody ever hid is without a bound.
    return inGroups(rooms, BRANCHES_AT_ONCE, group => {
      const $or = group.map(({ room, seen }) => ({ _id: idsAfter(`${user}:${room}`, seen) }));
      return this.connection.read(db =>
        own(db, HIDDEN)
          .find({ $or }, { projection: { room: 1, seq: 1 } })
          .toArray(),
      );
    });
  }

  /** Of messages that have left the log. */
  async clear(room: string, upTo: number): Promise<void> {
    for (const collection of [THREADS, HIDDEN])
      await this.connection.write(db => own(db, collection).deleteMany({ room, seq: { $lte: upTo } }));
  }

  /** Of each thread, replies of others after the mark that are not deleted. */
  private async unread(room: string, user: string, marks: ReadonlyMap<number, number>): Promise<Map<number, number>> {
    if (marks.size === 0) return new Map();
    const $or = [...marks].map(([root, read]) => ({ room, "thread.root": root, seq: { $gt: read } }));
    const pipeline = [
      { $match: { $or, deleted: false, sender: { $ne: user } } },
      { $group: { _id: "$thread.root", n: { $sum: 1 } } },
    ];
    const found = await this.connection.read(db =>
      entriesIn(db).aggregate<{ _id: number; n: number }>(pipeline).toArray(),
    );
    return new Map(found.map(({ _id, n }) => [_id, n]));
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

const hiddenOf = ({ user, room, seq }: Extract<Own, { of: "hidden" }>): AnyBulkWriteOperation<OwnDocument> => ({
  updateOne: { filter: { _id: ownId(user, room, seq) }, update: { $setOnInsert: { room, seq } }, upsert: true },
});

const ownId = (user: string, room: string, seq: number): string => entryId(`${user}:${room}`, seq);

const own = (db: MongoConnection["db"], name: string): Collection<OwnDocument> => db.collection(name);
