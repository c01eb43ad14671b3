import type { OwnEntry, ReturnsOf } from "../core/contract";
import type { Message } from "../core/model";
import type { MessageStore } from "./message.store";

/** Bytes of messages in one page, at least one message: an answer goes over a bus that carries 1 MiB. */
const PAGE_BYTES = 512 * 1024;

/** Earlier versions of one message that leave: those it had last. */
const VERSIONS = 1_000;

/** What leaves a room's log as a whole, page by page. Whoever asks was let in. */
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

  /** The same of what it said before, as much as fits into an answer, and at least one. */
  async versions(room: string, offset: number, skip: number): Promise<ReturnsOf<"messages.exportVersions">> {
    const kept = (await this.store.versions(room, offset, VERSIONS)).slice(skip);
    let bytes = 0;
    const end = kept.findIndex((version, at) => (bytes += Buffer.byteLength(version)) > PAGE_BYTES && at > 0);
    return { items: end === -1 ? kept : kept.slice(0, end), more: end !== -1 };
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
