import type { AnyBulkWriteOperation, Collection } from "mongodb";
import type { MongoConnection } from "../../mixins/mongo/connection";
import { upserted } from "../../mixins/mongo/once";
import { entryId, idsAfter } from "./message.entries.mongo";
import type { Entry } from "./message.store";
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

const THREADS = "threads";
const HIDDEN = "hidden";

/** What users have of single messages, derived from entries or asked for by themselves. */
export class MongoThreads {
  constructor(private readonly connection: MongoConnection) {}

  /** By room, so that it leaves with the messages. */
  async prepare(): Promise<void> {
    const indexes = [{ name: "room", key: { room: 1, seq: 1 } }];
    for (const collection of [THREADS, HIDDEN])
      await this.connection.prepare((db, options) => db.command({ createIndexes: collection, indexes }, options));
  }

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
    const mine = { $gt: `${user}:`, $lt: `${user};` };
    if (rooms.length === 0) return [];
    const seen = new Map(rooms.map(one => [one.room, one.seen]));
    // All of them by one look: hiding is rare, and rooms are many.
    const found = await this.connection.read(db =>
      own(db, HIDDEN)
        .find({ _id: mine }, { projection: { room: 1, seq: 1 } })
        .toArray(),
    );
    return found.filter(({ room, seq }) => seq > (seen.get(room) ?? Infinity));
  }

  /** Of messages that have left the log. */
  async clear(room: string, upTo: number): Promise<void> {
    for (const collection of [THREADS, HIDDEN])
      await this.connection.write(db => own(db, collection).deleteMany({ room, seq: { $lte: upTo } }));
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
