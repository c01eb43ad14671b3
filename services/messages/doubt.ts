import { setTimeout as pause } from "node:timers/promises";
import { INTERNAL } from "../core/limits";
import type { RoomEvent, RoomHead } from "../core/room-bus";
import { byKey, keyText, type Job } from "./job";
import type { Entry, MessageStore } from "./message.store";

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
    this.keys = new Set(jobs.map(job => keyText(job.key)));
  }

  /** Whether the outcome of this very request is what nobody knows. */
  concerns({ key }: Job): boolean {
    return this.keys.has(keyText(key));
  }

  /**
   * Resolves, however long it takes, to the head, and what stands in the log from the first doubtful offset on. Only writing the same
   * entries again under the same offsets settles it: finding nothing proves nothing, the first attempt may still arrive.
   */
  async settle(): Promise<{ head: RoomHead; events: RoomEvent[] }> {
    const first = (this.entries[0] as Entry).offset;
    for (;;) {
      await pause(SETTLE_EVERY, undefined, { ref: false });
      try {
        if (!(await this.writeAgain())) continue;
        const { head } = await this.store.takeOver(this.room);
        const { replayEntries, replayBytes } = INTERNAL;
        return { head, events: await this.store.events(this.room, first - 1, replayEntries, replayBytes) };
      } catch {
        // The store is still in trouble; nothing else can be said before it answers.
      }
    }
  }

  /**
   * True when each entry is stored, or one is known never to be: another's stands at its offset, or its clientId stands
   * elsewhere. None after that one was ever written, and none will be: an insert ends at the first entry that is refused.
   */
  private async writeAgain(): Promise<boolean> {
    let rest = this.entries;
    while (rest.length > 0) {
      rest = rest.slice((await this.store.append(this.room, rest)).stored);
      const refused = rest[0];
      if (!refused) break;
      const { head } = await this.store.takeOver(this.room);
      const found = byKey(await this.store.repeats(this.room, rest));
      const own = rest.findIndex(entry => found.get(keyText(entry))?.offset !== entry.offset);
      // What refused it may not be durable yet, and then not be shown: no answer so far.
      if (own === 0) return found.has(keyText(refused)) || head.offset >= refused.offset;
      rest = own === -1 ? [] : rest.slice(own);
    }
    return true;
  }
}
