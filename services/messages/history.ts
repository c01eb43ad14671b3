import { RookeryError } from "../core/errors";
import type { Limits } from "../core/limits";
import type { HistoryWindow, Message, Page } from "../core/model";
import { pageOf } from "../core/rules";
import type { MessageStore } from "./message.store";

export interface HistoryQuery {
  before?: number;
  after?: number;
  around?: number;
  limit?: number;
  page?: number;
  pageSize?: number;
}

/** What a query asks for: a numbered page, or a window by seq. Throws INVALID where it asks for both or for two windows. */
export function readHistory(
  store: MessageStore,
  user: string,
  room: string,
  visibleFrom: number,
  query: HistoryQuery,
  limits: Limits,
): Promise<HistoryWindow | Page<Message>> {
  const anchors = [query.before, query.after, query.around].filter(anchor => anchor !== undefined);
  const windowed = anchors.length > 0 || query.limit !== undefined;
  const paged = query.page !== undefined || query.pageSize !== undefined;
  if (anchors.length > 1) throw new RookeryError("INVALID", "Give one of before, after and around.");
  if (windowed && paged)
    throw new RookeryError("INVALID", "Give page and pageSize, or before, after, around and limit.");
  if (!windowed) return page(store, user, room, visibleFrom, query, limits);
  return historyWindow(roomReader(store, user, room, visibleFrom), query, limits);
}

/** What is hidden is missing from its page: pages are counted through, for everybody alike. */
async function page(
  store: MessageStore,
  user: string,
  room: string,
  visibleFrom: number,
  query: HistoryQuery,
  limits: Limits,
) {
  const { page: number, pageSize } = pageOf(query, limits);
  const { items, total } = await store.page(room, (number - 1) * pageSize, pageSize, visibleFrom);
  return { items: await inSight(store, user, room, items.map(parse)), page: number, pageSize, total };
}

interface Bounds {
  before?: number;
  after?: number;
  limit: number;
}

interface Row {
  seq: number;
  data: string;
}

/** Reads up to `limit` messages before or after a seq (exclusive), or the newest; oldest first. `more`: there are others beyond. */
type Read = (window: Bounds) => Promise<{ rows: Row[]; more: boolean }>;

/** Messages by seq, oldest first: before or after one (exclusive), around one (in the middle), or the newest. */
export async function historyWindow(
  read: Read,
  { before, after, around, limit: asked }: HistoryQuery,
  limits: Limits,
): Promise<HistoryWindow> {
  const limit = Math.min(asked ?? limits.pageDefault, limits.page);
  if (after !== undefined) {
    const [{ rows, more }, older] = await Promise.all([read({ after, limit }), read({ before: after + 1, limit: 0 })]);
    return result(rows, older.more, more, limit);
  }
  if (around !== undefined) {
    const half = Math.floor(limit / 2);
    const [older, newer] = await Promise.all([
      read({ before: around, limit: half }),
      read({ after: around - 1, limit: limit - half }),
    ]);
    return result([...older.rows, ...newer.rows], older.more, newer.more, limit);
  }
  const [{ rows, more }, newer] = await Promise.all([
    read({ before, limit }),
    before === undefined ? { more: false } : read({ after: before - 1, limit: 0 }),
  ]);
  return result(rows, more, newer.more, limit);
}

/** What of a room's messages a user sees. */
export const roomReader = (
  store: Sight & Pick<MessageStore, "window">,
  user: string,
  room: string,
  from: number,
): Read => sighted(store, user, room, window => store.window(room, { ...window, visibleFrom: from }));

type Sight = Pick<MessageStore, "hiddenBy">;

/** Reads again, as long as what was read is hidden; messages read so at a time, and how often. */
const AGAIN = { messages: 200, times: 10 };

/** Fills a window in which some messages are hidden with those beyond. Behind very many that are hidden it may hold fewer. */
export function sighted(store: Sight, user: string, room: string, read: (window: Bounds) => Promise<Row[]>): Read {
  return async ({ before, after, limit }) => {
    const back = after === undefined;
    let rows: Row[] = [];
    let beyond = back ? before : after;
    for (let times = 0; ; times++) {
      // One more than asked for tells whether there are more.
      const missing = limit + 1 - rows.length;
      const size = times === 0 ? missing : Math.max(missing, AGAIN.messages);
      const found = await read({ ...(back ? { before: beyond } : { after: beyond }), limit: size });
      const shown = await inSight(store, user, room, found);
      rows = back ? [...shown, ...rows] : [...rows, ...shown];
      const ended = found.length < size;
      if (rows.length > limit || ended || times === AGAIN.times) {
        const kept = back ? rows.slice(Math.max(rows.length - limit, 0)) : rows.slice(0, limit);
        return { rows: kept, more: rows.length > limit || !ended };
      }
      beyond = found.at(back ? 0 : -1)?.seq;
    }
  };
}

export type ReplyQuery = Pick<HistoryQuery, "before" | "after" | "limit">;

/** Without those that the user has taken out of his sight. */
export async function inSight<T extends { seq: number }>(
  store: Sight,
  user: string,
  room: string,
  messages: T[],
): Promise<T[]> {
  if (messages.length === 0) return messages;
  const seqs = messages.map(({ seq }) => seq);
  const hidden = new Set(await store.hiddenBy(user, room, Math.min(...seqs), Math.max(...seqs)));
  return hidden.size === 0 ? messages : messages.filter(({ seq }) => !hidden.has(seq));
}

function result(
  rows: readonly { data: string }[],
  hasBefore: boolean,
  hasAfter: boolean,
  limit: number,
): HistoryWindow {
  return { items: rows.map(row => parse(row.data)), hasBefore, hasAfter, limit };
}

const parse = (data: string): Message => JSON.parse(data) as Message;
