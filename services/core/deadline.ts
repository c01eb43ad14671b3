import { RookeryError } from "./errors";

const unavailable = (): Error => new RookeryError("UNAVAILABLE");

/** What the work gives, or an error once its time (milliseconds) is over; the work goes on and nobody listens. */
export function within<T>(ms: number, work: Promise<T>, late: () => Error = unavailable): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), Math.max(0, ms));
  });
  return Promise.race([work, end]).finally(() => clearTimeout(timer));
}

/** Milliseconds by which a deadline that many share may be noticed late. */
const TICK = 250;

interface Due {
  at: number;
  late: () => void;
}

/** Deadlines of many works on one timer: where nearly all end in time, a timer for each costs more than it guards. */
export class Deadlines {
  private readonly open = new Set<Due>();
  private timer: NodeJS.Timeout | null = null;

  /** @param now monotonic milliseconds */
  constructor(private readonly now: () => number) {}

  /** What the work gives, or an error soon after `at`; the work goes on and nobody listens. */
  within<T>(at: number, work: Promise<T>, late: () => Error = unavailable): Promise<T> {
    return new Promise((resolve, reject) => {
      const due = { at, late: () => reject(late()) };
      this.open.add(due);
      this.timer ??= setTimeout(() => this.look(), TICK).unref();
      const done = (): void => void this.open.delete(due);
      work.then(
        value => (done(), resolve(value)),
        (error: unknown) => (done(), reject(error as Error)),
      );
    });
  }

  private look(): void {
    const now = this.now();
    for (const due of this.open) {
      if (due.at > now) continue;
      this.open.delete(due);
      due.late();
    }
    this.timer = this.open.size > 0 ? setTimeout(() => this.look(), TICK).unref() : null;
  }
}
