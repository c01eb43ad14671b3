import type { ByRole } from "./order";

/** One frame in so many is looked into, for its latency. */
const SAMPLE = 37;

/** What is counted while it is measured. One for the whole generator: it is on the path of every frame. */
export class Meter {
  measuring = false;
  deliveries = 0;
  sends = 0;
  refused = 0;
  strange = 0;
  /** Joins that were told to come again later. */
  busy = 0;
  /** Of the frames with deliveries: their number and bytes. */
  frames = 0;
  bytes = 0;
  readonly closed: ByRole = {};
  /** Milliseconds. */
  readonly latencies: number[] = [];
  private turn = 0;

  /** Whether the next frame is to be looked into. */
  sample(): boolean {
    return ++this.turn % SAMPLE === 0;
  }

  delivered(events: number, bytes: number): void {
    if (!this.measuring) return;
    this.frames++;
    this.deliveries += events;
    this.bytes += bytes;
  }

  latency(ms: number): void {
    if (this.measuring) this.latencies.push(ms);
  }

  sent(): void {
    if (this.measuring) this.sends++;
  }

  ended(code: number): void {
    this.closed[code] = (this.closed[code] ?? 0) + 1;
  }
}

/** The value that so large a share is not above; null of none. */
export function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
}
