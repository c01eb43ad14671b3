import type { Statement, Unit } from "../../mixins/sqlite/sequence";
import type { Mark } from "./marks";
import type { Entry, MessageChange } from "./message.store";
import { ownOf, type Own } from "./threads";

const INSERT = `INSERT INTO entries
  (room, offset, seq, kind, id, sender, client_id, hash, target, state, data, thread, version)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?2, ?10, ?11, ?12)`;
/** Only forward: the same batch applied again, or late, changes nothing. */
const CHANGE = `UPDATE entries SET data = ?3, deleted = ?4, state = ?5 WHERE room = ?1 AND offset = ?2 AND state < ?5`;
const REACT = `INSERT OR IGNORE INTO reactions (room, target, emoji, user, offset) VALUES (?, ?, ?, ?, ?)`;
const UNREACT = `DELETE FROM reactions WHERE room = ? AND target = ? AND emoji = ? AND user = ?`;
const PIN = `UPDATE entries SET pinned = ?3 WHERE room = ?1 AND offset = ?2`;
/** What a deleted message leaves nothing of; its versions stay where the room is on hold. */
const CLEAR = "DELETE FROM reactions WHERE room = ?1 AND target = ?2";
const FORGET = "UPDATE entries SET version = NULL WHERE room = ?1 AND target = ?2 AND version IS NOT NULL";
/** Of a message that left the log while it was edited. */
const FORGET_LATE = `UPDATE entries SET version = NULL WHERE room = ?1 AND offset = ?2
  AND target < (SELECT floor FROM floors WHERE room = ?1)`;
const UNMENTION = `DELETE FROM mentions WHERE room = ?1
  AND seq = (SELECT seq FROM entries WHERE room = ?1 AND offset = ?2)`;
const MENTION_IN = `INSERT OR IGNORE INTO mentions (user, room, seq)
  SELECT ?3, room, seq FROM entries WHERE room = ?1 AND offset = ?2`;
/** Refused by the key of `floors` where the log begins above the offset: what stood there has left, the number was given. */
export const FENCE = `INSERT INTO floors SELECT room, floor, seq FROM floors WHERE room = ? AND floor > ?`;
const MARK_OWN = `INSERT INTO marks (room, user, read, delivered, own, joined) VALUES (?1, ?2, ?3, ?3, ?4, ?5)
  ON CONFLICT (room, user) DO UPDATE SET read = max(read, excluded.read), delivered = max(delivered, excluded.delivered),
    own = max(own, excluded.own), joined = max(joined, excluded.joined)`;
const MARK = `INSERT INTO marks
  (room, user, read, delivered, private, threads, threads_private, unread_n, unread_from, unread_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (room, user) DO UPDATE SET read = max(read, excluded.read), delivered = max(delivered, excluded.delivered),
    private = max(private, excluded.private), threads = max(threads, excluded.threads),
    threads_private = max(threads_private, excluded.threads_private), unread_n = max(unread_n, excluded.unread_n),
    unread_from = IIF(excluded.unread_n > unread_n, excluded.unread_from, unread_from),
    unread_at = IIF(excluded.unread_n > unread_n, excluded.unread_at, unread_at)`;
/** For what stays of a batch when a later entry was refused: of a user only the last entry of a batch carries his mark. */
export const MARK_READERS = `INSERT INTO marks (room, user, read, delivered, own, joined)
  SELECT room, user, max(seq), max(seq), max(offset), max(IIF(kind = 'member', offset, 0)) FROM (
    SELECT room, seq, offset, kind, IIF(kind = 'message', sender, data ->> 'userId') AS user FROM entries
    WHERE room = ?1 AND offset BETWEEN ?2 AND ?3
      AND (kind = 'message' AND thread IS NULL OR kind = 'member' AND data ->> 'change' = 'join'))
  WHERE true GROUP BY room, user
  ON CONFLICT (room, user) DO UPDATE SET read = max(read, excluded.read), delivered = max(delivered, excluded.delivered),
    own = max(own, excluded.own), joined = max(joined, excluded.joined)`;
const MENTION = `INSERT OR IGNORE INTO mentions (user, room, seq) VALUES (?, ?, ?)`;
const ATTACH = `INSERT OR IGNORE INTO attachments (file, room, target) VALUES (?, ?, ?)`;
/** The next step of the floor: never past the last entry, and never back. */
export const RAISE = `INSERT INTO floors SELECT e.room, e.offset, e.seq - (e.kind = 'message') FROM entries e
  WHERE e.room = ?1 AND e.offset > 1 AND e.offset = min(?2,
    (SELECT offset FROM entries WHERE room = ?1 ORDER BY offset DESC LIMIT 1),
    COALESCE((SELECT floor FROM floors WHERE room = ?1), 1) + ?3)
  ON CONFLICT (room) DO UPDATE SET floor = excluded.floor, seq = excluded.seq WHERE excluded.floor > floor
  RETURNING floor`;
export const LEAVE = [
  "DELETE FROM entries WHERE room = ?1 AND offset < (SELECT floor FROM floors WHERE room = ?1)",
  "UPDATE entries SET version = NULL WHERE room = ?1 AND version IS NOT NULL AND target < (SELECT floor FROM floors WHERE room = ?1)",
  "DELETE FROM reactions WHERE room = ?1 AND target < (SELECT floor FROM floors WHERE room = ?1)",
  "DELETE FROM attachments WHERE room = ?1 AND target < (SELECT floor FROM floors WHERE room = ?1)",
  "DELETE FROM mentions WHERE room = ?1 AND seq <= (SELECT seq FROM floors WHERE room = ?1)",
  // A thread may go on when its beginning has left: who has read of it stays read.
  `DELETE FROM threads WHERE room = ?1 AND root <= (SELECT seq FROM floors WHERE room = ?1)
    AND read <= (SELECT seq FROM floors WHERE room = ?1)`,
  "DELETE FROM hidden WHERE room = ?1 AND seq <= (SELECT seq FROM floors WHERE room = ?1)",
  "DELETE FROM marks WHERE room = ?1 AND max(read, delivered, private) <= (SELECT seq FROM floors WHERE room = ?1)",
];
/** First what led to the text that was deleted, then that: as long as it stands, it leads to the rest. */
export const DROP_KEPT = [
  `UPDATE entries SET version = NULL WHERE room = ?1 AND offset IN (
    SELECT e.offset FROM entries k INDEXED BY entries_kept
    JOIN entries e ON e.room = k.room AND e.target = k.target AND e.version IS NOT NULL AND e.kind <> 'delete'
    WHERE k.room = ?1 AND k.kind = 'delete' AND k.version IS NOT NULL LIMIT ?2)`,
  `UPDATE entries SET version = NULL WHERE room = ?1 AND offset IN (
    SELECT k.offset FROM entries k INDEXED BY entries_kept
    WHERE k.room = ?1 AND k.kind = 'delete' AND k.version IS NOT NULL AND NOT EXISTS (SELECT 1 FROM entries e
      WHERE e.room = k.room AND e.target = k.target AND e.version IS NOT NULL AND e.kind <> 'delete') LIMIT ?2)`,
];
const JOIN_THREAD = `INSERT INTO threads (user, room, root, read) VALUES (?1, ?2, ?3, ?4)
  ON CONFLICT (user, room, root) DO UPDATE SET read = excluded.read WHERE excluded.read > read`;
/** Marks of who has part in it: a mark of somebody who has none is not kept. */
const READ_THREAD = `UPDATE threads SET read = ?4 WHERE user = ?1 AND room = ?2 AND root = ?3 AND read < ?4`;
const REPLIED = `UPDATE entries SET replied = ?3 WHERE room = ?1 AND offset = ?2`;
const HIDE = `INSERT OR IGNORE INTO hidden (user, room, seq) VALUES (?, ?, ?)`;

/** An entry and all that it changes: stored together or not at all. */
export function unitOf(room: string, entry: Entry, marked: readonly Mark[] = []): Unit {
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
  const { offset: target, data, deleted, reaction, pinned, mentions, version } = change;
  const unit: Statement[] = [{ sql: CHANGE, params: [room, target, data, deleted ? 1 : 0, offset] }];
  if (deleted) unit.push({ sql: CLEAR, params: [room, target] });
  if (deleted && version === undefined) unit.push({ sql: FORGET, params: [room, target] });
  if (version !== undefined) unit.push({ sql: FORGET_LATE, params: [room, offset] });
  if (reaction?.on) unit.push({ sql: REACT, params: [room, target, reaction.emoji, reaction.user, offset] });
  else if (reaction) unit.push({ sql: UNREACT, params: [room, target, reaction.emoji, reaction.user] });
  if (deleted || pinned !== undefined) unit.push({ sql: PIN, params: [room, target, pinned ? offset : null] });
  if (mentions) {
    unit.push({ sql: UNMENTION, params: [room, target] });
    unit.push(...mentions.map((user): Statement => ({ sql: MENTION_IN, params: [room, target, user] })));
  }
  return unit;
}

export function markStatement(mark: Mark): Statement {
  const { room, user, read = 0, delivered = 0, private: alone = 0, own, joined = 0, unread } = mark;
  const { threads = 0, threadsPrivate = 0 } = mark;
  if (own !== undefined) return { sql: MARK_OWN, params: [room, user, read, own, joined], sure: true };
  const { n, from, at } = unread ?? { n: 0, from: 0, at: 0 };
  return { sql: MARK, params: [room, user, read, delivered, alone, threads, threadsPrivate, n, from, at], sure: true };
}
