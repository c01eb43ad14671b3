import type { OwnEntry, ReturnsOf } from "../core/contract";
import type { Message } from "../core/model";
import type { MessageStore } from "./message.store";

/** Bytes of messages in one page, at least one message: an answer goes over a bus that carries 1 MiB. */
const PAGE_BYTES = 512 * 1024;

/** What leaves a room's log as a whole, page by page, and what is put right after an import. Whoever asks was let in. */
export class Transfer {
  constructor(private readonly store: MessageStore) {}

  async page(
    room: string,
    { after, upTo, limit, visibleFrom }: { after: number; upTo: number; limit: number; visibleFrom: number },
  ): Promise<ReturnsOf<"messages.exportPage">> {
    const rows = await this.store.window(room, { after, limit, visibleFrom });
    const items: ReturnsOf<"messages.exportPage">["items"] = [];
    let bytes = 0;
    for (const { seq, data } of rows) {
      bytes += Buffer.byteLength(data);
      if (seq > upTo) return { items, more: false };
      if (bytes > PAGE_BYTES && items.length > 0) return { items, more: true };
      items.push({ seq, data, ...(isCut(data) && { cut: true as const }) });
    }
    return { items, more: rows.length === limit };
  }

  /** The whole list is read for each part of it: a message with thousands of reactions is rare. */
  async reactions(
    room: string,
    offset: number,
    skip: number,
    limit: number,
  ): Promise<{ emoji: string; user: string }[]> {
    return (await this.store.reactions(room, offset)).slice(skip, skip + limit);
  }

  async own(
    room: string,
    user: string,
    after: string,
    limit: number,
  ): Promise<{ items: OwnEntry[]; next: string | null }> {
    const { entries, next } = await this.store.ownEntries(room, user, after, limit);
    const items: OwnEntry[] = [];
    let bytes = 0;
    let last = after;
    for (const { clientId, kind, data } of entries) {
      bytes += Buffer.byteLength(data);
      if (bytes > PAGE_BYTES && items.length > 0) return { items, next: last };
      items.push(kind === "message" ? { type: "message", data } : reactionOf(data));
      last = clientId;
    }
    return { items, next };
  }

  /** Nobody shall find unread what was said years ago. Feeds are not told: a device finds the mark when it asks. */
  async mark(room: string, users: readonly string[], upTo: number): Promise<void> {
    const seq = Math.min(upTo, (await this.store.heads([room])).get(room)?.seq ?? 0);
    await this.store.advance(users.map(user => ({ room, user, read: seq, delivered: seq })));
  }
}

function reactionOf(data: string): OwnEntry {
  const { messageId, emoji } = JSON.parse(data) as { messageId: string; emoji: string };
  return { type: "reaction", messageId, emoji };
}

/** Cheap first: most messages have no reactions. */
function isCut(data: string): boolean {
  if (!data.includes('"reactions"')) return false;
  const { reactions = [] } = JSON.parse(data) as Message;
  return reactions.some(({ count, users }) => count > users.length);
}
