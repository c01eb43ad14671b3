import type { AnyBulkWriteOperation, Collection } from "mongodb";
import type { MongoConnection } from "../../mixins/mongo/connection";
import { upserted } from "../../mixins/mongo/once";
import { GroupCommit } from "./group-commit";
import { byRoom, entriesIn, entryId, owes, type EntryDocument } from "./message.entries.mongo";
import type { Entry, MessageChange } from "./message.store";

/** Who reacted with what, as the last entry about it says. Kept when taken back, so that a late repeat brings nothing back. */
interface ReactionDocument {
  /** Room, offset of the message, user and emoji. */
  _id: string;
  emoji: string;
  user: string;
  /** Twice the offset of that entry, and one more if it is there. Grows only: `$max` decides, and its order is theirs. */
  state: number;
}

type Changing = Entry & { change: MessageChange };

/** Does all that follows from entries. */
type Finish = (room: string, entries: readonly Entry[]) => Promise<void>;

/** A deletion that has kept what was said, since its room was on hold. */
const KEPT = { kind: "delete", version: { $exists: true } } as const;

/** Milliseconds between looks for changes that nobody finished. */
const SWEEP = 1_000;
/** Changes finished by one look. */
const SWEPT = 256;

/**
 * What entries do to earlier messages. The entry is the commit; this is derived from it, stands in it as pending until it is
 * applied, and may be applied twice, late or by two nodes at once: the message keeps the offset of its last change.
 */
export class MongoChanges {
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | null = null;
  private seen = new Set<string>();
  /** Entries whose users have what they give them. */
  private readonly given = new GroupCommit<string, void>(async ids => {
    const all = { _id: { $in: ids } };
    await this.connection.write(db => entriesIn(db).updateMany(all, { $unset: { pending: 1 } }));
    return [];
  });

  constructor(private readonly connection: MongoConnection) {}

  /** Finishes, from now on, what stays pending from one look to the next. */
  sweepAlways(finish: Finish): void {
    this.timer = setInterval(() => {
      // The next look is soon, and reads do not depend on it.
      this.looking ??= this.sweep(finish)
        .catch(() => undefined)
        .finally(() => (this.looking = null));
    }, SWEEP).unref();
  }

  /** No message of the room counts as naming the user any more; what it says stays as it is. */
  async unname(room: string, user: string): Promise<void> {
    await this.connection.write(db =>
      entriesIn(db).updateMany({ mentions: user, room }, { $pull: { mentions: user } }, { hint: "mentions" }),
    );
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  /** Resolves when the messages show what the entries did to them, and the entries no longer hold it. */
  async apply(room: string, entries: readonly Entry[]): Promise<void> {
    const changing = entries.filter((entry): entry is Changing => entry.change !== undefined);
    if (changing.length === 0) return;
    await this.react(room, changing);
    const messages = changing.flatMap(entry => updatesOf(room, entry));
    const applied = changing.map(({ offset }): AnyBulkWriteOperation<EntryDocument> => ({
      updateOne: { filter: { _id: entryId(room, offset) }, update: { $unset: { pending: 1 } } },
    }));
    await this.connection.write(db => entriesIn(db).bulkWrite([...messages, ...applied], { ordered: true }));
  }

  /** Says that users have what these entries give them. Nobody waits for it: giving it once more changes nothing. */
  settled(room: string, entries: readonly Entry[]): void {
    for (const entry of entries)
      if (owes(room, entry)) this.given.add(entryId(room, entry.offset)).catch(() => undefined);
  }

  /** The next room from behind `after` where a deletion has kept what was said. */
  async nextKeeping(after: string): Promise<string | null> {
    const options = { sort: { room: 1 }, limit: 1, projection: { room: 1 }, hint: "kept" } as const;
    const [found] = await this.connection.read(db =>
      entriesIn(db)
        .find({ ...KEPT, room: { $gt: after } }, options)
        .toArray(),
    );
    return found?.room ?? null;
  }

  /** First what led to the text that was deleted, then that: as long as it stands, it leads to the rest. */
  async dropKept(room: string, limit: number): Promise<boolean> {
    const kept = await this.connection.read(db =>
      entriesIn(db)
        .find({ ...KEPT, room }, { limit, projection: { target: 1 }, hint: "kept" })
        .toArray(),
    );
    if (kept.length === 0) return false;
    const targets = kept.flatMap(({ target }) => target ?? []);
    const earlier = { room, target: { $in: targets }, kind: "edit" as const, version: { $exists: true } };
    const found = await this.connection.read(db =>
      entriesIn(db)
        .find(earlier, { limit, projection: { _id: 1 } })
        .toArray(),
    );
    const now = found.length > 0 ? found : kept;
    const ids = now.map(({ _id }) => _id);
    await this.connection.write(db => entriesIn(db).updateMany({ _id: { $in: ids } }, { $unset: { version: 1 } }));
    return found.length > 0 || kept.length === limit;
  }

  /** Users per emoji of a message, in the order they came. */
  async reactions(room: string, offset: number): Promise<{ emoji: string; user: string }[]> {
    const found = await this.connection.read(db =>
      reactionsIn(db)
        .find({ _id: reactionsTo(room, offset) })
        .toArray(),
    );
    return found
      .filter(({ state }) => state % 2 === 1)
      .sort((one, other) => one.state - other.state)
      .map(({ emoji, user }) => ({ emoji, user }));
  }

  /** Of entries about reactions those that made one which stands. */
  async standing(room: string, entries: readonly EntryDocument[]): Promise<Set<EntryDocument>> {
    const byId = new Map(
      entries.flatMap(entry => {
        if (entry.kind !== "reaction" || entry.target === undefined || entry.data === null) return [];
        const { emoji } = JSON.parse(entry.data) as { emoji: string };
        return [[`${reactionId(room, entry.target, entry.sender, emoji)} ${2 * entry.offset + 1}`, entry] as const];
      }),
    );
    if (byId.size === 0) return new Set();
    const ids = [...new Set([...byId.keys()].map(key => key.slice(0, key.lastIndexOf(" "))))];
    const found = await this.connection.read(db =>
      reactionsIn(db)
        .find({ _id: { $in: ids } })
        .toArray(),
    );
    return new Set(found.flatMap(({ _id, state }) => byId.get(`${_id} ${state}`) ?? []));
  }

  /** One look: what was pending at the last one too is finished. Others are still at the rest. */
  private async sweep(finish: Finish): Promise<void> {
    const found = await this.connection.read(db =>
      entriesIn(db)
        .find({ pending: { $exists: true } })
        .hint("pending")
        .limit(SWEPT)
        .toArray(),
    );
    const left = found.filter(({ _id }) => this.seen.has(_id));
    this.seen = new Set(found.map(({ _id }) => _id));
    for (const [room, entries] of byRoom(left)) await finish(room, entries);
  }

  private async react(room: string, entries: readonly Changing[]): Promise<void> {
    const operations = entries.flatMap(({ offset, change }): AnyBulkWriteOperation<ReactionDocument>[] => {
      const { reaction, deleted, offset: target } = change;
      if (deleted) return [{ deleteMany: { filter: { _id: reactionsTo(room, target) } } }];
      if (!reaction) return [];
      const { emoji, user, on } = reaction;
      const update = { $max: { state: 2 * offset + (on ? 1 : 0) }, $setOnInsert: { emoji, user } };
      const filter = { _id: reactionId(room, target, user, emoji) };
      return [{ updateOne: { filter, update, upsert: true } }];
    });
    if (operations.length === 0) return;
    await upserted(async () => {
      await this.connection.write(db => reactionsIn(db).bulkWrite(operations, { ordered: true }));
    });
  }
}

/** Only forward: a change that is applied again, or after a later one, meets no message. */
function updatesOf(
  room: string,
  { offset: state, seq, thread, change }: Changing,
): AnyBulkWriteOperation<EntryDocument>[] {
  const { offset, data, deleted = false, pinned, mentions, version } = change;
  const gone = {
    ...(deleted && { mentions: 1 as const, files: 1 as const }),
    ...(mentions?.length === 0 && { mentions: 1 as const }),
    ...((deleted || pinned === false) && { pinned: 1 as const }),
  };
  const now = {
    ...{ data, state, deleted },
    ...(deleted && { aside: true as const }),
    ...(pinned && { pinned: state }),
    ...(mentions?.length && { mentions: [...mentions] }),
    ...(thread && { replied: seq }),
  };
  const filter = { _id: entryId(room, offset), state: { $lt: state } };
  const update = { $set: now, ...(Object.keys(gone).length > 0 && { $unset: gone }) };
  const versions = { room, target: offset, version: { $exists: true } };
  return [
    { updateOne: { filter, update } },
    ...(deleted && version === undefined
      ? [{ updateMany: { filter: versions, update: { $unset: { version: 1 as const } } } }]
      : []),
  ];
}

const reactionId = (room: string, target: number, user: string, emoji: string): string =>
  `${entryId(room, target)}:${user}:${emoji}`;

const reactionsTo = (room: string, offset: number) => ({
  $gt: `${entryId(room, offset)}:`,
  $lt: `${entryId(room, offset)};`,
});

const reactionsIn = (db: MongoConnection["db"]): Collection<ReactionDocument> => db.collection("reactions");
