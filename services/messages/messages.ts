import type { AppendAnswer, Paging, ReturnsOf, RoomAccess, UserOperation } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import type { Limits } from "../core/limits";
import type { HistoryWindow, Identity, Message, MessageVersion, Page, Thread, UserNote } from "../core/model";
import { runsRoom } from "../core/permissions";
import type { RoomBus } from "../core/room-bus";
import { pageOf } from "../core/rules";
import { readHistory, repliesWindow, type HistoryQuery, type ReplyQuery } from "./history";
import type { MessageStore, StoredMessage } from "./message.store";
import { receiptsOf } from "./receipts";
import type { RoomLog } from "./room-log";
import type { MarkKind, MarkNotes } from "./user-feed";

/** The owner of rooms, asked on behalf of one request. */
export interface Rooms {
  access(user: string, room: string): Promise<RoomAccess | undefined>;
  memberIds(room: string): Promise<string[]>;
  memberships(user: string): Promise<ReturnsOf<"rooms.memberships">>;
}

/** Earlier versions shown of a message. */
const VERSIONS = 100;

/** What clients may ask of messages. Every method checks access; changes are checked again by the room's writer. */
export class Messages {
  constructor(
    private readonly store: MessageStore,
    private readonly log: Pick<RoomLog, "append">,
    private readonly notes: MarkNotes,
    private readonly bus: RoomBus,
    private readonly limits: Limits,
  ) {}

  /** Appends for a user. Throws what the writer refused with. */
  async write(room: string, user: Identity, entry: UserOperation): Promise<{ message: Message; duplicate: boolean }> {
    const [answer] = (await this.log.append([{ room, user, entry }])) as [AppendAnswer];
    if (answer.ok) return { message: parse(answer.data), duplicate: answer.duplicate === true };
    const { code, detail, errors, retryAfterMs } = answer.error;
    throw new RookeryError(code, detail, { ...(errors && { errors }), ...(retryAfterMs && { retryAfterMs }) });
  }

  /** Changes a message known by its id alone. */
  async change(user: Identity, entry: Exclude<UserOperation, { op: "send" }>): Promise<Message> {
    const [message] = await this.store.byIds([entry.id]);
    if (!message) throw new RookeryError("NOT_FOUND");
    return (await this.write(message.room, user, entry)).message;
  }

  async history(rooms: Rooms, user: string, room: string, query: HistoryQuery): Promise<HistoryWindow | Page<Message>> {
    const { visibleFrom } = await readable(rooms, user, room);
    const found = await readHistory(this.store, room, visibleFrom, query, this.limits);
    return { ...found, items: await this.inSight(user, room, found.items) };
  }

  async get(rooms: Rooms, user: string, id: string): Promise<Message> {
    return parse((await this.visible(rooms, user, id)).message.data);
  }

  async pins(rooms: Rooms, user: string, room: string): Promise<ReturnsOf<"messages.pins">> {
    const { visibleFrom } = await readable(rooms, user, room);
    const all = (await this.store.pins(room)).map(parse).filter(({ offset }) => offset > visibleFrom);
    return { items: await this.inSight(user, room, all) };
  }

  /** What a message said before is for who wrote it and for those who may delete it. */
  async versions(rooms: Rooms, user: Identity, id: string): Promise<ReturnsOf<"messages.versions">> {
    const { message, access } = await this.visible(rooms, user.id, id);
    const may = message.sender === user.id || runsRoom(access.role) || user.permissions.includes("messages.moderate");
    if (!may) throw new RookeryError("FORBIDDEN", "Not your message.");
    const versions = await this.store.versions(message.room, message.offset, VERSIONS);
    return { items: versions.map(version => JSON.parse(version) as MessageVersion) };
  }

  async replies(rooms: Rooms, user: string, id: string, query: ReplyQuery): Promise<HistoryWindow> {
    const { message } = await this.visible(rooms, user, id);
    const read = (window: ReplyQuery & { limit: number }) => this.store.replies(message.room, message.seq, window);
    const found = await repliesWindow(read, query, this.limits);
    return { ...found, items: await this.inSight(user, message.room, found.items) };
  }

  async threads(rooms: Rooms, user: string, room: string, paging: Paging): Promise<Page<Thread>> {
    const { visibleFrom } = await readable(rooms, user, room);
    const { page, pageSize } = pageOf(paging, this.limits);
    const slice = { skip: (page - 1) * pageSize, limit: pageSize, visibleFrom };
    const { items, total } = await this.store.threads(room, user, slice);
    const shown = items.map(({ root, unread, readSeq }) => ({
      root: parse(root),
      following: readSeq !== null,
      unread,
      readSeq: readSeq ?? 0,
    }));
    return { items: shown, page, pageSize, total };
  }

  /** Moves the user's read mark in a thread; who has no part in it has none. The note in his feed comes first, as for rooms. */
  async readThread(rooms: Rooms, user: string, id: string, upTo: number): Promise<void> {
    const { message, access } = await this.visible(rooms, user, id);
    if (access.role === null) throw new RookeryError("FORBIDDEN", "Join first.");
    const { room, seq: root } = message;
    const seq = Math.min(upTo, parse(message.data).thread?.lastSeq ?? 0);
    const known = await this.store.threadMark(room, user, root);
    if (known === null || known >= seq) return;
    await this.note(user, newId(), { kind: "thread", data: { roomId: room, threadId: id, seq } });
    await this.store.markThread(room, user, root, seq).catch(unknown);
  }

  /** Takes a message out of the user's sight. The note has the message's id for its own, so that a repeat writes no other. */
  async hide(rooms: Rooms, user: string, id: string): Promise<void> {
    const { room, seq } = (await this.visible(rooms, user, id, true)).message;
    await this.note(user, `hide-${id}`, { kind: "hide", data: { roomId: room, messageId: id, seq } });
    await this.store.hide(room, user, seq).catch(unknown);
  }

  async receipts(rooms: Rooms, user: string, id: string): Promise<ReturnsOf<"messages.receipts">> {
    const { room, seq, sender } = (await this.visible(rooms, user, id)).message;
    const [members, marks] = await Promise.all([rooms.memberIds(room), this.store.marks(room)]);
    return { items: receiptsOf({ seq, senderId: sender }, members, marks) };
  }

  /**
   * Moves one mark of the user, never beyond the head, and shows it to those who look at the room, unless that is large. The note in his own feed
   * comes first: whoever dies between the two leaves a mark that is asked for again, never one his devices were not told of.
   */
  async mark(rooms: Rooms, user: string, room: string, type: MarkKind, upTo: number): Promise<void> {
    const { role, large } = await readable(rooms, user, room);
    if (role === null) throw new RookeryError("FORBIDDEN", "Join first.");
    const seq = Math.min(upTo, (await this.store.heads([room])).get(room)?.seq ?? 0);
    if ((await this.store.markOf(room, user))[type] >= seq) return;
    await this.notes.write(user, type, room, seq);
    const marks = type === "read" ? { read: seq, delivered: seq } : { delivered: seq };
    const moved = await this.store.mark(room, user, marks).catch(unknown);
    if (moved && !large) this.bus.publish({ type: "signal", room, signal: { type, user, seq } });
  }

  /** Moves the read marks of newcomers to the head. May be repeated: what comes meanwhile they have read then, too. */
  async start(room: string, users: readonly string[]): Promise<void> {
    const seq = (await this.store.heads([room])).get(room)?.seq ?? 0;
    await Promise.all(users.map(user => this.store.mark(room, user, { read: seq, delivered: seq })));
  }

  async unread(rooms: Rooms, user: string): Promise<ReturnsOf<"messages.unread">> {
    const rows = await this.store.unread(user, await rooms.memberships(user));
    return { items: rows.map(({ room, ...row }) => ({ roomId: room, ...row })) };
  }

  /** A message the user may see. One in a room he may not read does not exist, whatever the reason. */
  private async visible(
    rooms: Rooms,
    user: string,
    id: string,
    evenHidden = false,
  ): Promise<{ message: StoredMessage; access: RoomAccess }> {
    const [message] = await this.store.byIds([id]);
    const access = message && (await rooms.access(user, message.room));
    if (!message || !access || access.denied || message.offset <= access.visibleFrom)
      throw new RookeryError("NOT_FOUND");
    const { room, seq } = message;
    if (!evenHidden && (await this.store.hiddenBy(user, room, seq, seq)).length > 0)
      throw new RookeryError("NOT_FOUND");
    return { message, access };
  }

  /** Without those that the user has hidden. */
  private async inSight(user: string, room: string, messages: Message[]): Promise<Message[]> {
    if (messages.length === 0) return messages;
    const seqs = messages.map(({ seq }) => seq);
    const hidden = new Set(await this.store.hiddenBy(user, room, Math.min(...seqs), Math.max(...seqs)));
    return hidden.size === 0 ? messages : messages.filter(({ seq }) => !hidden.has(seq));
  }

  private async note(user: string, changeId: string, note: UserNote): Promise<void> {
    const [answer] = await this.log.append([{ room: user, entry: { op: "user", changeId, note } }]);
    if (!answer?.ok) throw new RookeryError(answer?.error.code === "UNAVAILABLE" ? "UNAVAILABLE" : "UNKNOWN_OUTCOME");
  }
}

/** His devices were told: it is not surely undone. */
const unknown = (): never => {
  throw new RookeryError("UNKNOWN_OUTCOME");
};

/** What the user may read, else the refusal that the owner of the room gives. */
async function readable(rooms: Rooms, user: string, room: string): Promise<RoomAccess> {
  const access = await rooms.access(user, room);
  if (!access || access.denied) throw new RookeryError(access?.denied ?? "NOT_FOUND");
  return access;
}

const parse = (data: string): Message => JSON.parse(data) as Message;
