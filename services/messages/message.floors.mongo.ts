import type { Collection } from "mongodb";
import type { MongoConnection } from "../../mixins/mongo/connection";
import { upserted } from "../../mixins/mongo/once";
import { GroupCommit } from "./group-commit";
import { entriesIn, entryId, idsBelow } from "./message.entries.mongo";
import { TRIMMED, type Entry } from "./message.store";

/** Where a room's log begins: its first offset, and the messages that have left it. */
export interface Floor {
  floor: number;
  seq: number;
}

interface FloorDocument extends Floor {
  /** The room. */
  _id: string;
}

const WHOLE: Floor = { floor: 1, seq: 0 };

/**
 * The floors of the logs that do not begin at 1. A floor is raised before anything below it is removed, and what is below it
 * is not of the log, whether it is removed yet or not: so also an entry that a late writer put there.
 */
export class MongoFloors {
  private readonly looks = new GroupCommit<string, Floor>(rooms => this.find(rooms));

  constructor(private readonly connection: MongoConnection) {}

  of(room: string): Promise<Floor> {
    return this.looks.add(room);
  }

  /** Raises the floor of a room, or leaves it where it is higher already. */
  async raise(room: string, { floor, seq }: Floor): Promise<void> {
    await upserted(async () => {
      await this.connection.write(db =>
        floorsIn(db).updateOne({ _id: room }, { $max: { floor, seq } }, { upsert: true }),
      );
    });
  }

  /** Removes the first entries below a floor and what belongs to them. Resolves to whether more may be there. */
  async clear(room: string, floor: number): Promise<boolean> {
    const below = await this.connection.read(db =>
      entriesIn(db)
        .find({ _id: idsBelow(room, floor) }, { sort: { _id: 1 }, limit: TRIMMED, projection: { offset: 1 } })
        .toArray(),
    );
    const last = below.at(-1);
    if (!last) return false;
    // Reactions bear the offset of their message, and go first: nothing would lead to them once it is gone.
    await this.connection.write(db =>
      db.collection<{ _id: string }>("reactions").deleteMany({ _id: idsBelow(room, last.offset + 1) }),
    );
    await this.connection.write(db => entriesIn(db).deleteMany({ _id: { ...idsBelow(room, floor), $lte: last._id } }));
    return below.length === TRIMMED;
  }

  /** Drops earlier versions of messages below a floor: they stand at the edits, which may be above it. */
  async forget(room: string, floor: number): Promise<void> {
    const filter = { room, target: { $lt: floor }, version: { $exists: true } };
    await this.connection.write(db => entriesIn(db).updateMany(filter, FORGET, { hint: "version" }));
  }

  /** The same of entries just stored: a message may have left the log while it was edited. */
  async forgetLate(room: string, entries: readonly Entry[]): Promise<void> {
    const edits = entries.filter(({ change }) => change?.version !== undefined);
    if (edits.length === 0) return;
    const { floor } = await this.of(room);
    const late = edits.filter(({ change }) => (change?.offset ?? floor) < floor);
    if (late.length === 0) return;
    const ids = late.map(({ offset }) => entryId(room, offset));
    await this.connection.write(db => entriesIn(db).updateMany({ _id: { $in: ids } }, FORGET));
  }

  private async find(rooms: readonly string[]): Promise<Floor[]> {
    const found = await this.connection.read(db =>
      floorsIn(db)
        .find({ _id: { $in: [...new Set(rooms)] } })
        .toArray(),
    );
    const byRoom = new Map(found.map(({ _id, floor, seq }) => [_id, { floor, seq }]));
    return rooms.map(room => byRoom.get(room) ?? WHOLE);
  }
}

const FORGET = { $unset: { version: 1 as const } };

const floorsIn = (db: MongoConnection["db"]): Collection<FloorDocument> => db.collection("floors");
