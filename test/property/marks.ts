import type { Unread } from "../../services/core/model";
import type { Head } from "./model";

/** How far one has read, as docs/clients.md says a device works it out. */
export class Marks {
  /** The further of one's marks, the one that others see and the private one. */
  readSeq = 0;
  /** Of one's last message or joining. */
  private own = 0;
  /** From `seq` on messages count again, unless one has sent or come beyond the offset `at`. */
  private marked: { seq: number; at: number } | null = null;

  /** @param head where the room stood before it was asked: what one had sent up to there is in the answer */
  begin(unread: Unread | null, head: Head): void {
    this.readSeq = Math.max(this.readSeq, unread?.readSeq ?? 0);
    this.marked = unread?.unreadFrom === undefined ? null : { seq: unread.unreadFrom, at: head.offset };
  }

  /** Marks never go back; what was marked unread is read. */
  read(seq: number): void {
    this.readSeq = Math.max(this.readSeq, seq);
    this.marked = null;
  }

  markUnread(seq: number, at: number): void {
    this.marked = { seq, at };
  }

  /** One has sent, or come in, at an offset, where the wire tells of it. */
  came(seq: number, offset: number): void {
    this.readSeq = Math.max(this.readSeq, seq);
    this.own = Math.max(this.own, offset);
  }

  /** Messages after it count as unread. */
  get seen(): number {
    const { marked, own, readSeq } = this;
    return marked && own <= marked.at ? Math.min(marked.seq - 1, readSeq) : readSeq;
  }
}
