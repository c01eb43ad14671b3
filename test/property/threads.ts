import type { Message, Thread } from "../../services/core/model";

/** What one has of a thread. */
interface Part {
  /** One began it, replied or was named there. */
  following: boolean;
  readSeq: number;
}

/** What one has of the threads of a room, by the message each began with. */
export class Threads {
  /**
   * One may have part in a thread by a reply that was told as it is by now, so that nobody knows whom it named; or in one whose
   * earlier replies one may have read long ago with all others: ask.
   */
  unsure = false;
  /** Up to there all is read in whatever thread: one came after it, or has read all. */
  private all = 0;
  private readonly parts = new Map<string, Part>();

  begin(threads: readonly Thread[]): void {
    this.unsure = false;
    this.parts.clear();
    for (const { root, following, readSeq } of threads) this.parts.set(root.id, { following, readSeq });
  }

  follow(root: string): void {
    this.part(root).following = true;
  }

  follows(root: string): boolean {
    return this.parts.get(root)?.following === true;
  }

  readAll(seq: number): void {
    this.all = Math.max(this.all, seq);
  }

  read(root: string, seq: number): void {
    const part = this.part(root);
    part.readSeq = Math.max(part.readSeq, seq);
  }

  /** As the list shows it: who has no part in it has nothing unread there, and no mark. */
  of(root: Message, messages: readonly Message[], me: string): Omit<Thread, "root"> {
    const { following, readSeq: own } = this.parts.get(root.id) ?? NONE;
    if (!following) return { following, unread: 0, mentions: 0, readSeq: 0 };
    const readSeq = Math.max(own, this.all);
    const unread = messages.filter(
      ({ threadId, seq, senderId, deletedAt }) =>
        threadId === root.id && seq > readSeq && senderId !== me && deletedAt === undefined,
    );
    return { following, unread: unread.length, mentions: unread.filter(one => names(one, me)).length, readSeq };
  }

  private part(root: string): Part {
    const part = this.parts.get(root) ?? { ...NONE };
    this.parts.set(root, part);
    return part;
  }
}

export const names = ({ mentions, mentionsAll }: Message, user: string): boolean =>
  mentionsAll === true || mentions?.includes(user) === true;

const NONE: Part = { following: false, readSeq: 0 };
