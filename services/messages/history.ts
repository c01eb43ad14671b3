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
  if (!windowed) return page(store, room, visibleFrom, query, limits);
  return historyWindow(roomReader(store, room, visibleFrom), query, limits);
}

async function page(store: MessageStore, room: string, visibleFrom: number, query: HistoryQuery, limits: Limits) {
  const { page: number, pageSize } = pageOf(query, limits);
  const { items, total } = await store.page(room, (number - 1) * pageSize, pageSize, visibleFrom);
  return { items: items.map(parse), page: number, pageSize, total };
}

/** Reads up to `limit` messages before or after a seq (exclusive), or the newest; oldest first. */
type Read = (window: { before?: number; after?: number; limit: number }) => Promise<{ seq: number; data: string }[]>;

/** Messages by seq, oldest first: before or after one (exclusive), around one (in the middle), or the newest. */
export async function historyWindow(
  read: Read,
  { before, after, around, limit: asked }: HistoryQuery,
  limits: Limits,
): Promise<HistoryWindow> {
  const limit = Math.min(asked ?? limits.pageDefault, limits.page);
  // One more than asked for tells whether there are more.
  if (after !== undefined) {
    const [rows, older] = await Promise.all([read({ after, limit: limit + 1 }), read({ before: after + 1, limit: 1 })]);
    return result(rows.slice(0, limit), older.length > 0, rows.length > limit, limit);
  }
  if (around !== undefined) {
    const half = Math.floor(limit / 2);
    const [older, newer] = await Promise.all([
      read({ before: around, limit: half + 1 }),
      read({ after: around - 1, limit: limit - half + 1 }),
    ]);
    const rows = [...older.slice(-half || older.length), ...newer.slice(0, limit - half)];
    return result(rows, older.length > half, newer.length > limit - half, limit);
  }
  const [rows, newer] = await Promise.all([
    read({ before, limit: limit + 1 }),
    before === undefined ? [] : read({ after: before - 1, limit: 1 }),
  ]);
  return result(rows.slice(-limit), rows.length > limit, newer.length > 0, limit);
}

/** What of a room's messages a reader may see. */
export const roomReader =
  (store: Pick<MessageStore, "window">, room: string, visibleFrom: number): Read =>
  window =>
    store.window(room, { ...window, visibleFrom });

export type ReplyQuery = Pick<HistoryQuery, "before" | "after" | "limit">;

/** Without those that the user has taken out of his sight. */
export async function inSight(
  store: Pick<MessageStore, "hiddenBy">,
  user: string,
  room: string,
  messages: Message[],
): Promise<Message[]> {
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
