import { RookeryError } from "../core/errors";

/** Where a call stands among those of its caller. */
export interface Turn {
  /** Chosen at random by a caller for one life of one writer. */
  line: string;
  /** Counts the calls of the line, from 1. */
  n: number;
}

interface Parked {
  run: () => void;
  /** Monotonic milliseconds. */
  since: number;
}

interface Line {
  /** The number that has its turn. */
  next: number;
  /** The first number that had a turn here; what is below may have been carried out by a process before this one. */
  first: number | undefined;
  parked: Map<number, Parked>;
  timer: NodeJS.Timeout | undefined;
}

/** Milliseconds for which a call waits for those before it; after that they are taken for lost. */
const PATIENCE = 200;
/** Calls of one line that may wait. A caller has no more entries under way. */
const PARKED = 10_000;
/** Lines remembered; those used least recently are forgotten. */
const LINES = 4_096;

/**
 * Calls of one caller begin in the order in which he made them, also when the bus carries them in another. What comes when
 * later ones have begun is not carried out.
 */
export class CallOrder {
  private readonly lines = new Map<string, Line>();

  constructor(private readonly now: () => number) {}

  /**
   * Runs when it is this call's turn, at once if all before it have come.
   * @throws UNAVAILABLE: overtaken, and surely not run; UNKNOWN_OUTCOME: overtaken, and perhaps run by a process before this.
   */
  run<T>({ line: id, n }: Turn, work: () => Promise<T>): Promise<T> {
    const line = this.line(id);
    if (n < line.next) {
      const known = line.first !== undefined && n >= line.first;
      return Promise.reject(new RookeryError(known ? "UNAVAILABLE" : "UNKNOWN_OUTCOME"));
    }
    if (n === line.next) {
      const result = this.begin(line, n, work);
      this.drain(line);
      return result;
    }
    if (line.parked.size >= PARKED) return Promise.reject(new RookeryError("UNAVAILABLE"));
    return new Promise((resolve, reject) => {
      const run = (): void => void this.begin(line, n, work).then(resolve, reject);
      line.parked.set(n, { run, since: this.now() });
      line.timer ??= setTimeout(() => this.skip(line), PATIENCE);
    });
  }

  private begin<T>(line: Line, n: number, work: () => Promise<T>): Promise<T> {
    line.first ??= n;
    line.next = n + 1;
    return work();
  }

  /** Those that follow without a gap. */
  private drain(line: Line): void {
    if (line.parked.size === 0) return;
    for (let parked = line.parked.get(line.next); parked; parked = line.parked.get(line.next)) {
      line.parked.delete(line.next);
      parked.run();
    }
    if (line.parked.size > 0) return;
    clearTimeout(line.timer);
    line.timer = undefined;
  }

  /** Goes on behind gaps that have been waited for long enough. */
  private skip(line: Line): void {
    line.timer = undefined;
    while (line.parked.size > 0) {
      const lowest = Math.min(...line.parked.keys());
      const left = (line.parked.get(lowest)?.since ?? 0) + PATIENCE - this.now();
      if (left > 0) {
        line.timer = setTimeout(() => this.skip(line), left);
        return;
      }
      line.next = lowest;
      this.drain(line);
    }
  }

  private line(id: string): Line {
    const known = this.lines.get(id);
    const line = known ?? { next: 1, first: undefined, parked: new Map(), timer: undefined };
    if (known) this.lines.delete(id);
    else if (this.lines.size >= LINES) this.forgetOldest();
    this.lines.set(id, line);
    return line;
  }

  private forgetOldest(): void {
    for (const [id, { parked }] of this.lines)
      if (parked.size === 0) {
        this.lines.delete(id);
        return;
      }
  }
}
