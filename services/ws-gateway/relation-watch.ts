import type { RelationChange } from "../core/contract";

/** Milliseconds between two looks, and back to which each of them goes: nodes' clocks may differ by what is between. */
const EVERY = 10_000;
const WITHIN = 60_000;

export interface RelationWatchDependencies {
  /** What changed within that time, milliseconds; null: too much. */
  recent(within: number): Promise<RelationChange[] | null>;
  /** Told of what may have changed, of most more than once; null: anything. */
  changed(changes: RelationChange[] | null): void;
  /** Monotonic milliseconds. */
  now(): number;
}

/**
 * Finds what was told of people's relations and lost on the way here. Who has not looked for longer than a look goes back
 * cannot know what he missed.
 */
export class RelationWatch {
  private lookedAt: number;
  private answeredAt: number;
  private looking = false;

  constructor(private readonly with_: RelationWatchDependencies) {
    this.lookedAt = this.answeredAt = with_.now();
  }

  /** For a timer. */
  async tick(): Promise<void> {
    const now = this.with_.now();
    if (this.looking || now - this.lookedAt < EVERY) return;
    this.looking = true;
    this.lookedAt = now;
    try {
      const changes = await this.with_.recent(WITHIN);
      const late = now - this.answeredAt > WITHIN - EVERY;
      this.answeredAt = now;
      if (late || changes?.length !== 0) this.with_.changed(late ? null : changes);
    } catch {
      // The next look goes back as far.
    } finally {
      this.looking = false;
    }
  }
}
