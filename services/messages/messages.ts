import type { AppendAnswer, Paging, ReturnsOf, RoomAccess, UserOperation } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { Limits } from "../core/limits";
import type { HistoryWindow, Identity, Message, MessageVersion, Page, Thread, UserNote } from "../core/model";
import { moderates } from "../core/permissions";
import { pageOf } from "../core/rules";
import { readable, type Rooms } from "./access";
import { checkOperation } from "./content";
import { historyWindow, inSight, readHistory, sighted, type HistoryQuery, type ReplyQuery } from "./history";
import type { MessageStore, StoredMessage } from "./message.store";
import { countsOf, receiptsOf } from "./receipts";
import type { RoomLog } from "./room-log";
import { notNoted, type MarkNotes } from "./user-feed";

/** Earlier versions shown of a message. */
const VERSIONS = 100;

/** What clients may ask of messages. Every method checks access; changes are checked again by the room's writer. */
export class Messages {
  constructor(
    private readonly store: MessageStore,
    private readonly log: Pick<RoomLog, "append">,
    private readonly notes: Pick<MarkNotes, "write">,
    private readonly limits: Limits,
  ) {}

  /** Appends for a user. Throws what the writer refused with. */
  async write(
    room: string,
    user: Identity,
    entry: UserOperation,
  ): Promise<{ message: Message; offset: number; duplicate: boolean }> {
    const [answer] = (await this.log.append([{ room, user, entry }])) as [AppendAnswer];
    if (answer.ok) return { message: parse(answer.data), offset: answer.offset, duplicate: answer.duplicate === true };
    const { code, detail, errors, retryAfterMs } = answer.error;
    throw new RookeryError(code, detail, { ...(errors && { errors }), ...(retryAfterMs && { retryAfterMs }) });
  }

  /** Changes a message known by its id alone. What no message would take is refused first: it tells nothing of this one. */
  async change(user: Identity, entry: Exclude<UserOperation, { op: "send" }>): Promise<Message> {
    checkOperation(entry, this.limits);
    return (await this.write((await this.known(entry.id)).room, user, entry)).message;
  }

  /** With the offset of the deletion; of what was deleted before with its own. */
  async remove(user: Identity, id: string): Promise<{ message: Message; offset: number }> {
    return this.write((await this.known(id)).room, user, { op: "delete", id });
  }

  async history(rooms: Rooms, user: string, room: string, query: HistoryQuery): Promise<HistoryWindow | Page<Message>> {
    const { visibleFrom } = await readable(rooms, user, room);
    return readHistory(this.store, user, room, visibleFrom, query, this.limits);
  }

  async get(rooms: Rooms, user: string, id: string): Promise<Message> {
    return parse((await this.visible(rooms, user, id)).message.data);
  }

  async pins(rooms: Rooms, user: string, room: string): Promise<ReturnsOf<"messages.pins">> {
    const { visibleFrom } = await readable(rooms, user, room);
    const all = (await this.store.pins(room)).map(parse).filter(({ offset }) => offset > visibleFrom);
    return { items: await inSight(this.store, user, room, all) };
  }

  /**
   * What a message said before is for who wrote it, for those who may delete it, and of any room for who manages channels: he
   * may export it as a whole. What a hold has kept of a deleted message is for him alone, and nobody else is told of it.
   */
  async versions(rooms: Rooms, user: Identity, id: string): Promise<ReturnsOf<"messages.versions">> {
    const manages = user.permissions.includes("channels.manage");
    const message = manages ? await this.known(id) : await this.ownOrModerated(rooms, user, id);
    if (message.deleted && !manages) return { items: [] };
    const versions = await this.store.versions(message.room, message.offset, VERSIONS);
    return { items: versions.map(version => JSON.parse(version) as MessageVersion) };
  }

  /** By the message that the thread began with, or by any of its replies: what it began with may have left the log. */
  async replies(rooms: Rooms, user: string, id: string, query: ReplyQuery): Promise<HistoryWindow> {
    if (query.before !== undefined && query.after !== undefined)
      throw new RookeryError("INVALID", "Give one of before and after.");
    const { message, access } = await this.visible(rooms, user, id);
    const { room, seq, thread: root = seq } = message;
    const { visibleFrom } = access;
    const read = sighted(this.store, user, room, window => this.store.replies(room, root, { ...window, visibleFrom }));
    return historyWindow(read, query, this.limits);
  }

  async threads(rooms: Rooms, user: string, room: string, paging: Paging): Promise<Page<Thread>> {
    const { visibleFrom } = await readable(rooms, user, room);
    const { page, pageSize } = pageOf(paging, this.limits);
    const slice = { skip: (page - 1) * pageSize, limit: pageSize, visibleFrom };
    const { items, total } = await this.store.threads(room, user, slice);
    const shown = items.map(({ root, unread, mentions, readSeq }) => ({
      root: parse(root),
      following: readSeq !== null,
      unread,
      mentions,
      readSeq: readSeq ?? 0,
    }));
    return { items: shown, page, pageSize, total };
  }

  /** Moves the user's read mark in a thread by the note of it in his feed; who has no part in it has none. */
  async readThread(rooms: Rooms, user: string, id: string, upTo: number): Promise<void> {
    const { message, access } = await this.visible(rooms, user, id);
    if (access.role === null) throw new RookeryError("FORBIDDEN", "Join first.");
    const { room, seq: root } = message;
    const seq = Math.min(upTo, parse(message.data).thread?.lastSeq ?? 0);
    const known = await this.store.threadMark(room, user, root);
    if (known === null || known >= seq) return;
    await this.notes.write(user, { kind: "thread", data: { roomId: room, threadId: id, root, seq } });
  }

  /** Takes a message out of the user's sight. The note has an id made of the message's, so that a repeat writes no other. */
  async hide(rooms: Rooms, user: string, id: string): Promise<void> {
    const { room, seq } = (await this.visible(rooms, user, id, true)).message;
    await this.note(user, `hide-${id}`, { kind: "hide", data: { roomId: room, messageId: id, seq } });
  }

  /** Of a large room only the members of the page are looked at: nothing is counted there but members. */
  async receipts(rooms: Rooms, user: string, id: string, paging: Paging): Promise<ReturnsOf<"messages.receipts">> {
    const { message, access } = await this.visible(rooms, user, id);
    const { room, sender, thread } = message;
    const inThread = thread === undefined ? null : await this.store.threadMarks(room, thread);
    // Most rooms have no more members than a page has lines: nothing said, all of them are shown.
    const { page, pageSize } = pageOf({ pageSize: this.limits.page, ...paging }, this.limits);
    if (access.large) {
      const slice = { room, except: sender, skip: (page - 1) * pageSize, limit: pageSize };
      const { ids, total } = await rooms.memberPage(slice);
      const items = receiptsOf(message, ids, await this.store.marks(room, ids), inThread);
      return { items, page, pageSize, total };
    }
    const members = await rooms.memberIds(room);
    const all = receiptsOf(message, members, await this.store.marks(room, members), inThread);
    const items = all.slice((page - 1) * pageSize, page * pageSize);
    return { items, page, pageSize, total: all.length, counts: countsOf(all) };
  }

  private async ownOrModerated(rooms: Rooms, user: Identity, id: string): Promise<StoredMessage> {
    const { message, access } = await this.visible(rooms, user.id, id);
    if (message.sender !== user.id && !moderates(user, access.role))
      throw new RookeryError("FORBIDDEN", "Not your message.");
    return message;
  }

  private async known(id: string): Promise<StoredMessage> {
    const [message] = await this.store.byIds([id]);
    if (!message) throw new RookeryError("NOT_FOUND");
    return message;
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

  private async note(user: string, changeId: string, note: UserNote): Promise<void> {
    const [answer] = await this.log.append([{ room: user, entry: { op: "user", changeId, note } }]);
    if (!answer?.ok) throw notNoted(answer);
  }
}

const parse = (data: string): Message => JSON.parse(data) as Message;
