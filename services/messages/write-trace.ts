import type { BatchTrace, WriteTraceAnswer } from "../core/contract";
import type { Clock } from "../core/clock";

/** Batches and repeats that are remembered. */
const BATCHES = 4_096;
const REPEATS = 1_024;

interface Batch extends BatchTrace {
  room: string;
}

interface Repeat {
  room: string;
  offset: number;
  at: number;
}

/** What this node wrote last and when, for operators who ask why a message came late or not at all. In memory only. */
export class WriteTrace {
  private readonly batches = new Ring<Batch>(BATCHES);
  private readonly repeats = new Ring<Repeat>(REPEATS);
  private readonly startedAt: number;

  constructor(private readonly clock: Clock) {
    this.startedAt = clock.now();
  }

  /** A batch was stored and published. */
  wrote(batch: Batch): void {
    this.batches.add(batch);
  }

  /** A request was answered with the entry that it had made before. */
  repeated(room: string, offset: number): void {
    this.repeats.add({ room, offset, at: this.clock.now() });
  }

  /** The batch that holds an entry, null if it was not written here or too long ago; and when it was asked for again. */
  of(room: string, offset: number): WriteTraceAnswer {
    const found = this.batches.inOrder().findLast(one => one.room === room && one.from <= offset && offset <= one.to);
    const repeats = this.repeats.inOrder().filter(one => one.room === room && one.offset === offset);
    return {
      since: this.batches.full ? (this.batches.inOrder()[0]?.publishedAt ?? this.startedAt) : this.startedAt,
      batch: found ? batchOf(found) : null,
      repeats: repeats.map(({ at }) => at),
    };
  }
}

const batchOf = ({ room: _, ...batch }: Batch): BatchTrace => batch;

/** The last so many; adding is one assignment. */
class Ring<T> {
  private readonly slots: T[] = [];
  private next = 0;

  constructor(private readonly size: number) {}

  get full(): boolean {
    return this.slots.length === this.size;
  }

  add(value: T): void {
    this.slots[this.next] = value;
    this.next = (this.next + 1) % this.size;
  }

  /** Oldest first. */
  inOrder(): T[] {
    return [...this.slots.slice(this.next), ...this.slots.slice(0, this.next)];
  }
}
