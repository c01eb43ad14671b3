import type { AnyBulkWriteOperation, Collection } from "mongodb";
import type { MongoConnection } from "../../mixins/mongo/connection";
import { upserted } from "../../mixins/mongo/once";
import { GroupCommit } from "./group-commit";
import type { Marks } from "./message.store";

interface MarkDocument extends Marks {
  /** Room and user. */
  _id: string;
  room: string;
}

/** Where a mark shall stand at least. */
export interface Mark extends Marks {
  room: string;
}

/** How far members have got and read, for all rooms of a process: what waits together is one round trip. */
export class MongoMarks {
  private readonly writes = new GroupCommit<Mark, void>(async marks => {
    await this.write(marks);
    return [];
  });
  private readonly looks = new GroupCommit<string, Marks | undefined>(ids => this.find(ids));

  constructor(private readonly connection: MongoConnection) {}

  /** Moves marks forward, never back, whoever else moves them. */
  async advance(marks: readonly Mark[]): Promise<void> {
    await Promise.all(marks.map(mark => this.writes.add(mark)));
  }

  /** Resolves to whether the mark moved. */
  async move(mark: Mark): Promise<boolean> {
    // Repeats are many, and a commit for each would be paid for nothing.
    const known = await this.looks.add(markId(mark));
    if (known && known.read >= mark.read && known.delivered >= mark.delivered) return false;
    await this.advance([mark]);
    return true;
  }

  async of(room: string, user: string): Promise<Omit<Marks, "user">> {
    const { read = 0, delivered = 0 } = (await this.looks.add(markId({ room, user }))) ?? {};
    return { read, delivered };
  }

  ofRoom(room: string): Promise<Marks[]> {
    const filter = { _id: { $gt: `${room}:`, $lt: `${room};` } };
    return this.connection.read(db => collectionIn(db).find(filter, { projection: SHOWN }).toArray());
  }

  /** Read marks of a user by room. */
  async readBy(user: string, rooms: readonly string[]): Promise<Map<string, number>> {
    const found = await this.connection.read(db =>
      collectionIn(db)
        .find({ _id: { $in: rooms.map(room => markId({ room, user })) } }, { projection: { _id: 0, room: 1, read: 1 } })
        .toArray(),
    );
    return new Map(found.map(({ room, read }) => [room, read]));
  }

  private async find(ids: readonly string[]): Promise<(Marks | undefined)[]> {
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
    for (const mark of marks) {
      const { read = 0, delivered = 0 } = furthest.get(markId(mark)) ?? {};
      furthest.set(markId(mark), {
        ...mark,
        read: Math.max(read, mark.read),
        delivered: Math.max(delivered, mark.delivered),
      });
    }
    const operations = [...furthest].map(
      ([_id, { room, user, read, delivered }]): AnyBulkWriteOperation<MarkDocument> => ({
        updateOne: {
          filter: { _id },
          update: { $max: { read, delivered }, $setOnInsert: { room, user } },
          upsert: true,
        },
      }),
    );
    await upserted(() =>
      this.connection.write(db => collectionIn(db).bulkWrite(operations, { ordered: false })).then(() => undefined),
    );
  }
}

const SHOWN = { _id: 0, user: 1, read: 1, delivered: 1 } as const;

const markId = ({ room, user }: { room: string; user: string }): string => `${room}:${user}`;

const collectionIn = (db: MongoConnection["db"]): Collection<MarkDocument> => db.collection("marks");
