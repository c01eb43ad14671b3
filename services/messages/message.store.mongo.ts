import { randomBytes } from "node:crypto";
import type { MongoConnection } from "../../mixins/mongo/connection";
import { keptOnce } from "../../mixins/mongo/once";
import { StorageError } from "../../mixins/storage-errors";
import type { Aside, AsideEntry, LogHead } from "../core/contract";
import type { RoomEvent, RoomHead } from "../core/room-bus";
import { marksOf, type Mark } from "./marks";
import { MongoChanges } from "./message.changes.mongo";
import { documentOf, ENTRIES, ENTRY_INDEXES, entryOf } from "./message.entries.mongo";
import { MongoFloors } from "./message.floors.mongo";
import { MongoInserts } from "./message.inserts.mongo";
import { MongoMarks } from "./message.marks.mongo";
import { MongoQueries } from "./message.queries.mongo";
import { MongoThreads, prepareThreads } from "./message.threads.mongo";
import { MongoUnread } from "./message.unread.mongo";
import {
  MISSED,
  type AppendResult,
  type Entry,
  type FrontEntry,
  type Marks,
  type MessageStore,
  type OwnMarks,
  type OwnSlice,
  type Place,
  type ReadMark,
  type Repeat,
  type StoredMessage,
  type Takeover,
  type ThreadPage,
  type UnreadRow,
  type Window,
} from "./message.store";

/**
 * The room logs in MongoDB, written by many nodes. An insert of entries in order is the commit; messages, reactions and marks
 * follow from it, and follow again if the node died in between. Needs no transaction, collation or change stream.
 */
export class MongoMessageStore implements MessageStore {
  private readonly inserts: MongoInserts;
  private readonly floors: MongoFloors;
  private readonly queries: MongoQueries;
  private readonly changes: MongoChanges;
  private readonly readers: MongoMarks;
  private readonly own: MongoThreads;
  private readonly news: MongoUnread;

  private constructor(
    private readonly connection: MongoConnection,
    readonly epoch: string,
    onCommit: (ms: number) => void,
  ) {
    this.inserts = new MongoInserts(connection, onCommit);
    this.floors = new MongoFloors(connection);
    this.queries = new MongoQueries(connection, this.floors);
    this.changes = new MongoChanges(connection);
    this.readers = new MongoMarks(connection);
    this.own = new MongoThreads(connection, this.floors);
    this.news = new MongoUnread(connection, this.floors, this.queries, this.readers, this.own);
    this.changes.sweepAlways((room, entries) => this.apply(room, entries));
  }

  /**
   * Resolves once the database is there, however long that takes. Any number of nodes may open it at once.
   * @param onCommit told of the milliseconds that each insert took
   */
  static async open(
    connection: MongoConnection,
    onCommit: (ms: number) => void = () => undefined,
  ): Promise<MongoMessageStore> {
    return new MongoMessageStore(connection, await prepare(connection), onCommit);
  }

  async append(room: string, entries: readonly Entry[]): Promise<AppendResult> {
    const result = await this.insert(room, entries);
    const stored = entries.slice(0, result.stored);
    const first = stored[0];
    if (!first) return result;
    try {
      const [{ floor }] = await Promise.all([this.floors.of(room), this.apply(room, stored)]);
      if (first.offset >= floor) return result;
      // What stood there has left the log and no key refused us, but the number was given: whoever is so late has lost.
      await this.floors.clear(room, floor);
      return { stored: 0 };
    } catch (error) {
      // The entries are in the log, whatever kept us from doing the rest.
      throw new StorageError("unknown", error instanceof StorageError ? error.reason : "unconfirmed", error);
    }
  }

  turn(): Promise<void> {
    return this.inserts.turn();
  }

  /** The commit, the first half of `append`. */
  insert(room: string, entries: readonly Entry[]): Promise<AppendResult> {
    return this.inserts.add(entries.map(entry => documentOf(room, entry)));
  }

  /** What follows from stored entries, the second half of `append`. Repeated, late or done by two at once it changes nothing. */
  async apply(room: string, entries: readonly Entry[]): Promise<void> {
    const given = Promise.all([this.readers.advance(allMarks(room, entries)), this.own.advance(room, entries)]);
    // Once its change is applied a reply is not pending any more.
    if (entries.some(({ thread }) => thread)) await given;
    await Promise.all([given, this.changes.apply(room, entries), this.floors.forgetLate(room, entries)]);
    this.changes.settled(room, entries);
  }

  /**
   * A batch that is not finished is always the last, since whoever writes the next takes over first. Nothing stands between
   * the look at the log and the writer's insert but what decisions rest on: else a busy writer could never be overtaken.
   */
  async takeOver(room: string, known?: RoomHead): Promise<Takeover> {
    const [{ floor }, missed] = await Promise.all([
      this.floors.of(room),
      known && this.queries.entries(room, known.offset, MISSED + 1),
    ]);
    // Below the floor there may be what a late writer left; its keys must not stand in the way of others.
    if (floor > 1) await this.floors.clear(room, floor);
    const all = known && missed && missed.length <= MISSED && follow(known, missed);
    const entries = all ? missed : await this.queries.lastBatch(room);
    const finished = this.apply(room, entries);
    // Who has lost a race waits for nothing that the other will do himself, but for messages: decisions rest on these.
    if (!known || entries.some(({ change }) => change)) await finished;
    else finished.catch(() => undefined);
    const { offset, seq } = entries.at(-1) ?? known ?? { offset: 0, seq: 0 };
    return { head: { offset, seq }, missed: all ? missed : null };
  }

  heads(rooms: readonly string[]): Promise<Map<string, LogHead>> {
    return this.queries.heads(rooms);
  }

  events(room: string, after: number, limit: number, maxBytes: number): Promise<RoomEvent[]> {
    return this.queries.events(room, after, limit, maxBytes);
  }

  repeats(room: string, keys: readonly { sender: string; clientId: string }[]): Promise<Repeat[]> {
    return this.queries.repeats(room, keys);
  }

  byIds(ids: readonly string[]): Promise<StoredMessage[]> {
    return this.queries.byIds(ids);
  }

  reactions(room: string, offset: number): Promise<{ emoji: string; user: string }[]> {
    return this.changes.reactions(room, offset);
  }

  pins(room: string): Promise<string[]> {
    return this.queries.pins(room);
  }

  versions(room: string, offset: number, limit: number): Promise<string[]> {
    return this.queries.versions(room, offset, limit);
  }

  nextKeeping(after: string): Promise<string | null> {
    return this.changes.nextKeeping(after);
  }

  dropKept(room: string, limit: number): Promise<boolean> {
    return this.changes.dropKept(room, limit);
  }

  async forget(room: string, user: string): Promise<void> {
    await this.readers.forget(room, user);
    await this.own.forget(room, user);
    await this.changes.unname(room, user);
  }

  async replies(room: string, root: number, window: Window): Promise<{ seq: number; data: string }[]> {
    const [hidden = 0] = await this.queries.hiddenIn([{ room, visibleFrom: window.visibleFrom }]);
    return this.own.replies(room, root, window, hidden);
  }

  async threads(
    room: string,
    user: string,
    page: { skip: number; limit: number; visibleFrom: number },
  ): Promise<ThreadPage> {
    const seen = await this.news.threadsSeen(user, { room, visibleFrom: page.visibleFrom });
    return this.own.page(room, user, { ...page, seen });
  }

  async threadMark(room: string, user: string, root: number): Promise<number | null> {
    return (await this.own.marks(room, user, [root])).get(root) ?? null;
  }

  async aside(user: string, what: Aside, after: Place | undefined, limit: number): Promise<AsideEntry[]> {
    const found = await this.own.aside(user, what, after, limit);
    if (found.length === 0) return [];
    const rooms = [...new Set(found.map(({ room }) => room))];
    const [ids, marks] = await Promise.all([this.queries.idsAt(found), this.readers.ofUser(user, rooms)]);
    return found.map(({ room, seq, read }) => ({
      ...{ room, seq, id: ids.get(`${room} ${seq}`) ?? null },
      ...(read !== undefined && { read: Math.max(read, marks.get(room)?.threads ?? 0) }),
    }));
  }

  async threadMarks(room: string, root: number): Promise<ReadMark[]> {
    const marks = await this.own.marksOf(room, root);
    const all = await this.readers.threadsOf(
      room,
      marks.map(({ user }) => user),
    );
    return marks.map(({ user, read }) => ({ user, read: Math.max(read, all.get(user) ?? 0) }));
  }

  hiddenAmong(user: string, places: readonly { room: string; seq: number }[]): Promise<string[]> {
    return this.own.hiddenAmong(user, places);
  }

  hiddenBy(user: string, room: string, from: number, to: number): Promise<number[]> {
    return this.own.hiddenBy(user, room, from, to);
  }

  async ownEntries(room: string, user: string, after: string, limit: number): Promise<OwnSlice> {
    const { documents, next } = await this.queries.own(room, user, after, limit);
    const stands = await this.changes.standing(room, documents);
    const shown = documents.filter(document => document.kind === "message" || stands.has(document));
    const entries = shown
      .map(entryOf)
      .flatMap(({ clientId, kind, data }) => (data === null ? [] : { clientId, kind, data }));
    return { entries, next };
  }

  window(room: string, window: Window): Promise<{ seq: number; data: string }[]> {
    return this.queries.window(room, window);
  }

  page(room: string, skip: number, limit: number, visibleFrom: number): Promise<{ items: string[]; total: number }> {
    return this.queries.page(room, skip, limit, visibleFrom);
  }

  shows(file: string, rooms: readonly { room: string; visibleFrom: number }[]): Promise<boolean> {
    return this.queries.shows(file, rooms);
  }

  messagesAt(places: readonly { room: string; seq: number }[]): Promise<Map<string, string>> {
    return this.queries.messagesAt(places);
  }

  async lastBefore(
    user: string,
    places: readonly { room: string; seq: number }[],
    back: number,
  ): Promise<Map<string, string>> {
    const hidden = await this.own.hiddenOf(
      user,
      places.map(({ room, seq }) => ({ room, seq: Math.max(0, seq - back - 1) })),
    );
    const without = new Map<string, number[]>();
    for (const { room, seq } of hidden) without.set(room, [...(without.get(room) ?? []), seq]);
    return this.queries.lastIn(
      places.map(({ room, seq }) => ({ room, from: seq - back, before: seq, without: without.get(room) ?? [] })),
    );
  }

  advance(marks: readonly Mark[]): Promise<void> {
    return this.readers.advance(marks);
  }

  marks(room: string, users?: readonly string[]): Promise<Marks[]> {
    return this.readers.ofRoom(room, users);
  }

  async markOf(room: string, user: string): Promise<OwnMarks> {
    const [{ read, delivered, ...own }, { seq }] = await Promise.all([
      this.readers.of(room, user),
      this.floors.of(room),
    ]);
    return { ...own, read: Math.max(read, seq), delivered: Math.max(delivered, seq) };
  }

  unread(user: string, rooms: readonly { room: string; visibleFrom: number }[]): Promise<UnreadRow[]> {
    return this.news.rows(user, rooms);
  }

  front(room: string, limit: number): Promise<FrontEntry[]> {
    return this.queries.front(room, limit);
  }

  async trim(room: string, before: number): Promise<number> {
    const { offset: last } = await this.queries.head(room);
    const entry = await this.queries.entryAt(room, Math.min(before, last));
    if (entry) {
      const floor = { floor: entry.offset, seq: entry.seq - (entry.kind === "message" ? 1 : 0) };
      if (floor.floor > 1) await this.floors.raise(room, floor);
    }
    const { floor, seq } = await this.floors.of(room);
    if (floor === 1) return floor;
    // While entries are left below the floor a crash is made good by the next trim: marks and versions go before them.
    await Promise.all([
      this.readers.drop(room, seq),
      this.floors.forget(room, floor),
      seq > 0 ? this.own.clear(room, seq) : undefined,
    ]);
    while (await this.floors.clear(room, floor));
    return floor;
  }

  close(): Promise<void> {
    return this.changes.close();
  }
}

/** Whether nothing between a head and the last of these entries has left the log. */
const follow = (head: RoomHead, entries: readonly Entry[]): boolean =>
  (entries.at(-1)?.offset ?? head.offset) - head.offset === entries.length;

const allMarks = (room: string, entries: readonly Entry[]): Mark[] => [...marksOf(room, entries).values()].flat();

/** Indexes, and the epoch of the store, which the first node gives it. */
async function prepare(connection: MongoConnection): Promise<string> {
  await connection.prepare((db, options) => db.command({ createIndexes: ENTRIES, indexes: ENTRY_INDEXES }, options));
  await prepareThreads(connection);
  return keptOnce(connection, "log", "epoch", randomBytes(16).toString("hex"));
}
