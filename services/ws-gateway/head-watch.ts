import type { LogHead } from "../core/contract";
import type { RoomFeed } from "./feed";
import { BATCH } from "./head-reader";

/** Milliseconds between looks at the rooms in which something happens. */
const EVERY = 15_000;
/** Milliseconds without an entry after which a room is quiet. */
const ACTIVE = 600_000;
/** Milliseconds after which the rooms of a lost writer are looked at again: its last batch may have been on its way. */
const AGAIN = 15_000;

export interface HeadWatchDependencies {
  /** The rooms that are followed here. */
  feeds(): RoomFeed[];
  /** Heads of at most {@link BATCH} rooms. */
  heads(rooms: string[]): Promise<Record<string, LogHead>>;
  /** Milliseconds, monotonic. */
  now(): number;
}

/**
 * Notices lost last entries, which show no gap: compares how far the rooms are here with how far their logs are. Needed
 * where the bus can lose, that is between processes.
 */
export class HeadWatch {
  /** Rooms to be read with the next tick: it is time, or their heads could not be read. */
  private readonly due = new Set<RoomFeed>();
  private readonly later: { at: number; feeds: RoomFeed[] }[] = [];
  private lookedAt: number;
  private looking = false;

  constructor(private readonly with_: HeadWatchDependencies) {
    this.lookedAt = with_.now();
  }

  /** After an outage of the bus: every room. */
  all(): void {
    void this.compare(this.with_.feeds());
  }

  /** After the loss of a writer: the rooms it wrote, now and again a little later. */
  lost(wrote: (room: string) => boolean): void {
    const feeds = this.with_.feeds().filter(({ room }) => wrote(room));
    if (feeds.length === 0) return;
    this.later.push({ at: this.with_.now() + AGAIN, feeds });
    void this.compare(feeds);
  }

  /** For a timer, once a second. */
  tick(): void {
    const now = this.with_.now();
    for (let next = this.later[0]; next && next.at <= now; next = this.later[0]) {
      this.later.shift();
      void this.compare(next.feeds);
    }
    if (now - this.lookedAt >= EVERY) {
      this.lookedAt = now;
      for (const feed of this.with_.feeds()) if (feed.behind || now - feed.activeAt < ACTIVE) this.due.add(feed);
    }
    if (this.due.size > 0 && !this.looking) void this.again();
  }

  private async again(): Promise<void> {
    this.looking = true;
    const feeds = [...this.due];
    this.due.clear();
    await this.compare(feeds);
    this.looking = false;
  }

  private async compare(feeds: readonly RoomFeed[]): Promise<void> {
    const reads: Promise<void>[] = [];
    for (let from = 0; from < feeds.length; from += BATCH) reads.push(this.read(feeds.slice(from, from + BATCH)));
    await Promise.all(reads);
  }

  private async read(feeds: readonly RoomFeed[]): Promise<void> {
    try {
      const heads = await this.with_.heads(feeds.map(({ room }) => room));
      for (const feed of feeds) {
        const head = heads[feed.room];
        if (!head) continue;
        feed.receive({ type: "floor", room: feed.room, floor: head.floor });
        feed.receive({ type: "head", room: feed.room, head });
      }
    } catch {
      for (const feed of feeds) this.due.add(feed);
    }
  }
}
