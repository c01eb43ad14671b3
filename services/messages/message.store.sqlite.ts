import type { SqliteDatabase } from "../../mixins/sqlite/database";
import { migrate } from "../../mixins/sqlite/migrations";
import type { Statement, Unit } from "../../mixins/sqlite/sequence";
import type { LogHead } from "../core/contract";
import { GONE, type EntryKind, type RoomEvent, type RoomHead } from "../core/room-bus";
import { againFrom, marksOf, type Mark } from "./marks";
import { migrations } from "./message.migrations";
import { ownOf, type Own } from "./threads";
import {
  EVERYBODY,
  eventOf,
  madeAt,
  MISSED,
  TRIMMED,
  withinBytes,
  type AppendResult,
  type Entry,
  type FrontEntry,
  type Marks,
  type MessageChange,
  type MessageStore,
  type OwnMarks,
  type OwnSlice,
  type Repeat,
  type StoredMessage,
  type Takeover,
  type ThreadPage,
  type UnreadRow,
  type Window,
} from "./message.store";

const INSERT = `INSERT INTO entries
  (room, offset, seq, kind, id, sender, client_id, hash, target, state, data, thread, version)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?2, ?10, ?11, ?12)`;
/** Only forward: the same batch applied again, or late, changes nothing. */
const CHANGE = `UPDATE entries SET data = ?3, deleted = ?4, state = ?5 WHERE room = ?1 AND offset = ?2 AND state < ?5`;
const REACT = `INSERT OR IGNORE INTO reactions (room, target, emoji, user, offset) VALUES (?, ?, ?, ?, ?)`;
const UNREACT = `DELETE FROM reactions WHERE room = ? AND target = ? AND emoji = ? AND user = ?`;
const PIN = `UPDATE entries SET pinned = ?3 WHERE room = ?1 AND offset = ?2`;
/** What a deleted message leaves nothing of. */
const CLEAR = [
  "DELETE FROM reactions WHERE room = ?1 AND target = ?2",
  "UPDATE entries SET version = NULL WHERE room = ?1 AND target = ?2 AND version IS NOT NULL",
];
const UNMENTION = `DELETE FROM mentions WHERE room = ?1
  AND seq = (SELECT seq FROM entries WHERE room = ?1 AND offset = ?2)`;
const MENTION_IN = `INSERT OR IGNORE INTO mentions (user, room, seq)
  SELECT ?3, room, seq FROM entries WHERE room = ?1 AND offset = ?2`;

const HEADS = `SELECT r.value AS room,
    (SELECT offset FROM entries WHERE room = r.value ORDER BY offset DESC LIMIT 1) AS offset,
    (SELECT seq FROM entries WHERE room = r.value ORDER BY offset DESC LIMIT 1) AS seq,
    COALESCE((SELECT floor FROM floors WHERE room = r.value), 1) AS floor
  FROM json_each(?) r`;
/** Refused by the key of `floors` where the log begins above the offset: what stood there has left, the number was given. */
const FENCE = `INSERT INTO floors SELECT room, floor, seq FROM floors WHERE room = ? AND floor > ?`;
/** Messages of a room that a reader does not see: those at or below an offset, and those that have left the log. */
const hidden = (room: string, visibleFrom: string): string => `COALESCE(
    (SELECT seq FROM entries WHERE room = ${room} AND offset <= ${visibleFrom} ORDER BY offset DESC LIMIT 1),
    (SELECT seq FROM floors WHERE room = ${room}), 0)`;
const last = (room: string): string =>
  `COALESCE((SELECT seq FROM entries WHERE room = ${room} ORDER BY offset DESC LIMIT 1), 0)`;
/** An edit or deletion shows its message as it is now; so does everything that names a message for the rings. */
const EVENTS = `SELECT e.offset, e.seq, e.kind, e.data, e.target, t.data AS now
  FROM entries e LEFT JOIN entries t ON t.room = e.room AND t.offset = e.target
  WHERE e.room = ? AND e.offset > ? ORDER BY e.offset LIMIT ?`;
const REPEATS = `SELECT e.sender, e.client_id AS clientId, e.offset, e.seq, e.hash,
    IIF(e.kind = 'message', e.data, COALESCE(t.data, e.data, '${GONE}')) AS data
  FROM json_each(?2) k JOIN entries e
    ON e.room = ?1 AND e.sender = k.value ->> 0 AND e.client_id = k.value ->> 1
  LEFT JOIN entries t ON t.room = e.room AND t.offset = e.target`;
/** Of a reaction, whether the entry is the one that made it: one for each that stands. */
const OWN = `SELECT e.client_id AS clientId, e.kind, e.data,
    e.kind = 'message' OR e.kind = 'reaction' AND EXISTS (SELECT 1 FROM reactions r WHERE r.room = e.room
      AND r.target = e.target AND r.emoji = e.data ->> 'emoji' AND r.user = e.sender AND r.offset = e.offset) AS stands
  FROM entries e INDEXED BY entries_client WHERE e.room = ? AND e.sender = ? AND e.client_id > ?
  ORDER BY e.client_id LIMIT ?`;
const BY_IDS = `SELECT e.room, e.id, e.offset, e.seq, e.sender, e.hash, e.deleted, e.data
  FROM json_each(?) k JOIN entries e ON e.id = k.value`;
/** Messages are numbered without a hole, so that every read is a range of seq: nothing is counted, nothing passed over. */
const AFTER = `SELECT seq, data FROM entries
  WHERE room = ?1 AND kind = 'message' AND seq > max(?2, ${hidden("?1", "?3")}) ORDER BY seq LIMIT ?4`;
const BEFORE = `SELECT seq, data FROM entries
  WHERE room = ?1 AND kind = 'message' AND seq < ?2 AND seq > ${hidden("?1", "?3")} ORDER BY seq DESC LIMIT ?4`;
const PAGE = `SELECT data FROM entries
  WHERE room = ?1 AND kind = 'message' AND seq <= ${last("?1")} - ?4 AND seq > ${hidden("?1", "?2")}
  ORDER BY seq DESC LIMIT ?3`;
const TOTAL = `SELECT ${last("?1")} - ${hidden("?1", "?2")} AS total`;
const MARK_OWN = `INSERT INTO marks (room, user, read, delivered, own, joined) VALUES (?1, ?2, ?3, ?3, ?4, ?5)
  ON CONFLICT (room, user) DO UPDATE SET read = max(read, excluded.read), delivered = max(delivered, excluded.delivered),
    own = max(own, excluded.own), joined = max(joined, excluded.joined)`;
const MARK = `INSERT INTO marks (room, user, read, delivered, private, unread_n, unread_from, unread_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (room, user) DO UPDATE SET read = max(read, excluded.read), delivered = max(delivered, excluded.delivered),
    private = max(private, excluded.private), unread_n = max(unread_n, excluded.unread_n),
    unread_from = IIF(excluded.unread_n > unread_n, excluded.unread_from, unread_from),
    unread_at = IIF(excluded.unread_n > unread_n, excluded.unread_at, unread_at)`;
/** For what stays of a batch when a later entry was refused: of a user only the last entry of a batch carries his mark. */
const MARK_READERS = `INSERT INTO marks (room, user, read, delivered, own, joined)
  SELECT room, user, max(seq), max(seq), max(offset), max(IIF(kind = 'member', offset, 0)) FROM (
    SELECT room, seq, offset, kind, IIF(kind = 'message', sender, data ->> 'userId') AS user FROM entries
    WHERE room = ?1 AND offset BETWEEN ?2 AND ?3 
      AND (kind = 'message' AND thread IS NULL OR kind = 'member' AND data ->> 'change' = 'join'))
  WHERE true GROUP BY room, user
  ON CONFLICT (room, user) DO UPDATE SET read = max(read, excluded.read), delivered = max(delivered, excluded.delivered),
    own = max(own, excluded.own), joined = max(joined, excluded.joined)`;
const MENTION = `INSERT OR IGNORE INTO mentions (user, room, seq) VALUES (?, ?, ?)`;
const ATTACH = `INSERT OR IGNORE INTO attachments (file, room, target) VALUES (?, ?, ?)`;
const SHOWS = `SELECT 1 FROM json_each(?2) r
  JOIN attachments a ON a.file = ?1 AND a.room = r.value ->> 0 AND a.target > r.value ->> 1
  JOIN entries e ON e.room = a.room AND e.offset = a.target WHERE e.deleted = 0 LIMIT 1`;
/** Nothing is left before the floor: who was less far is there. */
const floorSeq = (room: string): string => `COALESCE((SELECT seq FROM floors WHERE room = ${room}), 0)`;
const HIDDEN_AMONG = `SELECT h.room FROM json_each(?2) k
  JOIN hidden h ON h.user = ?1 AND h.room = k.value ->> 0 AND h.seq = k.value ->> 1`;
const MARKS = `SELECT user, read, delivered, joined FROM marks WHERE room = ?`;
const MARKS_OF = `SELECT m.user, m.read, m.delivered, m.joined
  FROM json_each(?2) k JOIN marks m ON m.room = ?1 AND m.user = k.value`;
const OWN_MARKS = `SELECT *, ${floorSeq("?1")} AS floor FROM marks WHERE room = ?1 AND user = ?2
  UNION ALL SELECT ?1, ?2, 0, 0, 0, 0, 0, 0, 0, 0, ${floorSeq("?1")} LIMIT 1`;
/** As `againFrom`. */
const AGAIN = "IIF(m.own <= m.unread_at, m.unread_from, 0)";
/**
 * As `unreadAfter`. Of the messages after `seen` the deleted ones of others do not count, and none of one's own: sending moves
 * one's mark, so that these are all up to the mark, and there are some only where messages count as unread again.
 */
const UNREAD = `WITH asked AS MATERIALIZED (
    SELECT r.value ->> 0 AS room, max(COALESCE(max(m.read, m.private), 0), ${floorSeq("r.value ->> 0")}) AS readSeq, COALESCE(${AGAIN}, 0) AS again,
      ${last("r.value ->> 0")} AS lastSeq, ${hidden("r.value ->> 0", "r.value ->> 1")} AS hidden
    FROM json_each(?2) r LEFT JOIN marks m ON m.room = r.value ->> 0 AND m.user = ?1),
  placed AS MATERIALIZED (
    SELECT room, readSeq, lastSeq, max(IIF(again > 0, min(again - 1, readSeq), readSeq), hidden) AS seen FROM asked)
  SELECT room, readSeq, lastSeq, IIF(seen < readSeq, seen + 1, NULL) AS unreadFrom,
    max(lastSeq - seen, 0)
      - (SELECT COUNT(*) FROM entries e
        WHERE e.room = a.room AND (e.deleted = 1 OR e.thread IS NOT NULL) AND e.seq > seen)
      - (SELECT COUNT(*) FROM hidden h JOIN entries e ON e.room = h.room AND e.seq = h.seq AND e.kind = 'message'
        WHERE h.user = ?1 AND h.room = a.room AND h.seq > seen AND e.deleted = 0 AND e.thread IS NULL AND e.sender <> ?1)
      - IIF(seen < readSeq, (SELECT COUNT(*) FROM entries e WHERE e.room = a.room AND e.kind = 'message'
          AND e.seq > seen AND e.seq <= readSeq AND e.sender = ?1 AND e.deleted = 0 AND e.thread IS NULL), 0)
      AS unread,
    (SELECT COUNT(DISTINCT x.seq) FROM mentions x JOIN entries e ON e.room = x.room AND e.seq = x.seq AND e.kind = 'message'
      WHERE x.user IN (?1, '${EVERYBODY}') AND x.room = a.room AND x.seq > seen AND e.sender <> ?1 AND e.deleted = 0
        AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.user = ?1 AND h.room = x.room AND h.seq = x.seq)) AS mentions
  FROM placed a`;
const MESSAGES_AT = `SELECT e.room, e.data FROM json_each(?) k
  JOIN entries e ON e.room = k.value ->> 0 AND e.kind = 'message' AND e.seq = k.value ->> 1`;
/** The next step of the floor: never past the last entry, and never back. */
const RAISE = `INSERT INTO floors SELECT e.room, e.offset, e.seq - (e.kind = 'message') FROM entries e
  WHERE e.room = ?1 AND e.offset > 1 AND e.offset = min(?2,
    (SELECT offset FROM entries WHERE room = ?1 ORDER BY offset DESC LIMIT 1),
    COALESCE((SELECT floor FROM floors WHERE room = ?1), 1) + ?3)
  ON CONFLICT (room) DO UPDATE SET floor = excluded.floor, seq = excluded.seq WHERE excluded.floor > floor
  RETURNING floor`;
const FRONT = `SELECT e.offset, e.kind, e.id, e.client_id AS clientId,
    IIF(e.kind = 'message', e.data ->> 'createdAt', NULL) AS createdAt,
    (SELECT json_group_array(a.file) FROM attachments a WHERE a.room = e.room AND a.target = e.offset) AS files
  FROM entries e WHERE e.room = ? ORDER BY e.offset LIMIT ?`;
const LEAVE = [
  "DELETE FROM entries WHERE room = ?1 AND offset < (SELECT floor FROM floors WHERE room = ?1)",
  "DELETE FROM reactions WHERE room = ?1 AND target < (SELECT floor FROM floors WHERE room = ?1)",
  "DELETE FROM attachments WHERE room = ?1 AND target < (SELECT floor FROM floors WHERE room = ?1)",
  "DELETE FROM mentions WHERE room = ?1 AND seq <= (SELECT seq FROM floors WHERE room = ?1)",
  "DELETE FROM threads WHERE room = ?1 AND root <= (SELECT seq FROM floors WHERE room = ?1)",
  "DELETE FROM hidden WHERE room = ?1 AND seq <= (SELECT seq FROM floors WHERE room = ?1)",
  "DELETE FROM marks WHERE room = ?1 AND max(read, delivered, private) <= (SELECT seq FROM floors WHERE room = ?1)",
];

const PINS = `SELECT data FROM entries WHERE room = ? AND pinned IS NOT NULL ORDER BY pinned DESC`;
const VERSIONS = `SELECT version FROM entries
  WHERE room = ? AND target = ? AND version IS NOT NULL ORDER BY offset DESC LIMIT ?`;
const REPLIES_AFTER = `SELECT seq, data FROM entries
  WHERE room = ?1 AND thread = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4`;
const REPLIES_BEFORE = `SELECT seq, data FROM entries
  WHERE room = ?1 AND thread = ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?4`;
const JOIN_THREAD = `INSERT INTO threads (user, room, root, read) VALUES (?1, ?2, ?3, ?4)
  ON CONFLICT (user, room, root) DO UPDATE SET read = excluded.read WHERE excluded.read > read`;
/** Marks of who has part in it: a mark of somebody who has none is not kept. */
const READ_THREAD = `UPDATE threads SET read = ?4 WHERE user = ?1 AND room = ?2 AND root = ?3 AND read < ?4`;
const REPLIED = `UPDATE entries SET replied = ?3 WHERE room = ?1 AND offset = ?2`;
const THREADS = `SELECT e.data AS root, p.read AS readSeq,
    IIF(p.read IS NULL, 0, (SELECT COUNT(*) FROM entries r WHERE r.room = ?1 AND r.thread = e.seq AND r.seq > p.read
      AND r.sender <> ?2 AND r.deleted = 0)) AS unread
  FROM entries e INDEXED BY entries_replied LEFT JOIN threads p ON p.user = ?2 AND p.room = ?1 AND p.root = e.seq
  WHERE e.room = ?1 AND e.replied IS NOT NULL AND e.offset > ?3 ORDER BY e.replied DESC LIMIT ?4 OFFSET ?5`;
const THREAD_COUNT = `SELECT COUNT(*) AS total FROM entries INDEXED BY entries_replied WHERE room = ? AND replied IS NOT NULL AND offset > ?`;
const HIDE = `INSERT OR IGNORE INTO hidden (user, room, seq) VALUES (?, ?, ?)`;
const HIDDEN = `SELECT seq FROM hidden WHERE user = ? AND room = ? AND seq BETWEEN ? AND ? ORDER BY seq`;

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

  async pins(room: string): Promise<string[]> {
    return (await this.database.all<{ data: string }>(PINS, [room])).map(({ data }) => data);
  }

  async versions(room: string, offset: number, limit: number): Promise<string[]> {
    const rows = await this.database.all<{ version: string }>(VERSIONS, [room, offset, limit]);
    return rows.reverse().map(({ version }) => version);
  }

  async replies(
    room: string,
    root: number,
    { before, after, limit }: Omit<Window, "visibleFrom">,
  ): Promise<{ seq: number; data: string }[]> {
    if (after !== undefined) return this.database.all(REPLIES_AFTER, [room, root, after, limit]);
    const params = [room, root, before ?? Number.MAX_SAFE_INTEGER, limit];
    return (await this.database.all<{ seq: number; data: string }>(REPLIES_BEFORE, params)).reverse();
  }

  async threads(
    room: string,
    user: string,
    { skip, limit, visibleFrom }: { skip: number; limit: number; visibleFrom: number },
  ): Promise<ThreadPage> {
    const [items, count] = await Promise.all([
      this.database.all<ThreadPage["items"][number]>(THREADS, [room, user, visibleFrom, limit, skip]),
      this.database.get<{ total: number }>(THREAD_COUNT, [room, visibleFrom]),
    ]);
    return { items, total: count?.total ?? 0 };
  }

  async threadMark(room: string, user: string, root: number): Promise<number | null> {
    const row = await this.database.get<{ read: number }>(
      "SELECT read FROM threads WHERE user = ? AND room = ? AND root = ?",
      [user, room, root],
    );
    return row?.read ?? null;
  }

  async hiddenBy(user: string, room: string, from: number, to: number): Promise<number[]> {
    const rows = await this.database.all<{ seq: number }>(HIDDEN, [user, room, from, to]);
    return rows.map(({ seq }) => seq);
  }

  async hiddenAmong(user: string, places: readonly { room: string; seq: number }[]): Promise<string[]> {
    const where = JSON.stringify(places.map(({ room, seq }) => [room, seq]));
    return (await this.database.all<{ room: string }>(HIDDEN_AMONG, [user, where])).map(({ room }) => room);
  }

  async messagesAt(places: readonly { room: string; seq: number }[]): Promise<Map<string, string>> {
    const where = JSON.stringify(places.map(({ room, seq }) => [room, seq]));
    const rows = await this.database.all<{ room: string; data: string }>(MESSAGES_AT, [where]);
    return new Map(rows.map(({ room, data }) => [room, data]));
  }

  async ownEntries(room: string, user: string, after: string, limit: number): Promise<OwnSlice> {
    const rows = await this.database.all<OwnRow>(OWN, [room, user, after, limit]);
    const entries = rows.flatMap(({ clientId, kind, data, stands }) =>
      stands && data !== null ? { clientId, kind, data } : [],
    );
    return { entries, next: rows.length < limit ? null : (rows.at(-1)?.clientId ?? null) };
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

  async advance(marks: readonly Mark[]): Promise<void> {
    if (marks.length > 0) await this.database.write([marks.map(markStatement)]);
  }

  marks(room: string, users?: readonly string[]): Promise<Marks[]> {
    return users ? this.database.all(MARKS_OF, [room, JSON.stringify(users)]) : this.database.all(MARKS, [room]);
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
    } = (await this.database.get<MarkRow>(OWN_MARKS, [room, user])) as MarkRow;
    const again = againFrom({ own, unread: { n, from, at } });
    return { read: Math.max(read, floor), delivered: Math.max(delivered, floor), private: alone, again };
  }

  async unread(user: string, rooms: readonly { room: string; visibleFrom: number }[]): Promise<UnreadRow[]> {
    const where = JSON.stringify(rooms.map(({ room, visibleFrom }) => [room, visibleFrom]));
    const rows = await this.database.all<Counted>(UNREAD, [user, where]);
    return rows.map(({ unreadFrom, ...row }) => ({ ...row, ...(unreadFrom !== null && { unreadFrom }) }));
  }

  async front(room: string, limit: number): Promise<FrontEntry[]> {
    const rows = await this.database.all<FrontRow>(FRONT, [room, limit]);
    return rows.map(({ offset, kind, id, clientId, createdAt, files }) => ({
      ...{ offset, kind, id, at: madeAt(createdAt, [id, clientId]) },
      files: JSON.parse(files) as string[],
    }));
  }

  async trim(room: string, before: number): Promise<number> {
    const slice: Unit = [
      { sql: RAISE, params: [room, Math.min(before, Number.MAX_SAFE_INTEGER), TRIMMED], returning: true },
      ...LEAVE.map((sql): Statement => ({ sql, params: [room] })),
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

type Counted = Omit<UnreadRow, "unreadFrom"> & { unreadFrom: number | null };

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

function unitOf(room: string, entry: Entry, marked: readonly Mark[] = []): Unit {
  const { offset, seq, kind, id, sender, clientId, hash, data, change, thread, mentions = [], files = [] } = entry;
  const target = change?.offset ?? null;
  const version = change?.version ?? null;
  const insert: Statement = {
    sql: INSERT,
    params: [room, offset, seq, kind, id, sender, clientId, hash, target, data, thread?.root ?? null, version],
  };
  const marks = marked.map(markStatement);
  const named = mentions.map((user): Statement => ({ sql: MENTION, params: [user, room, seq], sure: true }));
  const shown = files.map((file): Statement => ({ sql: ATTACH, params: [file, room, offset], sure: true }));
  const replied: Statement[] = thread && change ? [{ sql: REPLIED, params: [room, change.offset, seq] }] : [];
  return [
    insert,
    ...marks,
    ...named,
    ...shown,
    ...ownOf(room, entry).map(ownStatement),
    ...replied,
    ...(change ? changing(room, offset, change) : []),
  ];
}

function ownStatement(own: Own): Statement {
  const { user, room } = own;
  if (own.of === "hidden") return { sql: HIDE, params: [user, room, own.seq] };
  return { sql: own.begins ? JOIN_THREAD : READ_THREAD, params: [user, room, own.root, own.read] };
}

function changing(room: string, offset: number, change: MessageChange): Statement[] {
  const { offset: target, data, deleted, reaction, pinned, mentions } = change;
  const unit: Statement[] = [{ sql: CHANGE, params: [room, target, data, deleted ? 1 : 0, offset] }];
  if (deleted) unit.push(...CLEAR.map((sql): Statement => ({ sql, params: [room, target] })));
  if (reaction?.on) unit.push({ sql: REACT, params: [room, target, reaction.emoji, reaction.user, offset] });
  else if (reaction) unit.push({ sql: UNREACT, params: [room, target, reaction.emoji, reaction.user] });
  if (deleted || pinned !== undefined) unit.push({ sql: PIN, params: [room, target, pinned ? offset : null] });
  if (mentions) {
    unit.push({ sql: UNMENTION, params: [room, target] });
    unit.push(...mentions.map((user): Statement => ({ sql: MENTION_IN, params: [room, target, user] })));
  }
  return unit;
}

function markStatement(mark: Mark): Statement {
  const { room, user, read = 0, delivered = 0, private: alone = 0, own, joined = 0, unread } = mark;
  if (own !== undefined) return { sql: MARK_OWN, params: [room, user, read, own, joined], sure: true };
  const { n, from, at } = unread ?? { n: 0, from: 0, at: 0 };
  return { sql: MARK, params: [room, user, read, delivered, alone, n, from, at], sure: true };
}
