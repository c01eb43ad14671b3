import type { ParamsOf, RoomAccess } from "../core/contract";
import { Lanes } from "./lanes";

export type Ask = ParamsOf<"rooms.accessMany">["asks"][number];

/** Rooms of one read, over all users. */
const BATCH = 500;
/** Reads under way. */
const READS = 8;

interface Waiter {
  ask: Ask;
  resolve(access: RoomAccess[]): void;
  reject(error: unknown): void;
}

/**
 * Joins what is asked in a tick about rights into one call: when a thousand come back at once, their hellos cost a few
 * reads of the store. Nobody joins a read that was sent, since it may have seen rights as they were before he asked.
 */
export class AccessReader {
  private waiting: Waiter[] = [];
  private readonly lanes = new Lanes(READS);

  constructor(private readonly access: (asks: Ask[]) => Promise<RoomAccess[][]>) {}

  /** One answer for each room asked, in the order asked. Rejects when it is not known. */
  read(user: string, rooms: string[]): Promise<RoomAccess[]> {
    return new Promise((resolve, reject) => {
      if (this.waiting.length === 0) setImmediate(() => this.flush());
      this.waiting.push({ ask: { user, rooms }, resolve, reject });
    });
  }

  private flush(): void {
    const all = this.waiting;
    this.waiting = [];
    let batch: Waiter[] = [];
    let size = 0;
    for (const waiter of all) {
      const { length } = waiter.ask.rooms;
      if (batch.length > 0 && size + length > BATCH) {
        void this.ask(batch);
        batch = [];
        size = 0;
      }
      batch.push(waiter);
      size += length;
    }
    void this.ask(batch);
  }

  private async ask(batch: readonly Waiter[]): Promise<void> {
    try {
      const answers = await this.lanes.run(() => this.access(batch.map(({ ask }) => ask)));
      batch.forEach(({ resolve }, index) => resolve(answers[index] ?? []));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
