import type { Membership, Paging } from "../core/contract";
import type { Limits } from "../core/limits";
import type { MemberMarks, Message, OpenedRoom, Page, RoomLine } from "../core/model";
import type { Rooms } from "./access";
import { historyWindow, inSight, roomReader, type HistoryQuery } from "./history";
import type { MessageStore, UnreadRow } from "./message.store";

/** Rooms of a page of the list at most. */
const ROOMS = 500;
/** Messages before a room's last, where that is hidden or in a thread, that one to show is looked for among. */
const LOOK_BACK = 1_000;
/** Members that come with an opened room. */
const MEMBERS = 100;

/**
 * All that shows a room. Its position is taken first: what happens while the rest is read comes after it, and may be in what
 * is read already.
 */
export async function openRoom(
  store: MessageStore,
  rooms: Rooms,
  user: string,
  id: string,
  query: Pick<HistoryQuery, "around" | "limit">,
  limits: Limits,
): Promise<OpenedRoom> {
  const { offset = 0, seq = 0 } = (await store.heads([id])).get(id) ?? {};
  const { room, access, members } = await rooms.view(user, id, Math.min(MEMBERS, limits.page));
  const { role, visibleFrom } = access;
  const people = members.items.map(({ userId }) => userId).filter(userId => userId !== user);
  const [found, pinned, others, mine] = await Promise.all([
    historyWindow(roomReader(store, user, id, visibleFrom), query, limits),
    store.pins(id),
    store.marks(id, people),
    role === null ? null : ownPlace(store, user, id, visibleFrom),
  ]);
  const byUser = new Map(others.map(mark => [mark.user, mark]));
  const shown = people.map((userId): MemberMarks => {
    const { read = 0, delivered = 0 } = byUser.get(userId) ?? {};
    return { userId, read, delivered };
  });
  const all = pinned.map(data => JSON.parse(data) as Message).filter(message => message.offset > visibleFrom);
  const pins = await inSight(store, user, id, all);
  const { limit: _limit, ...history } = found;
  return { room, role, members, marks: { mine, others: shown }, history, pins, offset, seq, epoch: store.epoch };
}

async function ownPlace(
  store: MessageStore,
  user: string,
  room: string,
  visibleFrom: number,
): Promise<OpenedRoom["marks"]["mine"]> {
  const [[row], { delivered }] = await Promise.all([
    store.unread(user, [{ room, visibleFrom }]),
    store.markOf(room, user),
  ]);
  const { room: _room, lastSeq: _last, ...place } = row as UnreadRow;
  return { ...place, deliveredSeq: delivered };
}

/** The user's rooms with what is new in each, newest activity first. */
export async function roomList(
  store: MessageStore,
  rooms: Rooms,
  user: string,
  paging: Paging,
  limits: Limits,
): Promise<Page<RoomLine>> {
  const { page = 1 } = paging;
  const most = Math.min(ROOMS, limits.rooms);
  const pageSize = Math.min(paging.pageSize ?? most, most);
  const mine = await rooms.memberships(user);
  const rows = new Map((await store.unread(user, mine)).map(row => [row.room, row]));
  const last = await lastMessages(store, user, mine, rows);
  const times = new Map(mine.map(({ room, joinedAt }) => [room, last.get(room)?.at ?? joinedAt]));
  const ids = mine.map(({ room }) => room).sort((one, other) => order(times, one, other));
  const shown = await rooms.shown(user, ids.slice((page - 1) * pageSize, page * pageSize));
  const items = shown.flatMap((room): RoomLine[] => {
    const row = rows.get(room.id);
    if (!row) return [];
    const { room: _id, ...counts } = row;
    return [{ room, lastMessage: last.get(room.id)?.shown ?? null, ...counts }];
  });
  return { items, page, pageSize, total: mine.length };
}

/**
 * Of each room when its last message came, whatever that is, and the last to show: not in a thread, and not hidden by the
 * user. Mostly these are the same message.
 */
async function lastMessages(
  store: MessageStore,
  user: string,
  mine: readonly Membership[],
  rows: ReadonlyMap<string, UnreadRow>,
): Promise<Map<string, { at: string; shown: Message | null }>> {
  const places = mine.map(({ room }) => ({ room, seq: rows.get(room)?.lastSeq ?? 0 })).filter(({ seq }) => seq > 0);
  const [found, out] = await Promise.all([store.messagesAt(places), store.hiddenAmong(user, places)]);
  const newest = new Map([...found].map(([room, data]) => [room, JSON.parse(data) as Message]));
  const hidden = new Set(out);
  const aside = places.filter(({ room }) => hidden.has(room) || newest.get(room)?.threadId !== undefined);
  const asideOf = new Set(aside.map(({ room }) => room));
  const before = aside.length > 0 ? await store.lastBefore(user, aside, LOOK_BACK) : new Map<string, string>();
  const last = new Map<string, { at: string; shown: Message | null }>();
  for (const { room, visibleFrom } of mine) {
    const message = newest.get(room);
    if (!message || message.offset <= visibleFrom) continue;
    const shown = asideOf.has(room) ? (JSON.parse(before.get(room) ?? "null") as Message | null) : message;
    last.set(room, { at: message.createdAt, shown: shown && shown.offset > visibleFrom ? shown : null });
  }
  return last;
}

/** Newest first; at the same time the younger room. */
function order(times: ReadonlyMap<string, string>, one: string, other: string): number {
  const [a, b] = [times.get(one) ?? "", times.get(other) ?? ""];
  if (a === b) return one < other ? 1 : -1;
  return a < b ? 1 : -1;
}
