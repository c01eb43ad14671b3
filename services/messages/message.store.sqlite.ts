import type { SqliteDatabase } from "../../mixins/sqlite/database";
import { migrate } from "../../mixins/sqlite/migrations";
import type { Statement, Unit } from "../../mixins/sqlite/sequence";
import type { LogHead } from "../core/contract";
import type { EntryKind, RoomEvent, RoomHead } from "../core/room-bus";
import { migrations } from "./message.migrations";
import {
  eventOf,
  MISSED,
  readMarks,
  withinBytes,
  type AppendResult,
  type Entry,
  type Marks,
  type MessageStore,
  type ReadMark,
  type Repeat,
  type StoredMessage,
  type Takeover,
  type UnreadRow,
  type Window,
} from "./message.store";

const INSERT = `INSERT INTO entries (room, offset, seq, kind, id, sender, client_id, hash, target, state, data)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?2, ?10)`;
/** Only forward: the same batch applied again, or late, changes nothing. */
const CHANGE = `UPDATE entries SET data = ?3, deleted = ?4, state = ?5 WHERE room = ?1 AND offset = ?2 AND state < ?5`;
const REACT = `INSERT OR IGNORE INTO reactions (room, target, emoji, user, offset) VALUES (?, ?, ?, ?, ?)`;
const UNREACT = `DELETE FROM reactions WHERE room = ? AND target = ? AND emoji = ? AND user = ?`;
const CLEAR = `DELETE FROM reactions WHERE room = ? AND target = ?`;

const HEADS = `SELECT r.value AS room,
    (SELECT offset FROM entries WHERE room = r.value ORDER BY offset DESC LIMIT 1) AS offset,
    (SELECT seq FROM entries WHERE room = r.value ORDER BY offset DESC LIMIT 1) AS seq,
    (SELECT offset FROM entries WHERE room = r.value ORDER BY offset LIMIT 1) AS floor
  FROM json_each(?) r`;
/** An edit or deletion shows its message as it is now; so does everything that names a message for the rings. */
const EVENTS = `SELECT e.offset, e.seq, e.kind, e.data, e.target, t.data AS now
  FROM entries e LEFT JOIN entries t ON t.room = e.room AND t.offset = e.target
  WHERE e.room = ? AND e.offset > ? ORDER BY e.offset LIMIT ?`;
const REPEATS = `SELECT e.sender, e.client_id AS clientId, e.offset, e.seq, e.hash, COALESCE(t.data, e.data) AS data
  FROM json_each(?2) k JOIN entries e
    ON e.room = ?1 AND e.sender = k.value ->> 0 AND e.client_id = k.value ->> 1
  LEFT JOIN entries t ON t.room = e.room AND t.offset = e.target`;
const BY_IDS = `SELECT e.room, e.id, e.offset, e.seq, e.sender, e.hash, e.deleted, e.data
  FROM json_each(?) k JOIN entries e ON e.id = k.value`;
const AFTER = `SELECT seq, data FROM entries
  WHERE room = ? AND kind = 'message' AND seq > ? AND offset > ? ORDER BY seq LIMIT ?`;
const BEFORE = `SELECT seq, data FROM entries
  WHERE room = ? AND kind = 'message' AND seq < ? AND offset > ? ORDER BY seq DESC LIMIT ?`;
const PAGE = `SELECT data FROM entries
  WHERE room = ? AND kind = 'message' AND offset > ? ORDER BY seq DESC LIMIT ? OFFSET ?`;
const TOTAL = `SELECT
    COALESCE((SELECT seq FROM entries WHERE room = ?1 ORDER BY offset DESC LIMIT 1), 0)
  - COALESCE((SELECT seq FROM entries WHERE room = ?1 AND offset <= ?2 ORDER BY offset DESC LIMIT 1),
             (SELECT seq - (kind = 'message') FROM entries WHERE room = ?1 ORDER BY offset LIMIT 1), 0) AS total`;
const MARK = `INSERT INTO marks (room, user, read, delivered) VALUES (?, ?, ?, ?)
  ON CONFLICT (room, user) DO UPDATE SET read = max(read, excluded.read), delivered = max(delivered, excluded.delivered)
  WHERE excluded.read > read OR excluded.delivered > delivered`;
const MENTION = `INSERT OR IGNORE INTO mentions (user, room, seq) VALUES (?, ?, ?)`;
const ATTACH = `INSERT OR IGNORE INTO attachments (file, room, target) VALUES (?, ?, ?)`;
const SHOWS = `SELECT 1 FROM json_each(?2) r
  JOIN attachments a ON a.file = ?1 AND a.room = r.value ->> 0 AND a.target > r.value ->> 1
  JOIN entries e ON e.room = a.room AND e.offset = a.target WHERE e.deleted = 0 LIMIT 1`;
const MARKS = `SELECT user, read, delivered FROM marks WHERE room = ? AND user = ?`;
const UNREAD = `SELECT r.value ->> 0 AS room,
    COALESCE(m.read, 0) AS readSeq,
    COALESCE((SELECT seq FROM entries WHERE room = r.value ->> 0 ORDER BY offset DESC LIMIT 1), 0) AS lastSeq,
    (SELECT COUNT(*) FROM entries e WHERE e.room = r.value ->> 0 AND e.kind = 'message' AND e.seq > COALESCE(m.read, 0)
      AND e.offset > r.value ->> 1 AND e.sender <> ?1 AND e.deleted = 0) AS unread,
    (SELECT COUNT(*) FROM mentions x JOIN entries e ON e.room = x.room AND e.seq = x.seq AND e.kind = 'message'
      WHERE x.user = ?1 AND x.room = r.value ->> 0 AND x.seq > COALESCE(m.read, 0)
      AND e.offset > r.value ->> 1 AND e.sender <> ?1 AND e.deleted = 0) AS mentions
  FROM json_each(?2) r LEFT JOIN marks m ON m.room = r.value ->> 0 AND m.user = ?1`;

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
    const marks = readMarks(entries);
    const units = entries.map(entry => unitOf(room, entry, marks.get(entry)));
    const { applied, failure } = await this.database.write(units);
    if (failure && failure.kind !== "unique") throw new Error(`The log refused an entry: ${failure.message}`);
    return { stored: applied };
  }

  /** A batch and what it changes are one commit here: nothing is ever left undone. */
  async takeOver(room: string, known?: RoomHead): Promise<Takeover> {
    const { offset = 0, seq = 0 } = (await this.heads([room])).get(room) ?? {};
    const head = { offset, seq };
    if (!known || offset - known.offset > MISSED) return { head, missed: null };
    return { head, missed: offset > known.offset ? await this.events(room, known.offset, MISSED, Infinity) : [] };
  }

  async heads(rooms: readonly string[]): Promise<Map<string, LogHead>> {
    const rows = await this.database.all<{ room: string; offset: number | null; seq: number; floor: number }>(HEADS, [
      JSON.stringify(rooms),
    ]);
    return new Map(
      rows.map(({ room, offset, seq, floor }) => [
        room,
        offset === null ? { offset: 0, seq: 0, floor: 1 } : { offset, seq, floor },
      ]),
    );
  }

  async events(room: string, after: number, limit: number, maxBytes: number): Promise<RoomEvent[]> {
    const rows = await this.database.all<EventRow>(EVENTS, [room, after, limit]);
    const events = rows.map(({ target, now, ...entry }) =>
      eventOf(entry, target !== null && now !== null ? { offset: target, data: now } : undefined),
    );
    return withinBytes(events, maxBytes);
  }

  async repeats(room: string, keys: readonly { sender: string; clientId: string }[]): Promise<Repeat[]> {
    if (keys.length === 0) return [];
    return this.database.all<Repeat & object>(REPEATS, [
      room,
      JSON.stringify(keys.map(({ sender, clientId }) => [sender, clientId])),
    ]);
  }

  async byIds(ids: readonly string[]): Promise<StoredMessage[]> {
    if (ids.length === 0) return [];
    const rows = await this.database.all<Omit<StoredMessage, "deleted"> & { deleted: number }>(BY_IDS, [
      JSON.stringify([...new Set(ids)]),
    ]);
    return rows.map(row => ({ ...row, deleted: row.deleted !== 0 }));
  }

  reactions(room: string, offset: number): Promise<{ emoji: string; user: string }[]> {
    return this.database.all("SELECT emoji, user FROM reactions WHERE room = ? AND target = ? ORDER BY offset", [
      room,
      offset,
    ]);
  }

  async window(room: string, { before, after, limit, visibleFrom }: Window): Promise<{ seq: number; data: string }[]> {
    if (after !== undefined) return this.database.all(AFTER, [room, after, visibleFrom, limit]);
    const params = [room, before ?? Number.MAX_SAFE_INTEGER, visibleFrom, limit];
    return (await this.database.all<{ seq: number; data: string }>(BEFORE, params)).reverse();
  }

  async page(
    room: string,
    skip: number,
    limit: number,
    visibleFrom: number,
  ): Promise<{ items: string[]; total: number }> {
    const [rows, count] = await Promise.all([
      this.database.all<{ data: string }>(PAGE, [room, visibleFrom, limit, skip]),
      this.database.get<{ total: number }>(TOTAL, [room, visibleFrom]),
    ]);
    return { items: rows.reverse().map(row => row.data), total: count?.total ?? 0 };
  }

  async shows(file: string, rooms: readonly { room: string; visibleFrom: number }[]): Promise<boolean> {
    const where = JSON.stringify(rooms.map(({ room, visibleFrom }) => [room, visibleFrom]));
    return (await this.database.get(SHOWS, [file, where])) !== undefined;
  }

  async mark(
    room: string,
    user: string,
    { read = 0, delivered = 0 }: { read?: number; delivered?: number },
  ): Promise<boolean> {
    const known = await this.database.get<Marks>(MARKS, [room, user]);
    // Repeats are many, and a commit for each would be paid for nothing; the write itself decides who moved the mark.
    if (known && known.read >= read && known.delivered >= delivered) return false;
    const { changes } = await this.database.write([[{ sql: MARK, params: [room, user, read, delivered] }]]);
    return (changes[0] ?? 0) > 0;
  }

  marks(room: string): Promise<Marks[]> {
    return this.database.all("SELECT user, read, delivered FROM marks WHERE room = ?", [room]);
  }

  unread(user: string, rooms: readonly { room: string; visibleFrom: number }[]): Promise<UnreadRow[]> {
    return this.database.all(UNREAD, [user, JSON.stringify(rooms.map(({ room, visibleFrom }) => [room, visibleFrom]))]);
  }

  /** The file is the platform's. */
  async close(): Promise<void> {}
}

interface EventRow {
  offset: number;
  seq: number;
  kind: EntryKind;
  data: string | null;
  target: number | null;
  now: string | null;
}

function unitOf(room: string, entry: Entry, mark: ReadMark | undefined): Unit {
  const { offset, seq, kind, id, sender, clientId, hash, data, change } = entry;
  const insert: Statement = {
    sql: INSERT,
    params: [room, offset, seq, kind, id, sender, clientId, hash, change?.offset ?? null, data],
  };
  const { mentions = [], files = [] } = entry;
  const marks: Statement[] = mark ? [{ sql: MARK, params: [room, mark.user, mark.read, mark.read], sure: true }] : [];
  const named = mentions.map((user): Statement => ({ sql: MENTION, params: [user, room, seq], sure: true }));
  const shown = files.map((file): Statement => ({ sql: ATTACH, params: [file, room, offset], sure: true }));
  if (!change) return [insert, ...marks, ...named, ...shown];
  const { reaction } = change;
  const unit: Statement[] = [
    insert,
    { sql: CHANGE, params: [room, change.offset, change.data, change.deleted ? 1 : 0, offset] },
  ];
  if (change.deleted) unit.push({ sql: CLEAR, params: [room, change.offset] });
  if (reaction?.on) unit.push({ sql: REACT, params: [room, change.offset, reaction.emoji, reaction.user, offset] });
  else if (reaction) unit.push({ sql: UNREACT, params: [room, change.offset, reaction.emoji, reaction.user] });
  return unit;
}
