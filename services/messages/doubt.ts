import { INTERNAL } from "../core/limits";
import type { RoomEvent } from "../core/room-bus";
import { keyText, type Job } from "./job";
import { eventOf, type Entry, type MessageStore } from "./message.store";

/** Milliseconds between attempts to settle. */
const SETTLE_EVERY = 500;

/** Entries written with unknown outcome. Until it is settled the room takes nothing new. */
export class Doubt {
  private readonly keys: Set<string>;

  constructor(
    private readonly room: string,
    private readonly entries: readonly Entry[],
    jobs: readonly Job[],
    private readonly store: MessageStore,
  ) {
    this.keys = new Set(jobs.flatMap(job => (job.key ? keyText(job.key) : [])));
  }

  /** Whether the outcome of this very request is what nobody knows. */
  concerns({ key }: Job): boolean {
    return key !== null && this.keys.has(keyText(key));
  }

  /**
   * Resolves, however long it takes, to what stands in the log from the first doubtful offset on. Only writing the same
   * entries again under the same offsets settles it: finding nothing proves nothing, the first attempt may still arrive.
   */
  async settle(): Promise<RoomEvent[]> {
    const first = (this.entries[0] as Entry).offset;
    for (;;) {
      await new Promise(resolve => setTimeout(resolve, SETTLE_EVERY));
      try {
        await this.writeAgain();
        return await this.store.events(this.room, first - 1, INTERNAL.replayEntries, INTERNAL.replayBytes);
      } catch {
        // The store is still in trouble; nothing else can be said before it answers.
      }
    }
  }

  /** Ends when each entry is stored, or another writer's stands at its offset: then none after it was ever written. */
  private async writeAgain(): Promise<void> {
    for (let from = 0; from < this.entries.length; from++) {
      from += (await this.store.append(this.room, this.entries.slice(from))).stored;
      const refused = this.entries[from];
      if (!refused) return;
      const [found] = await this.store.events(this.room, refused.offset - 1, 1, 1);
      if (found?.kind !== refused.kind || found.data !== eventOf(refused).data) return;
    }
  }
}
