import type { AnyBulkWriteOperation, Collection } from "mongodb";
import type { MongoConnection } from "../../mixins/mongo/connection";
import { upserted } from "../../mixins/mongo/once";
import { GroupCommit } from "./group-commit";
import { againFrom, further, type Mark } from "./marks";
import type { Marks, OwnMarks } from "./message.store";

interface MarkDocument extends Mark {
  /** Room and user. */
  _id: string;
}

interface ThreadMarks {
  joined: number;
  threads: number;
}

/** How far members have got and read, for all rooms of a process: what waits together is one round trip. */
export class MongoMarks {
  private readonly writes = new GroupCommit<Mark, void>(async marks => {
    await this.write(marks);
    return [];
  });
  private readonly looks = new GroupCommit<string, MarkDocument | undefined>(ids => this.find(ids));

  constructor(private readonly connection: MongoConnection) {}

  /** Moves marks forward, never back, whoever else moves them. */
  async advance(marks: readonly Mark[]): Promise<void> {
    await Promise.all(marks.map(mark => this.writes.add(mark)));
  }

  async of(room: string, user: string): Promise<OwnMarks> {
    return ownMarks(await this.looks.add(markId({ room, user })));
  }

  async ofRoom(room: string, users?: readonly string[]): Promise<Marks[]> {
    const _id = users ? { $in: users.map(user => markId({ room, user })) } : { $gt: `${room}:`, $lt: `${room};` };
    const found = await this.connection.read(db => collectionIn(db).find({ _id }, { projection: SHOWN }).toArray());
    return found.map(({ user, read = 0, delivered = 0, joined = 0 }) => ({ user, read, delivered, joined }));
  }

  /** Removes the marks of a room that are not beyond a message. */
  async drop(room: string, seq: number): Promise<void> {
    const notBeyond = { $not: { $gt: seq } };
    const filter = { _id: idsOf(room), read: notBeyond, delivered: notBeyond, private: notBeyond };
    await this.connection.write(db => collectionIn(db).deleteMany(filter));
  }

  async forget(room: string, user: string): Promise<void> {
    await this.connection.write(db => collectionIn(db).deleteOne({ _id: markId({ room, user }) }));
  }

  /** How far members have read in all threads of the room, as others see it. */
  async threadsOf(room: string, users: readonly string[]): Promise<Map<string, number>> {
    const ids = users.map(user => markId({ room, user }));
    const found = await this.connection.read(db =>
      collectionIn(db)
        .find({ _id: { $in: ids } }, { projection: { _id: 0, user: 1, threads: 1 } })
        .toArray(),
    );
    return new Map(found.map(({ user, threads = 0 }) => [user, threads]));
  }

  /** Marks of a user by room; with the offset of his last joining, and how far he has read in all threads. */
  async ofUser(user: string, rooms: readonly string[]): Promise<Map<string, OwnMarks & ThreadMarks>> {
    const ids = rooms.map(room => markId({ room, user }));
    const found = await this.connection.read(db =>
      collectionIn(db)
        .find({ _id: { $in: ids } })
        .toArray(),
    );
    return new Map(
      found.map(mark => {
        const { joined = 0, threads = 0, threadsPrivate = 0 } = mark;
        return [mark.room, { ...ownMarks(mark), joined, threads: Math.max(threads, threadsPrivate) }];
      }),
    );
  }

  private async find(ids: readonly string[]): Promise<(MarkDocument | undefined)[]> {
    const found = await this.connection.read(db =>
      collectionIn(db)
        .find({ _id: { $in: [...new Set(ids)] } })
        .toArray(),
    );
    const byId = new Map(found.map(mark => [mark._id, mark]));
    return ids.map(id => byId.get(id));
  }

  private async write(marks: readonly Mark[]): Promise<void> {
    const furthest = new Map<string, Mark>();
    for (const mark of marks) furthest.set(markId(mark), further(furthest.get(markId(mark)) ?? mark, mark));
    const operations = [...furthest].map(([_id, { room, user, ...parts }]): AnyBulkWriteOperation<MarkDocument> => ({
      // Of two unread marks the one with the higher `n`, its first field, is the greater.
      updateOne: { filter: { _id }, update: { $max: parts, $setOnInsert: { room, user } }, upsert: true },
    }));
    await upserted(() =>
      this.connection.write(db => collectionIn(db).bulkWrite(operations, { ordered: false })).then(() => undefined),
    );
  }
}

const SHOWN = { _id: 0, user: 1, read: 1, delivered: 1, joined: 1 } as const;

function ownMarks(mark: MarkDocument | undefined): OwnMarks {
  const { read = 0, delivered = 0, private: alone = 0 } = mark ?? {};
  return { read, delivered, private: alone, again: mark ? againFrom(mark) : 0 };
}

const idsOf = (room: string) => ({ $gt: `${room}:`, $lt: `${room};` });

const markId = ({ room, user }: { room: string; user: string }): string => `${room}:${user}`;

const collectionIn = (db: MongoConnection["db"]): Collection<MarkDocument> => db.collection("marks");
