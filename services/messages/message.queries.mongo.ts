import type { Document, Filter } from "mongodb";
import type { MongoConnection } from "../../mixins/mongo/connection";
import type { LogHead } from "../core/contract";
import { GONE, type RoomEvent } from "../core/room-bus";
import { keyText } from "./job";
import type { MongoFloors } from "./message.floors.mongo";
import { ENTRIES, entriesIn, entryId, entryOf, idsAfter, messageOf, type EntryDocument } from "./message.entries.mongo";
import {
  eventOf,
  madeAt,
  withinBytes,
  type Entry,
  type FrontEntry,
  type Place,
  type Repeat,
  type StoredMessage,
  type Window,
} from "./message.store";

/** Rooms whose ends are asked for in one round trip: each is a query of its own for the server. */
export const ROOMS_AT_ONCE = 16;
/** Ranges of an index that are: branches of one query. */
export const BRANCHES_AT_ONCE = 100;
/** Documents in one answer of the server while a range is read. */
const DOCUMENTS_AT_ONCE = 100;

type Now = NonNullable<RoomEvent["target"]>;

/**
 * What is read of the rooms' logs. Messages of a room are numbered without a hole, so that each read is a range of `_id` or
 * seq known beforehand: nothing is sorted by the server, and nothing counted that grows with the room.
 */
export class MongoQueries {
  constructor(
    private readonly connection: MongoConnection,
    private readonly floors: MongoFloors,
  ) {}

  async heads(rooms: readonly string[]): Promise<Map<string, LogHead>> {
    const [last, floors] = await Promise.all([this.lasts(rooms), Promise.all(rooms.map(room => this.floors.of(room)))]);
    return new Map(
      rooms.map((room, index) => {
        const { offset = 0, seq = 0 } = last.get(room) ?? {};
        // Both looks are of one time or another; what a floor was is true of a later log too.
        return [room, { offset, seq, floor: Math.max(1, Math.min(floors[index]?.floor ?? 1, offset)) }];
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

  async entryAt(room: string, offset: number): Promise<Entry | undefined> {
    return (await this.find({ _id: entryId(room, offset) })).map(entryOf)[0];
  }

  async events(room: string, from: number, limit: number, maxBytes: number): Promise<RoomEvent[]> {
    const { floor } = await this.floors.of(room);
    const after = Math.max(from, floor - 1);
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
    const [{ floor }, all] = await Promise.all([
      this.floors.of(room),
      this.find({ room, key: { $in: keys.map(keyText) } }),
    ]);
    const found = all.filter(({ offset }) => offset >= floor);
    const now = await this.messagesNow(room, found);
    return found.map(document => {
      const { offset, seq, sender, clientId, hash, data } = entryOf(document);
      const shown = document.kind === "message" ? offset : (document.target ?? offset);
      return { sender, clientId, offset, seq, hash, data: now.get(shown)?.data ?? data ?? GONE };
    });
  }

  async byIds(ids: readonly string[]): Promise<StoredMessage[]> {
    if (ids.length === 0) return [];
    const found = await this.find({ id: { $in: [...new Set(ids)] } });
    const floors = await Promise.all(found.map(({ room }) => this.floors.of(room)));
    return found.filter(({ offset }, index) => offset >= (floors[index]?.floor ?? 1)).map(messageOf);
  }

  /** Entries of one sender by clientId above one; `key` begins with who sent it. */
  async own(
    room: string,
    sender: string,
    after: string,
    limit: number,
  ): Promise<{ documents: EntryDocument[]; next: string | null }> {
    // "!" follows the blank between the two.
    const key = { $gt: keyText({ sender, clientId: after }), $lt: `${sender}!` };
    const options = { sort: { room: 1, key: 1 }, limit, hint: "key" } as const;
    const [{ floor }, found] = await Promise.all([
      this.floors.of(room),
      this.connection.read(db => entriesIn(db).find({ room, key }, options).toArray()),
    ]);
    const next = found.length < limit ? null : (found.at(-1)?.key.slice(sender.length + 1) ?? null);
    return { documents: found.filter(({ offset }) => offset >= floor), next };
  }

  async window(room: string, { before, after, limit, visibleFrom }: Window): Promise<{ seq: number; data: string }[]> {
    if (after !== undefined) {
      const from = Math.max(after, await this.hidden(room, visibleFrom));
      return this.messages(room, from, from + limit);
    }
    const [hidden, { seq: last }] = await Promise.all([this.hidden(room, visibleFrom), this.head(room)]);
    const upTo = Math.min(last, (before ?? Infinity) - 1);
    return this.messages(room, Math.max(upTo - limit, hidden), upTo);
  }

  async page(
    room: string,
    skip: number,
    limit: number,
    visibleFrom: number,
  ): Promise<{ items: string[]; total: number }> {
    const [first, { seq: last }] = await Promise.all([this.hidden(room, visibleFrom), this.head(room)]);
    const hidden = Math.min(first, last);
    const upTo = last - skip;
    const rows = await this.messages(room, Math.max(upTo - limit, hidden), upTo);
    return { items: rows.map(({ data }) => data), total: last - hidden };
  }

  /** Also what is below the floor: it is removed, or was to be. */
  async front(room: string, limit: number): Promise<FrontEntry[]> {
    const projection = { offset: 1, kind: 1, id: 1, sender: 1, key: 1, files: 1, data: 1 };
    const [{ floor }, found] = await Promise.all([
      this.floors.of(room),
      this.connection.read(db =>
        entriesIn(db)
          .find({ _id: idsAfter(room, 0) }, { sort: { _id: 1 }, limit, projection })
          .toArray(),
      ),
    ]);
    return found.map(({ offset, kind, id = null, sender, key, files = [], data }) => {
      const said: unknown = kind === "message" && data !== null ? JSON.parse(data) : null;
      const at = madeAt((said as { createdAt?: unknown } | null)?.createdAt, [id, key.slice(sender.length + 1)]);
      return { offset, kind, id, at: offset < floor ? -Infinity : at, files };
    });
  }

  async shows(file: string, rooms: readonly { room: string; visibleFrom: number }[]): Promise<boolean> {
    // A deleted message has no files any more.
    const floors = await Promise.all(rooms.map(({ room }) => this.floors.of(room)));
    const all = rooms.map(({ room, visibleFrom }, index) => {
      const { floor = 1 } = floors[index] ?? {};
      return { room, offset: { $gt: Math.max(visibleFrom, floor - 1) } };
    });
    const shown = await inGroups(all, ROOMS_AT_ONCE, $or => {
      const options = { hint: "files", limit: 1, projection: { _id: 1 } };
      return this.connection.read(db => entriesIn(db).find({ files: file, $or }, options).toArray());
    });
    return shown.length > 0;
  }

  async messagesAt(places: readonly { room: string; seq: number }[]): Promise<Map<string, string>> {
    const found = await inGroups(places, BRANCHES_AT_ONCE, group => {
      const $or = group.map(({ room, seq }) => ({ room, kind: "message" as const, seq }));
      return this.find({ kind: "message", $or });
    });
    return new Map(found.map(({ room, data }) => [room, data ?? "null"]));
  }

  /** Ids of messages, by room and seq with a blank between them. */
  async idsAt(places: readonly Place[]): Promise<Map<string, string>> {
    const byRoom = new Map<string, number[]>();
    for (const { room, seq } of places) byRoom.set(room, [...(byRoom.get(room) ?? []), seq]);
    const found = await inGroups([...byRoom], BRANCHES_AT_ONCE, group => {
      const $or = group.map(([room, seqs]) => ({ room, kind: "message" as const, seq: { $in: seqs } }));
      const options = { projection: { room: 1, seq: 1, id: 1 } };
      return this.connection.read(db => entriesIn(db).find({ kind: "message", $or }, options).toArray());
    });
    return new Map(found.map(({ room, seq, id = "" }) => [`${room} ${seq}`, id]));
  }

  /** Of each room the last message of the main line within a range of seq, but for those left out. */
  async lastIn(
    places: readonly { room: string; from: number; before: number; without: readonly number[] }[],
  ): Promise<Map<string, string>> {
    const found = await inGroups(places, ROOMS_AT_ONCE, group =>
      this.aggregate<{ room: string; data: string }>(
        joined(
          group.map(({ room, from, before, without }) => [
            {
              $match: {
                room,
                kind: "message",
                seq: { $gte: from, $lt: before, $nin: without },
                thread: { $exists: false },
              },
            },
            { $sort: { seq: -1 } },
            { $limit: 1 },
            { $project: { _id: 0, room: 1, data: 1 } },
          ]),
        ),
      ),
    );
    return new Map(found.map(({ room, data }) => [room, data]));
  }

  /** Of each room, the messages that a reader does not see: seq at an offset, or those that have left; Infinity beyond the log. */
  async hiddenIn(rooms: readonly { room: string; visibleFrom: number }[]): Promise<number[]> {
    const floors = await Promise.all(rooms.map(({ room }) => this.floors.of(room)));
    const inside = rooms.filter(({ visibleFrom }, index) => visibleFrom >= (floors[index]?.floor ?? 1));
    const ids = inside.map(({ room, visibleFrom }) => entryId(room, visibleFrom));
    const found = ids.length === 0 ? [] : await this.find({ _id: { $in: ids } });
    const seqs = new Map(found.map(({ _id, seq }) => [_id, seq]));
    return rooms.map(({ room, visibleFrom }, index) => {
      const { floor, seq } = floors[index] ?? { floor: 1, seq: 0 };
      return visibleFrom < floor ? seq : (seqs.get(entryId(room, visibleFrom)) ?? Infinity);
    });
  }

  async pins(room: string): Promise<string[]> {
    const found = await this.find({ room, pinned: { $exists: true } });
    return found.sort((one, other) => (other.pinned ?? 0) - (one.pinned ?? 0)).map(({ data }) => data ?? "null");
  }

  async versions(room: string, offset: number, limit: number): Promise<string[]> {
    const filter = { room, target: offset, version: { $exists: true } };
    const found = await this.connection.read(db =>
      entriesIn(db)
        .find(filter, { sort: { offset: -1 }, limit, projection: { version: 1 } })
        .toArray(),
    );
    return found.reverse().map(({ version }) => version ?? "null");
  }

  async head(room: string): Promise<{ offset: number; seq: number }> {
    const { offset = 0, seq = 0 } = (await this.lasts([room])).get(room) ?? {};
    return { offset, seq };
  }

  private async hidden(room: string, visibleFrom: number): Promise<number> {
    return (await this.hiddenIn([{ room, visibleFrom }]))[0] as number;
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
      if (target === undefined || !pending || !("data" in pending)) continue;
      const message = messages.get(target);
      if (message && message.state < offset) Object.assign(message, { state: offset, data: pending.data });
    }
    return new Map([...messages].map(([offset, { data }]) => [offset, { offset, data: data ?? "null" }]));
  }

  /** Last entries of rooms; none for an empty log. */
  private async lasts(rooms: readonly string[]): Promise<Map<string, End>> {
    const found = await inGroups(rooms, ROOMS_AT_ONCE, group => {
      const ends = group.map(room => [
        { $match: { _id: idsAfter(room, 0) } },
        { $sort: { _id: -1 } },
        { $limit: 1 },
        { $project: { _id: 0, room: 1, offset: 1, seq: 1 } },
      ]);
      return this.aggregate<End>(joined(ends));
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

/** Many questions about entries as one, with the answers of all. */
export const joined = ([first = [], ...others]: readonly Document[][]): Document[] => [
  ...first,
  ...others.map(pipeline => ({ $unionWith: { coll: ENTRIES, pipeline } })),
];

/** Groups one after the other: one question never fills the connections of all others. */
export async function inGroups<T, R>(
  items: readonly T[],
  size: number,
  ask: (group: T[]) => Promise<R[]>,
): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += size) results.push(...(await ask(items.slice(from, from + size))));
  return results;
}
