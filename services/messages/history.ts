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
  return historyWindow(store, room, visibleFrom, query, limits);
}

async function page(store: MessageStore, room: string, visibleFrom: number, query: HistoryQuery, limits: Limits) {
  const { page: number, pageSize } = pageOf(query, limits);
  const { items, total } = await store.page(room, (number - 1) * pageSize, pageSize, visibleFrom);
  return { items: items.map(parse), page: number, pageSize, total };
}

/** Messages by seq, oldest first: before or after one (exclusive), around one (in the middle), or the newest. */
export async function historyWindow(
  store: MessageStore,
  room: string,
  visibleFrom: number,
  { before, after, around, ...query }: HistoryQuery,
  limits: Limits,
): Promise<HistoryWindow> {
  const limit = Math.min(query.limit ?? limits.pageDefault, limits.page);
  const read = (bounds: { before?: number; after?: number }, count: number) =>
    store.window(room, { ...bounds, limit: count, visibleFrom });
  // One more than asked for tells whether there are more.
  if (after !== undefined) {
    const [rows, older] = await Promise.all([read({ after }, limit + 1), read({ before: after + 1 }, 1)]);
    return result(rows.slice(0, limit), older.length > 0, rows.length > limit, limit);
  }
  if (around !== undefined) {
    const half = Math.floor(limit / 2);
    const [older, newer] = await Promise.all([
      read({ before: around }, half + 1),
      read({ after: around - 1 }, limit - half + 1),
    ]);
    const rows = [...older.slice(-half || older.length), ...newer.slice(0, limit - half)];
    return result(rows, older.length > half, newer.length > limit - half, limit);
  }
  const [rows, newer] = await Promise.all([
    read({ before }, limit + 1),
    before === undefined ? [] : read({ after: before - 1 }, 1),
  ]);
  return result(rows.slice(-limit), rows.length > limit, newer.length > 0, limit);
}

export type ReplyQuery = Pick<HistoryQuery, "before" | "after" | "limit">;

/** Replies of a thread: before or after a seq (exclusive), or the newest. Throws INVALID where both are asked for. */
export async function repliesWindow(
  read: (window: ReplyQuery & { limit: number }) => Promise<{ seq: number; data: string }[]>,
  { before, after, limit: asked }: ReplyQuery,
  limits: Limits,
): Promise<HistoryWindow> {
  if (before !== undefined && after !== undefined) throw new RookeryError("INVALID", "Give one of before and after.");
  const limit = Math.min(asked ?? limits.pageDefault, limits.page);
  if (after !== undefined) {
    const [rows, older] = await Promise.all([read({ after, limit: limit + 1 }), read({ before: after + 1, limit: 1 })]);
    return result(rows.slice(0, limit), older.length > 0, rows.length > limit, limit);
  }
  const [rows, newer] = await Promise.all([
    read({ before, limit: limit + 1 }),
    before === undefined ? [] : read({ after: before - 1, limit: 1 }),
  ]);
  return result(rows.slice(-limit), rows.length > limit, newer.length > 0, limit);
}

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
