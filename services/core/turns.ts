import { RookeryError } from "./errors";

/** Works that may wait for one key, and for all keys of one owner. */
const PER_KEY = 1_000;
const IN_ALL = 10_000;

export interface TurnLimits {
  perKey: number;
  inAll: number;
}

/**
 * Works of one key one after another, in the order they came. Only within a process: it spares work that would be done in
 * vain, it keeps nobody else out. Beyond the bounds a work is refused as UNAVAILABLE, before anything of it was done.
 */
export class Turns {
  private readonly queues = new Map<string, { last: Promise<unknown>; length: number }>();
  private total = 0;

  constructor(private readonly limits: TurnLimits = { perKey: PER_KEY, inAll: IN_ALL }) {}

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const queue = this.queues.get(key) ?? { last: Promise.resolve(), length: 0 };
    if (queue.length >= this.limits.perKey || this.total >= this.limits.inAll)
      throw new RookeryError("UNAVAILABLE", "Too much is waiting here.");
    const result = queue.last.then(work);
    queue.last = result.catch(() => undefined);
    queue.length++;
    this.total++;
    this.queues.set(key, queue);
    try {
      return await result;
    } finally {
      this.total--;
      if (--queue.length === 0) this.queues.delete(key);
    }
  }
}
