import type { Collection, Document, Filter } from "mongodb";
import type { MongoConnection } from "../../mixins/mongo/connection";
import type { LogHead } from "../core/contract";
import type { RoomEvent } from "../core/room-bus";
import { keyText } from "./job";
import { entryId, entryOf, idsAfter, messageOf, type EntryDocument } from "./message.entries.mongo";
import { eventOf, withinBytes, type Entry, type Repeat, type StoredMessage, type Window } from "./message.store";

/** Rooms whose ends are asked for in one round trip: each is a query of its own for the server. */
const ROOMS_AT_ONCE = 16;
/** Documents in one answer of the server while a range is read. */
const DOCUMENTS_AT_ONCE = 100;

type Now = NonNullable<RoomEvent["target"]>;

/**
 * What is read of the rooms' logs. Messages of a room are numbered without a hole, so that each read is a range of `_id` or
 * seq known beforehand: nothing is sorted or counted by the server.
 */
export class MongoQueries {
  constructor(private readonly connection: MongoConnection) {}

  async heads(rooms: readonly string[]): Promise<Map<string, LogHead>> {
    const [last, first] = await Promise.all([this.ends(rooms, -1), this.firsts(rooms)]);
    return new Map(
      rooms.map(room => {
        const { offset = 0, seq = 0 } = last.get(room) ?? {};
        return [room, { offset, seq, floor: first.get(room)?.offset ?? 1 }];
      }),
    );
  }

  /** The entries of the room's last batch, in order. */
  async lastBatch(room: string): Promise<Entry[]> {
    const last = (await this.find({ _id: idsAfter(room, 0) }, -1, 1))[0];
    if (!last) return [];
    const batch = last.batch < last.offset ? await this.find({ _id: idsAfter(room, last.batch - 1) }, 1) : [last];
    return batch.map(entryOf);
  }

  async entries(room: string, after: number, limit: number): Promise<Entry[]> {
    return (await this.find({ _id: idsAfter(room, after) }, 1, limit)).map(entryOf);
  }

  async events(room: string, after: number, limit: number, maxBytes: number): Promise<RoomEvent[]> {
    const documents = await this.connection.read(async db => {
      const found: EntryDocument[] = [];
      let bytes = 0;
      const cursor = entriesIn(db).find({ _id: idsAfter(room, after) }, { sort: { _id: 1 }, limit });
      for await (const document of cursor.batchSize(DOCUMENTS_AT_ONCE)) {
        found.push(document);
        bytes += document.data?.length ?? 0;
        if (bytes > maxBytes) break;
      }
      return found;
    });
    const now = await this.messagesNow(room, documents);
    const events = documents.map(document => {
      const message = now.get(document.offset)?.data ?? document.data;
      return eventOf({ ...entryOf(document), data: message }, now.get(document.target ?? 0));
    });
    return withinBytes(events, maxBytes);
  }

  async repeats(room: string, keys: readonly { sender: string; clientId: string }[]): Promise<Repeat[]> {
    if (keys.length === 0) return [];
    const found = await this.find({ room, key: { $in: keys.map(keyText) } });
    const now = await this.messagesNow(room, found);
    return found.map(document => {
      const { offset, seq, sender, clientId, hash, data } = entryOf(document);
      return { sender, clientId, offset, seq, hash, data: now.get(document.target ?? offset)?.data ?? data ?? "null" };
    });
  }

  async byIds(ids: readonly string[]): Promise<StoredMessage[]> {
    if (ids.length === 0) return [];
    return (await this.find({ id: { $in: [...new Set(ids)] } })).map(messageOf);
  }

  async window(room: string, { before, after, limit, visibleFrom }: Window): Promise<{ seq: number; data: string }[]> {
    if (after !== undefined) {
      const from = Math.max(after, (await this.before(room, visibleFrom)) ?? Infinity);
      return this.messages(room, from, from + limit);
    }
    const [hidden, { seq: last }] = await Promise.all([this.before(room, visibleFrom), this.head(room)]);
    const upTo = Math.min(last, (before ?? Infinity) - 1);
    return this.messages(room, Math.max(upTo - limit, hidden ?? Infinity), upTo);
  }

  async page(
    room: string,
    skip: number,
    limit: number,
    visibleFrom: number,
  ): Promise<{ items: string[]; total: number }> {
    const [first, { seq: last }] = await Promise.all([this.before(room, visibleFrom), this.head(room)]);
    const hidden = first ?? last;
    const upTo = last - skip;
    const rows = await this.messages(room, Math.max(upTo - limit, hidden), upTo);
    return { items: rows.map(({ data }) => data), total: last - hidden };
  }

  async shows(file: string, rooms: readonly { room: string; visibleFrom: number }[]): Promise<boolean> {
    // A deleted message has no files any more.
    const shown = await inGroups(rooms, ROOMS_AT_ONCE, group => {
      const places = group.map(({ room, visibleFrom }) => ({ room, offset: { $gt: visibleFrom } }));
      const options = { hint: "files", limit: 1, projection: { _id: 1 } };
      return this.connection.read(db => entriesIn(db).find({ files: file, $or: places }, options).toArray());
    });
    return shown.length > 0;
  }

  /** Messages after a seq and an offset that are neither the user's nor deleted, and how many of them name him. */
  async unread(
    user: string,
    rooms: readonly { room: string; after: number; visibleFrom: number }[],
  ): Promise<Map<string, { unread: number; mentions: number }>> {
    const counts = await inGroups(rooms, ROOMS_AT_ONCE, group =>
      this.aggregate<{ _id: string; unread: number; mentions: number }>([
        {
          $match: {
            kind: "message",
            $or: group.map(({ room, after, visibleFrom }) => ({
              room,
              seq: { $gt: after },
              offset: { $gt: visibleFrom },
              sender: { $ne: user },
              deleted: false,
            })),
          },
        },
        {
          $group: {
            _id: "$room",
            unread: { $sum: 1 },
            mentions: { $sum: { $cond: [{ $in: [user, { $ifNull: ["$mentions", []] }] }, 1, 0] } },
          },
        },
      ]),
    );
    return new Map(counts.map(({ _id, ...count }) => [_id, count]));
  }

  async head(room: string): Promise<{ offset: number; seq: number }> {
    const { offset = 0, seq = 0 } = (await this.ends([room], -1)).get(room) ?? {};
    return { offset, seq };
  }

  /** Seq before the first message above an offset; null if there is no entry above it. */
  private async before(room: string, visibleFrom: number): Promise<number | null> {
    const [first] = await this.find({ _id: idsAfter(room, visibleFrom) }, 1, 1);
    return first ? first.seq - (first.kind === "message" ? 1 : 0) : null;
  }

  /** Messages above one seq up to another, oldest first. */
  private async messages(room: string, after: number, upTo: number): Promise<{ seq: number; data: string }[]> {
    if (!(after < upTo)) return [];
    const found = await this.find({ room, kind: "message", seq: { $gt: after, $lte: upTo } });
    return found.sort((one, other) => one.seq - other.seq).map(({ seq, data }) => ({ seq, data: data ?? "null" }));
  }

  /**
   * Messages that these entries change, by offset, as they are now: also by those changes whose writer has stored but not
   * yet applied them.
   */
  private async messagesNow(room: string, documents: readonly EntryDocument[]): Promise<Map<number, Now>> {
    const targets = new Set(documents.flatMap(({ target }) => target ?? []));
    if (targets.size === 0) return new Map();
    const found = await this.find({ _id: { $in: [...targets].map(offset => entryId(room, offset)) } });
    const messages = new Map(found.map(message => [message.offset, message]));
    for (const { offset, target, pending } of documents) {
      const message = target !== undefined && pending && messages.get(target);
      if (message && message.state < offset) Object.assign(message, { state: offset, data: pending.data });
    }
    return new Map([...messages].map(([offset, { data }]) => [offset, { offset, data: data ?? "null" }]));
  }

  /** Where the rooms' logs begin. Nearly all begin at 1, and that is one look for all of them. */
  private async firsts(rooms: readonly string[]): Promise<Map<string, End>> {
    const ids = rooms.map(room => entryId(room, 1));
    const options = { projection: { _id: 0, room: 1, offset: 1, seq: 1 } } as const;
    const whole = await this.connection.read(db =>
      entriesIn(db)
        .find<End>({ _id: { $in: ids } }, options)
        .toArray(),
    );
    const first = new Map(whole.map(end => [end.room, end]));
    const others = await this.ends(
      rooms.filter(room => !first.has(room)),
      1,
    );
    return new Map([...first, ...others]);
  }

  /** First (1) or last (-1) entries of rooms; none for an empty log. */
  private async ends(rooms: readonly string[], direction: 1 | -1): Promise<Map<string, End>> {
    const found = await inGroups(rooms, ROOMS_AT_ONCE, group => {
      const [first = [], ...others] = group.map(room => [
        { $match: { _id: idsAfter(room, 0) } },
        { $sort: { _id: direction } },
        { $limit: 1 },
        { $project: { _id: 0, room: 1, offset: 1, seq: 1 } },
      ]);
      const more = others.map(pipeline => ({ $unionWith: { coll: "entries", pipeline } }));
      return this.aggregate<End>([...first, ...more]);
    });
    return new Map(found.map(end => [end.room, end]));
  }

  private aggregate<T extends Document>(pipeline: Document[]): Promise<T[]> {
    return this.connection.read(db => entriesIn(db).aggregate<T>(pipeline).toArray());
  }

  private find(filter: Filter<EntryDocument>, direction?: 1 | -1, limit?: number): Promise<EntryDocument[]> {
    const options = { ...(direction && { sort: { _id: direction } }), ...(limit && { limit }) } as const;
    return this.connection.read(db => entriesIn(db).find(filter, options).toArray());
  }
}

interface End {
  room: string;
  offset: number;
  seq: number;
}

/** Groups one after the other: one question never fills the connections of all others. */
async function inGroups<T, R>(items: readonly T[], size: number, ask: (group: T[]) => Promise<R[]>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += size) results.push(...(await ask(items.slice(from, from + size))));
  return results;
}

const entriesIn = (db: MongoConnection["db"]): Collection<EntryDocument> => db.collection("entries");
