import type { Aside } from "../core/contract";
import { GONE } from "../core/room-bus";
import { EVERYBODY } from "./message.store";

export const HEADS = `SELECT r.value AS room,
    (SELECT offset FROM entries WHERE room = r.value ORDER BY offset DESC LIMIT 1) AS offset,
    (SELECT seq FROM entries WHERE room = r.value ORDER BY offset DESC LIMIT 1) AS seq,
    COALESCE((SELECT floor FROM floors WHERE room = r.value), 1) AS floor
  FROM json_each(?) r`;
/** Messages of a room that a reader does not see: those at or below an offset, and those that have left the log. */
const hidden = (room: string, visibleFrom: string): string => `COALESCE(
    (SELECT seq FROM entries WHERE room = ${room} AND offset <= ${visibleFrom} ORDER BY offset DESC LIMIT 1),
    (SELECT seq FROM floors WHERE room = ${room}), 0)`;
const last = (room: string): string =>
  `COALESCE((SELECT seq FROM entries WHERE room = ${room} ORDER BY offset DESC LIMIT 1), 0)`;
/** An edit or deletion shows its message as it is now; so does everything that names a message for the rings. */
export const EVENTS = `SELECT e.offset, e.seq, e.kind, e.data, e.target, t.data AS now
  FROM entries e LEFT JOIN entries t ON t.room = e.room AND t.offset = e.target
  WHERE e.room = ? AND e.offset > ? ORDER BY e.offset LIMIT ?`;
export const REPEATS = `SELECT e.sender, e.client_id AS clientId, e.offset, e.seq, e.hash,
    IIF(e.kind = 'message', e.data, COALESCE(t.data, e.data, '${GONE}')) AS data
  FROM json_each(?2) k JOIN entries e
    ON e.room = ?1 AND e.sender = k.value ->> 0 AND e.client_id = k.value ->> 1
  LEFT JOIN entries t ON t.room = e.room AND t.offset = e.target`;
/** Of a reaction, whether the entry is the one that made it: one for each that stands. */
export const OWN = `SELECT e.client_id AS clientId, e.kind, e.data,
    e.kind = 'message' OR e.kind = 'reaction' AND EXISTS (SELECT 1 FROM reactions r WHERE r.room = e.room
      AND r.target = e.target AND r.emoji = e.data ->> 'emoji' AND r.user = e.sender AND r.offset = e.offset) AS stands
  FROM entries e INDEXED BY entries_client WHERE e.room = ? AND e.sender = ? AND e.client_id > ?
  ORDER BY e.client_id LIMIT ?`;
export const BY_IDS = `SELECT e.room, e.id, e.offset, e.seq, e.sender, e.hash, e.deleted, e.data, e.thread
  FROM json_each(?) k JOIN entries e ON e.id = k.value`;
/** Messages are numbered without a hole, so that every read is a range of seq: nothing is counted, nothing passed over. */
export const AFTER = `SELECT seq, data FROM entries
  WHERE room = ?1 AND kind = 'message' AND seq > max(?2, ${hidden("?1", "?3")}) ORDER BY seq LIMIT ?4`;
export const BEFORE = `SELECT seq, data FROM entries
  WHERE room = ?1 AND kind = 'message' AND seq < ?2 AND seq > ${hidden("?1", "?3")} ORDER BY seq DESC LIMIT ?4`;
export const PAGE = `SELECT data FROM entries
  WHERE room = ?1 AND kind = 'message' AND seq <= ${last("?1")} - ?4 AND seq > ${hidden("?1", "?2")}
  ORDER BY seq DESC LIMIT ?3`;
export const TOTAL = `SELECT ${last("?1")} - ${hidden("?1", "?2")} AS total`;
export const SHOWS = `SELECT 1 FROM json_each(?2) r
  JOIN attachments a ON a.file = ?1 AND a.room = r.value ->> 0 AND a.target > r.value ->> 1
  JOIN entries e ON e.room = a.room AND e.offset = a.target WHERE e.deleted = 0 LIMIT 1`;
/** Nothing is left before the floor: who was less far is there. */
const floorSeq = (room: string): string => `COALESCE((SELECT seq FROM floors WHERE room = ${room}), 0)`;
export const HIDDEN_AMONG = `SELECT h.room FROM json_each(?2) k
  JOIN hidden h ON h.user = ?1 AND h.room = k.value ->> 0 AND h.seq = k.value ->> 1`;
export const MARKS = `SELECT user, read, delivered, joined FROM marks WHERE room = ?`;
/** Crossed, so that those asked for lead: else all marks of the room may be gone through, each against all of these. */
export const MARKS_OF = `SELECT m.user, m.read, m.delivered, m.joined
  FROM json_each(?2) k CROSS JOIN marks m ON m.room = ?1 AND m.user = k.value`;
export const OWN_MARKS = `SELECT read, delivered, private, own, unread_n, unread_from, unread_at, ${floorSeq("?1")} AS floor
    FROM marks WHERE room = ?1 AND user = ?2
  UNION ALL SELECT 0, 0, 0, 0, 0, 0, 0, ${floorSeq("?1")} LIMIT 1`;
/** As `againFrom`. */
const AGAIN = "IIF(m.own <= m.unread_at, m.unread_from, 0)";
/** Whether a user has taken a message out of his sight. */
const hiddenBy = (user: string, message: string): string =>
  `EXISTS (SELECT 1 FROM hidden h WHERE h.user = ${user} AND h.room = ${message}.room AND h.seq = ${message}.seq)`;
/** Up to where a member, whose mark is `m`, has no unread replies in whatever thread: he came after, or read all of them. */
const threadsSeen = (room: string, visibleFrom: string): string => `max(COALESCE(max(m.threads, m.threads_private), 0),
    ${hidden(room, `max(${visibleFrom}, COALESCE(m.joined, 0))`)})`;
/** Unread replies, of a thread that is read up to `seen`. */
const replies = (user: string, room: string, root: string, seen: string): string => `FROM entries r
    WHERE r.room = ${room} AND r.thread = ${root} AND r.seq > ${seen} AND r.sender <> ${user} AND r.deleted = 0
      AND NOT ${hiddenBy(user, "r")}`;
/**
 * As `unreadAfter`. Of the messages after `seen` the deleted ones of others do not count, and none of one's own: sending moves
 * one's mark, so that these are all up to the mark, and there are some only where messages count as unread again.
 */
export const UNREAD = `WITH asked AS MATERIALIZED (
    SELECT r.value ->> 0 AS room, max(COALESCE(max(m.read, m.private), 0), ${floorSeq("r.value ->> 0")}) AS readSeq,
      COALESCE(${AGAIN}, 0) AS again, ${threadsSeen("r.value ->> 0", "r.value ->> 1")} AS threadsSeen,
      ${last("r.value ->> 0")} AS lastSeq, ${hidden("r.value ->> 0", "r.value ->> 1")} AS hidden
    FROM json_each(?2) r LEFT JOIN marks m ON m.room = r.value ->> 0 AND m.user = ?1),
  placed AS MATERIALIZED (
    SELECT room, readSeq, lastSeq, hidden, threadsSeen, max(IIF(again > 0, min(again - 1, readSeq), readSeq), hidden) AS seen FROM asked)
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
        AND e.thread IS NULL AND NOT ${hiddenBy("?1", "x")}) AS mentions,
    (SELECT COUNT(*) FROM threads p WHERE p.user = ?1 AND p.room = a.room AND p.root > a.hidden
        AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.user = ?1 AND h.room = p.room AND h.seq = p.root)
        AND EXISTS (SELECT 1 ${replies("?1", "p.room", "p.root", "max(p.read, a.threadsSeen)")})) AS threads
  FROM placed a`;
export const MESSAGES_AT = `SELECT e.room, e.data FROM json_each(?) k
  JOIN entries e ON e.room = k.value ->> 0 AND e.kind = 'message' AND e.seq = k.value ->> 1`;
export const LAST_BEFORE = `SELECT k.value ->> 0 AS room, (SELECT e.data FROM entries e
    WHERE e.room = k.value ->> 0 AND e.kind = 'message' AND e.seq < k.value ->> 1 AND e.seq >= (k.value ->> 1) - ?3
      AND e.thread IS NULL AND NOT ${hiddenBy("?1", "e")} ORDER BY e.seq DESC LIMIT 1) AS data
  FROM json_each(?2) k`;
export const FRONT = `SELECT e.offset, e.kind, e.id, e.client_id AS clientId,
    IIF(e.kind = 'message', e.data ->> 'createdAt', NULL) AS createdAt,
    (SELECT json_group_array(a.file) FROM attachments a WHERE a.room = e.room AND a.target = e.offset) AS files
  FROM entries e WHERE e.room = ? ORDER BY e.offset LIMIT ?`;
export const PINS = `SELECT data FROM entries WHERE room = ? AND pinned IS NOT NULL ORDER BY pinned DESC`;
export const VERSIONS = `SELECT version FROM entries
  WHERE room = ? AND target = ? AND version IS NOT NULL ORDER BY offset DESC LIMIT ?`;
export const KEEPING = `SELECT room FROM entries INDEXED BY entries_kept
  WHERE kind = 'delete' AND version IS NOT NULL AND room > ? ORDER BY room LIMIT 1`;
export const KEPT = `SELECT 1 FROM entries INDEXED BY entries_kept
  WHERE kind = 'delete' AND version IS NOT NULL AND room = ? LIMIT 1`;
export const REPLIES_AFTER = `SELECT seq, data FROM entries
  WHERE room = ?1 AND thread = ?2 AND seq > max(?3, ${hidden("?1", "?4")}) ORDER BY seq LIMIT ?5`;
export const REPLIES_BEFORE = `SELECT seq, data FROM entries
  WHERE room = ?1 AND thread = ?2 AND seq < ?3 AND seq > ${hidden("?1", "?4")} ORDER BY seq DESC LIMIT ?5`;
const threadRead = "max(p.read, (SELECT seen FROM asked))";
const unreadReplies = replies("?2", "?1", "e.seq", threadRead);
export const THREADS = `WITH asked AS MATERIALIZED (
    SELECT ${threadsSeen("?1", "?3")} AS seen FROM json_each('[0]') r LEFT JOIN marks m ON m.room = ?1 AND m.user = ?2)
  SELECT e.data AS root, ${threadRead} AS readSeq,
    IIF(p.read IS NULL, 0, (SELECT COUNT(*) ${unreadReplies})) AS unread,
    IIF(p.read IS NULL, 0, (SELECT COUNT(*) ${unreadReplies} AND EXISTS (SELECT 1 FROM mentions x
      WHERE x.user IN (?2, '${EVERYBODY}') AND x.room = r.room AND x.seq = r.seq))) AS mentions
  FROM entries e INDEXED BY entries_replied LEFT JOIN threads p ON p.user = ?2 AND p.room = ?1 AND p.root = e.seq
  WHERE e.room = ?1 AND e.replied IS NOT NULL AND e.offset > ?3 AND NOT ${hiddenBy("?2", "e")}
  ORDER BY e.replied DESC LIMIT ?4 OFFSET ?5`;
export const THREAD_COUNT = `SELECT COUNT(*) AS total FROM entries e INDEXED BY entries_replied
  WHERE e.room = ?1 AND e.replied IS NOT NULL AND e.offset > ?3 AND NOT ${hiddenBy("?2", "e")}`;
export const ASIDE: Record<Aside, string> = {
  threads: `SELECT p.room, p.root AS seq, e.id, max(p.read, COALESCE(max(m.threads, m.threads_private), 0)) AS read
    FROM threads p LEFT JOIN marks m ON m.room = p.room AND m.user = p.user
    LEFT JOIN entries e ON e.room = p.room AND e.seq = p.root AND e.kind = 'message'
    WHERE p.user = ? AND (p.room, p.root) > (?, ?) ORDER BY p.room, p.root LIMIT ?`,
  hidden: `SELECT h.room, h.seq, e.id
    FROM hidden h LEFT JOIN entries e ON e.room = h.room AND e.seq = h.seq AND e.kind = 'message'
    WHERE h.user = ? AND (h.room, h.seq) > (?, ?) ORDER BY h.room, h.seq LIMIT ?`,
};
export const HIDDEN = `SELECT seq FROM hidden WHERE user = ? AND room = ? AND seq BETWEEN ? AND ? ORDER BY seq`;
export const THREAD_MARKS = `SELECT p.user, max(p.read, COALESCE(m.threads, 0)) AS read
  FROM threads p LEFT JOIN marks m ON m.room = p.room AND m.user = p.user WHERE p.room = ? AND p.root = ?`;
export const THREAD_MARK = `SELECT read FROM threads WHERE user = ? AND room = ? AND root = ?`;
export const REACTIONS = `SELECT emoji, user FROM reactions WHERE room = ? AND target = ? ORDER BY offset`;
