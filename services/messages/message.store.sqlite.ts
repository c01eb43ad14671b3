import type { SqliteDatabase } from "../../mixins/sqlite/database";
import { migrate } from "../../mixins/sqlite/migrations";
import type { Statement, Unit } from "../../mixins/sqlite/sequence";
import type { Aside, AsideEntry, LogHead } from "../core/contract";
import { type EntryKind, type RoomEvent, type RoomHead } from "../core/room-bus";
import { againFrom, marksOf, type Mark } from "./marks";
import { DROP_KEPT, FENCE, LEAVE, MARK_READERS, markStatement, RAISE, unitOf } from "./message.inserts.sqlite";
import { migrations } from "./message.migrations";
import * as sql from "./message.queries.sqlite";
import {
  eventOf,
  madeAt,
  MISSED,
  TRIMMED,
  withinBytes,
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

/** The room logs in the embedded store. A batch is one sequence: what waits in the worker shares one fsync. */
export class SqliteMessageStore implements MessageStore {
  private constructor(
    private readonly database: SqliteDatabase,
    readonly epoch: string,
  ) {}

  static async open(database: SqliteDatabase): Promise<SqliteMessageStore> {
    await migrate(database, migrations);
    const row = await database.get<{ epoch: string }>("SELECT epoch FROM log");
    if (!row) throw new Error("The message log has no epoch");
    return new SqliteMessageStore(database, row.epoch);
  }

  async append(room: string, entries: readonly Entry[]): Promise<AppendResult> {
    const [first = 0, last = 0] = [entries[0]?.offset, entries.at(-1)?.offset];
    const marks = marksOf(room, entries);
    const { applied, failure } = await this.database.write([
      [{ sql: FENCE, params: [room, first] }],
      ...entries.map(entry => unitOf(room, entry, marks.get(entry))),
      [{ sql: MARK_READERS, params: [room, first, last], afterRefusal: true }],
    ]);
    if (failure && failure.kind !== "unique") throw new Error(`The log refused an entry: ${failure.message}`);
    return { stored: Math.max(applied - 1, 0) };
  }

  turn(): Promise<void> {
    return this.database.turn();
  }

  /** A batch and what it changes are one commit here: nothing is ever left undone. */
  async takeOver(room: string, known?: RoomHead): Promise<Takeover> {
    const { offset = 0, seq = 0, floor = 1 } = (await this.heads([room])).get(room) ?? {};
    const head = { offset, seq };
    if (!known || offset - known.offset > MISSED || floor > known.offset + 1) return { head, missed: null };
    return { head, missed: offset > known.offset ? await this.events(room, known.offset, MISSED, Infinity) : [] };
  }

  async heads(rooms: readonly string[]): Promise<Map<string, LogHead>> {
    const rows = await this.database.all<{ room: string; offset: number | null; seq: number; floor: number }>(
      sql.HEADS,
      [JSON.stringify(rooms)],
    );
    return new Map(
      rows.map(({ room, offset, seq, floor }) => [
        room,
        offset === null ? { offset: 0, seq: 0, floor: 1 } : { offset, seq, floor },
      ]),
    );
  }

  async events(room: string, after: number, limit: number, maxBytes: number): Promise<RoomEvent[]> {
    const rows = await this.database.all<EventRow>(sql.EVENTS, [room, after, limit]);
    const events = rows.map(({ target, now, ...entry }) =>
      eventOf(entry, target !== null && now !== null ? { offset: target, data: now } : undefined),
    );
    return withinBytes(events, maxBytes);
  }

  async repeats(room: string, keys: readonly { sender: string; clientId: string }[]): Promise<Repeat[]> {
    if (keys.length === 0) return [];
    return this.database.all<Repeat & object>(sql.REPEATS, [
      room,
      JSON.stringify(keys.map(({ sender, clientId }) => [sender, clientId])),
    ]);
  }

  async byIds(ids: readonly string[]): Promise<StoredMessage[]> {
    if (ids.length === 0) return [];
    const rows = await this.database.all<MessageRow>(sql.BY_IDS, [JSON.stringify([...new Set(ids)])]);
    return rows.map(({ thread, ...row }) => ({
      ...{ ...row, deleted: row.deleted !== 0 },
      ...(thread !== null && { thread }),
    }));
  }

  reactions(room: string, offset: number): Promise<{ emoji: string; user: string }[]> {
    return this.database.all(sql.REACTIONS, [room, offset]);
  }

  async pins(room: string): Promise<string[]> {
    return (await this.database.all<{ data: string }>(sql.PINS, [room])).map(({ data }) => data);
  }

  async versions(room: string, offset: number, limit: number): Promise<string[]> {
    const rows = await this.database.all<{ version: string }>(sql.VERSIONS, [room, offset, limit]);
    return rows.reverse().map(({ version }) => version);
  }

  async nextKeeping(after: string): Promise<string | null> {
    return (await this.database.get<{ room: string }>(sql.KEEPING, [after]))?.room ?? null;
  }

  async dropKept(room: string, limit: number): Promise<boolean> {
    await this.database.write([DROP_KEPT.map((drop): Statement => ({ sql: drop, params: [room, limit] }))]);
    return (await this.database.get(sql.KEPT, [room])) !== undefined;
  }

  async forget(room: string, user: string): Promise<void> {
    const all = ["marks", "threads", "hidden", "mentions"].map((table): Statement => ({
      sql: `DELETE FROM ${table} WHERE room = ? AND user = ?`,
      params: [room, user],
    }));
    await this.database.write([all]);
  }

  async replies(
    room: string,
    root: number,
    { before, after, limit, visibleFrom }: Window,
  ): Promise<{ seq: number; data: string }[]> {
    if (after !== undefined) return this.database.all(sql.REPLIES_AFTER, [room, root, after, visibleFrom, limit]);
    const params = [room, root, before ?? Number.MAX_SAFE_INTEGER, visibleFrom, limit];
    return (await this.database.all<{ seq: number; data: string }>(sql.REPLIES_BEFORE, params)).reverse();
  }

  async threads(
    room: string,
    user: string,
    { skip, limit, visibleFrom }: { skip: number; limit: number; visibleFrom: number },
  ): Promise<ThreadPage> {
    const [items, count] = await Promise.all([
      this.database.all<ThreadPage["items"][number]>(sql.THREADS, [room, user, visibleFrom, limit, skip]),
      this.database.get<{ total: number }>(sql.THREAD_COUNT, [room, user, visibleFrom]),
    ]);
    return { items, total: count?.total ?? 0 };
  }

  async threadMark(room: string, user: string, root: number): Promise<number | null> {
    const row = await this.database.get<{ read: number }>(sql.THREAD_MARK, [user, room, root]);
    return row?.read ?? null;
  }

  aside(user: string, what: Aside, after: Place = { room: "", seq: 0 }, limit: number): Promise<AsideEntry[]> {
    return this.database.all(sql.ASIDE[what], [user, after.room, after.seq, limit]);
  }

  threadMarks(room: string, root: number): Promise<ReadMark[]> {
    return this.database.all(sql.THREAD_MARKS, [room, root]);
  }

  async hiddenBy(user: string, room: string, from: number, to: number): Promise<number[]> {
    const rows = await this.database.all<{ seq: number }>(sql.HIDDEN, [user, room, from, to]);
    return rows.map(({ seq }) => seq);
  }

  async hiddenAmong(user: string, places: readonly { room: string; seq: number }[]): Promise<string[]> {
    const where = JSON.stringify(places.map(({ room, seq }) => [room, seq]));
    return (await this.database.all<{ room: string }>(sql.HIDDEN_AMONG, [user, where])).map(({ room }) => room);
  }

  async messagesAt(places: readonly { room: string; seq: number }[]): Promise<Map<string, string>> {
    const where = JSON.stringify(places.map(({ room, seq }) => [room, seq]));
    const rows = await this.database.all<{ room: string; data: string }>(sql.MESSAGES_AT, [where]);
    return new Map(rows.map(({ room, data }) => [room, data]));
  }

  async lastBefore(
    user: string,
    places: readonly { room: string; seq: number }[],
    back: number,
  ): Promise<Map<string, string>> {
    const where = JSON.stringify(places.map(({ room, seq }) => [room, seq]));
    const rows = await this.database.all<{ room: string; data: string | null }>(sql.LAST_BEFORE, [user, where, back]);
    return new Map(rows.flatMap(({ room, data }) => (data === null ? [] : [[room, data] as const])));
  }

  async ownEntries(room: string, user: string, after: string, limit: number): Promise<OwnSlice> {
    const rows = await this.database.all<OwnRow>(sql.OWN, [room, user, after, limit]);
    const entries = rows.flatMap(({ clientId, kind, data, stands }) =>
      stands && data !== null ? { clientId, kind, data } : [],
    );
    return { entries, next: rows.length < limit ? null : (rows.at(-1)?.clientId ?? null) };
  }

  async window(room: string, { before, after, limit, visibleFrom }: Window): Promise<{ seq: number; data: string }[]> {
    if (after !== undefined) return this.database.all(sql.AFTER, [room, after, visibleFrom, limit]);
    const params = [room, before ?? Number.MAX_SAFE_INTEGER, visibleFrom, limit];
    return (await this.database.all<{ seq: number; data: string }>(sql.BEFORE, params)).reverse();
  }

  async page(
    room: string,
    skip: number,
    limit: number,
    visibleFrom: number,
  ): Promise<{ items: string[]; total: number }> {
    const [rows, count] = await Promise.all([
      this.database.all<{ data: string }>(sql.PAGE, [room, visibleFrom, limit, skip]),
      this.database.get<{ total: number }>(sql.TOTAL, [room, visibleFrom]),
    ]);
    return { items: rows.reverse().map(row => row.data), total: count?.total ?? 0 };
  }

  async shows(file: string, rooms: readonly { room: string; visibleFrom: number }[]): Promise<boolean> {
    const where = JSON.stringify(rooms.map(({ room, visibleFrom }) => [room, visibleFrom]));
    return (await this.database.get(sql.SHOWS, [file, where])) !== undefined;
  }

  async advance(marks: readonly Mark[]): Promise<void> {
    if (marks.length > 0) await this.database.write([marks.map(markStatement)]);
  }

  marks(room: string, users?: readonly string[]): Promise<Marks[]> {
    return users
      ? this.database.all(sql.MARKS_OF, [room, JSON.stringify(users)])
      : this.database.all(sql.MARKS, [room]);
  }

  async markOf(room: string, user: string): Promise<OwnMarks> {
    const {
      read,
      delivered,
      private: alone,
      own,
      unread_n: n,
      unread_from: from,
      unread_at: at,
      floor,
    } = (await this.database.get<MarkRow>(sql.OWN_MARKS, [room, user])) as MarkRow;
    const again = againFrom({ own, unread: { n, from, at } });
    return { read: Math.max(read, floor), delivered: Math.max(delivered, floor), private: alone, again };
  }

  async unread(user: string, rooms: readonly { room: string; visibleFrom: number }[]): Promise<UnreadRow[]> {
    const where = JSON.stringify(rooms.map(({ room, visibleFrom }) => [room, visibleFrom]));
    const rows = await this.database.all<Counted>(sql.UNREAD, [user, where]);
    return rows.map(({ unreadFrom, threads, ...row }) => ({
      ...row,
      ...(unreadFrom !== null && { unreadFrom }),
      ...(threads > 0 && { threads }),
    }));
  }

  async front(room: string, limit: number): Promise<FrontEntry[]> {
    const rows = await this.database.all<FrontRow>(sql.FRONT, [room, limit]);
    return rows.map(({ offset, kind, id, clientId, createdAt, files }) => ({
      ...{ offset, kind, id, at: madeAt(createdAt, [id, clientId]) },
      files: JSON.parse(files) as string[],
    }));
  }

  async trim(room: string, before: number): Promise<number> {
    const slice: Unit = [
      { sql: RAISE, params: [room, Math.min(before, Number.MAX_SAFE_INTEGER), TRIMMED], returning: true },
      ...LEAVE.map((leave): Statement => ({ sql: leave, params: [room] })),
    ];
    for (;;) {
      const { rows } = await this.database.write([slice]);
      const floor = rows[0]?.[0]?.["floor"] as number | undefined;
      if (floor === undefined || floor >= before) break;
    }
    return (await this.heads([room])).get(room)?.floor ?? 1;
  }

  /** The file is the platform's. */
  async close(): Promise<void> {}
}

interface MarkRow {
  floor: number;
  read: number;
  delivered: number;
  private: number;
  own: number;
  unread_n: number;
  unread_from: number;
  unread_at: number;
}

type Counted = Omit<UnreadRow, "unreadFrom" | "threads"> & { unreadFrom: number | null; threads: number };

type MessageRow = Omit<StoredMessage, "deleted" | "thread"> & { deleted: number; thread: number | null };

interface OwnRow {
  [column: string]: string | number | null;
  clientId: string;
  kind: EntryKind;
  data: string | null;
  stands: number;
}

interface EventRow {
  offset: number;
  seq: number;
  kind: EntryKind;
  data: string | null;
  target: number | null;
  now: string | null;
}

interface FrontRow {
  offset: number;
  kind: EntryKind;
  id: string | null;
  clientId: string | null;
  createdAt: string | null;
  files: string;
}
