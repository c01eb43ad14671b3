import type { Turn } from "../core/contract";
import { RookeryError } from "../core/errors";

interface Parked {
  after: Set<number>;
  begin: () => void;
  timer: NodeJS.Timeout;
}

/** The calls of one caller. */
interface Line {
  /** Nobody waits for this one and those below it, nor for those of `past`: they have begun, or were given up. */
  low: number;
  past: Set<number>;
  /** Given up, and not to begin any more. */
  skipped: Set<number>;
  parked: Map<number, Parked>;
  /** By what they wait for. */
  waiting: Map<number, number[]>;
}

/** Milliseconds for which a call waits for those before it; after that they are taken for lost. */
const PATIENCE = 200;
/** Calls of one line that may wait. A caller has no more entries under way. */
const PARKED = 10_000;
/** Calls of one line that are remembered beyond the first that has not come, and of those given up. */
const REMEMBERED = 1_000;
/** Lines remembered; those used least recently are forgotten. */
const LINES = 4_096;

/**
 * Calls with entries for the same room begin in the order in which their caller made them, also when the bus carries them in
 * another. A call waits for those alone that it names; one that comes when they have gone on without it is not carried out.
 */
export class CallOrder {
  private readonly lines = new Map<string, Line>();

  /**
   * Runs when the calls named have begun, at once if they have.
   * @throws UNKNOWN_OUTCOME: overtaken. Not run here; a process before this one may have run it.
   */
  run<T>({ line: id, n, after }: Turn, work: () => Promise<T>): Promise<T> {
    const line = this.line(id);
    if (line.skipped.has(n)) return Promise.reject(new RookeryError("UNKNOWN_OUTCOME"));
    const missing = after.filter(before => before < n && !isPast(line, before));
    if (missing.length === 0) {
      const result = work();
      this.pass(line, n);
      return result;
    }
    if (line.parked.size >= PARKED) return Promise.reject(new RookeryError("UNAVAILABLE"));
    return new Promise((resolve, reject) => {
      const begin = (): void => void work().then(resolve, reject);
      const timer = setTimeout(() => this.skip(line, n), PATIENCE);
      line.parked.set(n, { after: new Set(missing), begin, timer });
      for (const before of missing) {
        const waiting = line.waiting.get(before);
        if (waiting) waiting.push(n);
        else line.waiting.set(before, [n]);
      }
    });
  }

  /** Lets those begin that wait for nothing else, and those that wait for them. */
  private pass(line: Line, n: number): void {
    const passed = [n];
    for (const one of passed) {
      note(line, one);
      const waiting = line.waiting.get(one) ?? [];
      line.waiting.delete(one);
      for (const next of waiting) {
        const parked = line.parked.get(next);
        if (!parked?.after.delete(one) || parked.after.size > 0) continue;
        line.parked.delete(next);
        clearTimeout(parked.timer);
        parked.begin();
        passed.push(next);
      }
    }
  }

  /** Goes on without what this call has waited for long enough. */
  private skip(line: Line, n: number): void {
    for (const lost of line.parked.get(n)?.after ?? []) {
      // It has come, and itself waits for another: its own time is over first.
      if (line.parked.has(lost)) {
        this.skip(line, lost);
        continue;
      }
      line.skipped.add(lost);
      if (line.skipped.size > REMEMBERED) line.skipped.delete(Math.min(...line.skipped));
      this.pass(line, lost);
    }
  }

  private line(id: string): Line {
    const line = this.lines.get(id) ?? {
      low: 0,
      past: new Set(),
      skipped: new Set(),
      parked: new Map(),
      waiting: new Map(),
    };
    this.lines.delete(id);
    this.lines.set(id, line);
    if (this.lines.size > LINES) this.forgetOldest();
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

const isPast = ({ low, past }: Line, n: number): boolean => n <= low || past.has(n);

function note(line: Line, n: number): void {
  if (n > line.low) line.past.add(n);
  // What was lost and is waited for by nobody would keep all after it.
  if (line.past.size > REMEMBERED) line.low = Math.min(...line.past) - 1;
  while (line.past.delete(line.low + 1)) line.low++;
}
