import type { ParamsOf, RoomAccess } from "../core/contract";

export type Ask = ParamsOf<"rooms.accessMany">["asks"][number];

/** Rooms of one question, over all users. */
const BATCH = 500;
/** Questions under way. */
const QUESTIONS = 8;
/** Milliseconds after a question in which the next one collects. */
const COLLECT = 4;

interface Waiter {
  ask: Ask;
  resolve(access: RoomAccess[]): void;
  reject(error: unknown): void;
}

/**
 * Joins what is asked about rights into few questions: when a thousand come back at once, their hellos cost a few reads of
 * the store. Who is alone is asked for at once; after a question the next one collects for a moment, or until it is full,
 * since a call and the way to the store and back cost the same for one as for many. Nobody joins one that was sent, since it
 * may have seen rights as they were before he asked.
 */
export class AccessReader {
  private waiting: Waiter[] = [];
  /** Rooms of those who wait. */
  private rooms = 0;
  private underWay = 0;
  private sentAt = -Infinity;
  private flushing = false;
  private collecting = false;

  constructor(private readonly access: (asks: Ask[]) => Promise<RoomAccess[][]>) {}

  /** One answer for each room asked, in the order asked. Rejects when it is not known. */
  read(user: string, browses: boolean, rooms: string[]): Promise<RoomAccess[]> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ ask: { user, browses, rooms }, resolve, reject });
      this.rooms += rooms.length;
      if (this.flushing) return;
      this.flushing = true;
      setImmediate(() => {
        this.flushing = false;
        this.flush();
      });
    });
  }

  private flush(): void {
    while (this.waiting.length > 0 && this.underWay < QUESTIONS && this.isDue()) void this.ask(this.take());
    if (this.waiting.length === 0 || this.underWay === QUESTIONS || this.collecting) return;
    this.collecting = true;
    setTimeout(() => {
      this.collecting = false;
      this.flush();
    }, COLLECT);
  }

  private isDue(): boolean {
    return this.rooms >= BATCH || performance.now() - this.sentAt >= COLLECT;
  }

  /** Those who have waited longest, each with all of his rooms. */
  private take(): Waiter[] {
    let size = 0;
    let count = 0;
    for (const { ask } of this.waiting) {
      if (count > 0 && size + ask.rooms.length > BATCH) break;
      size += ask.rooms.length;
      count++;
    }
    this.rooms -= size;
    return this.waiting.splice(0, count);
  }

  private async ask(batch: readonly Waiter[]): Promise<void> {
    this.underWay++;
    this.sentAt = performance.now();
    try {
      const answers = await this.access(batch.map(({ ask }) => ask));
      batch.forEach(({ resolve }, index) => resolve(answers[index] ?? []));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    this.underWay--;
    this.flush();
  }
}
