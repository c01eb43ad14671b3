import type { Body } from "./rest";
import type { Frame, SocketClient } from "./socket";

/** What a device knows of a room. */
export interface RoomView {
  unread: number;
  mentions: number;
  lastSeq: number;
  readSeq: number;
  unreadFrom?: number;
  threads?: number;
}

/**
 * Unread of one room as a device works it out, from what `GET /api/unread` told when it came and from nothing else but the
 * frames it got since: events of the room and notes of its user's own feed, as docs/clients.md says.
 */
export function viewOf(socket: SocketClient, user: string, room: string): RoomView {
  const messages = new Map<number, Body>();
  const hidden = new Set<number>();
  /** Read marks in the threads he has part in, by the id of what they began with. */
  const parts = new Map<string, number>();
  let threadsRead = 0;
  let own = 0;
  let readSeq = 0;
  let marked: { seq: number; offset: number } | null = null;
  const reading = (seq: number): void => {
    readSeq = Math.max(readSeq, seq);
    marked = null;
  };
  for (const { t, kind, data, room: of, offset } of socket.frames) {
    if (t === "event" && of === room) {
      if (kind === "message" || kind === "delete" || kind === "edit") messages.set(data.seq, data);
      const thread = (kind === "message" || kind === "edit") && (data.threadId as string | undefined);
      const joined = kind === "member" && data.change === "join" && data.userId === user;
      if (thread) {
        const mine = kind === "message" && data.senderId === user;
        const began = [...messages.values()].some(({ id, senderId }) => id === thread && senderId === user);
        const named = ((data.mentions ?? []) as string[]).includes(user);
        if (mine || began || named) parts.set(thread, Math.max(parts.get(thread) ?? 0, mine ? data.seq : 0));
      } else if (joined || (kind === "message" && data.senderId === user)) {
        own = offset as number;
        readSeq = Math.max(readSeq, joined ? messages.size : data.seq);
        if (joined) threadsRead = messages.size;
      }
    }
    if (t !== "user" || (data.roomId ?? room) !== room) continue;
    if (kind === "read") reading(data.seq);
    if (kind === "readAll")
      for (const mark of data.marks as { roomId: string; seq: number }[])
        if (mark.roomId === room) {
          reading(mark.seq);
          threadsRead = Math.max(threadsRead, mark.seq);
        }
    if (kind === "thread") parts.set(data.threadId, Math.max(parts.get(data.threadId) ?? 0, data.seq));
    if (kind === "hide") hidden.add(data.seq);
    if (kind === "unread") marked = { seq: data.seq, offset: data.offset };
  }
  // Devices hear of a message of their own and of their notes in either order: the offsets tell.
  const again: { seq: number; offset: number } | null = marked;
  const from = again && own <= (again as { offset: number }).offset ? (again as { seq: number }).seq : 0;
  const seen = from > 0 ? Math.min(from - 1, readSeq) : readSeq;
  const counting = [...messages.values()].filter(
    ({ seq, senderId, deletedAt }) => senderId !== user && deletedAt === undefined && !hidden.has(seq),
  );
  const counted = counting.filter(({ seq, threadId }) => seq > seen && threadId === undefined);
  const threads = [...parts].filter(([id, read]) => {
    const root = [...messages.values()].find(message => message.id === id);
    if (!root || hidden.has(root.seq)) return false;
    return counting.some(({ seq, threadId }) => threadId === id && seq > Math.max(read, threadsRead));
  }).length;
  return {
    unread: counted.length,
    mentions: counted.filter(({ mentions = [] }) => (mentions as string[]).includes(user)).length,
    lastSeq: messages.size,
    readSeq,
    ...(seen < readSeq && { unreadFrom: seen + 1 }),
    ...(threads > 0 && { threads }),
  };
}

export const marksTold = (socket: SocketClient, room: string): Frame[] =>
  socket.frames.filter(frame => (frame.t === "read" || frame.t === "delivered") && frame.room === room);
