import type { AppendAnswer, ReturnsOf, RoomAccess, UserOperation } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { Limits } from "../core/limits";
import type { HistoryWindow, Identity, Message, Page } from "../core/model";
import type { RoomBus } from "../core/room-bus";
import { readHistory, type HistoryQuery } from "./history";
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
    return readHistory(this.store, room, visibleFrom, query, this.limits);
  }

  async get(rooms: Rooms, user: string, id: string): Promise<Message> {
    return parse((await this.visible(rooms, user, id)).data);
  }

  async receipts(rooms: Rooms, user: string, id: string): Promise<ReturnsOf<"messages.receipts">> {
    const { room, seq, sender } = await this.visible(rooms, user, id);
    const [members, marks] = await Promise.all([rooms.memberIds(room), this.store.marks(room)]);
    return { items: receiptsOf({ seq, senderId: sender }, members, marks) };
  }

  /**
   * Moves one mark of the user, never beyond the head, and shows it to those who look at the room. The note in his own feed
   * comes first: whoever dies between the two leaves a mark that is asked for again, never one his devices were not told of.
   */
  async mark(rooms: Rooms, user: string, room: string, type: MarkKind, upTo: number): Promise<void> {
    const { role } = await readable(rooms, user, room);
    if (role === null) throw new RookeryError("FORBIDDEN", "Join first.");
    const seq = Math.min(upTo, (await this.store.heads([room])).get(room)?.seq ?? 0);
    if ((await this.store.markOf(room, user))[type] >= seq) return;
    await this.notes.write(user, type, room, seq);
    const marks = type === "read" ? { read: seq, delivered: seq } : { delivered: seq };
    const moved = await this.store.mark(room, user, marks).catch(() => {
      // His devices were told: it is not surely undone.
      throw new RookeryError("UNKNOWN_OUTCOME");
    });
    if (moved) this.bus.publish({ type: "signal", room, signal: { type, user, seq } });
  }

  async unread(rooms: Rooms, user: string): Promise<ReturnsOf<"messages.unread">> {
    const rows = await this.store.unread(user, await rooms.memberships(user));
    return { items: rows.map(({ room, ...row }) => ({ roomId: room, ...row })) };
  }

  /** A message the user may see. One in a room he may not read does not exist, whatever the reason. */
  private async visible(rooms: Rooms, user: string, id: string): Promise<StoredMessage> {
    const [message] = await this.store.byIds([id]);
    const access = message && (await rooms.access(user, message.room));
    if (!message || !access || access.denied || message.offset <= access.visibleFrom)
      throw new RookeryError("NOT_FOUND");
    return message;
  }
}

/** What the user may read, else the refusal that the owner of the room gives. */
async function readable(rooms: Rooms, user: string, room: string): Promise<RoomAccess> {
  const access = await rooms.access(user, room);
  if (!access || access.denied) throw new RookeryError(access?.denied ?? "NOT_FOUND");
  return access;
}

const parse = (data: string): Message => JSON.parse(data) as Message;
