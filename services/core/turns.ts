import { RookeryError } from "./errors";

export interface TurnLimits {
  /** Works that may wait for one key, and as many items. */
  perKey: number;
  /** All that may wait for any key. */
  inAll: number;
  /** Items of one person that may wait for one key, or be under way. */
  perPerson: number;
  /** Items done together at most. */
  together: number;
  /** Milliseconds a turn may be waited for: whoever asked must still be there when the work begins. */
  wait: number;
}

const LIMITS: TurnLimits = { perKey: 1_000, inAll: 10_000, perPerson: 100, together: 128, wait: 4_000 };
/** Milliseconds after which a person with too many items may ask again. */
const RETRY = 1_000;

/** Does items of a key together. Resolves to what each is refused with, null for those that were done. */
export type Together<Item> = (key: string, items: Item[]) => Promise<(Error | null)[]>;

interface Waiting<What> {
  what: What;
  by: string | null;
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
  timer: NodeJS.Timeout;
}

interface Queue<Item> {
  works: Waiting<() => Promise<unknown>>[];
  items: Waiting<Item>[];
  /** Items of each person, those under way too. */
  people: Map<string, number>;
}

/**
 * Turns of a key, one after another. A turn is one work, in the order they came, or if no work waits all items that do. Only
 * within a process: it spares what would be done in vain, it keeps nobody else out. What is refused, UNAVAILABLE beyond a
 * bound or after too long a wait, RATE_LIMITED beyond a person's bound, was not begun.
 */
export class Turns<Item = never> {
  private readonly queues = new Map<string, Queue<Item>>();
  private readonly limits: TurnLimits;
  private inAll = 0;

  constructor(
    limits: Partial<TurnLimits> = {},
    private readonly together: Together<Item> = async (_, items) => items.map(() => null),
  ) {
    this.limits = { ...LIMITS, ...limits };
  }

  /** All that waits, for whatever key. */
  get waiting(): number {
    return this.inAll;
  }

  /** Resolves and rejects as `work` does. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.enter(key, queue => queue.works, work, null) as Promise<T>;
  }

  /** Leaves an item to be done with others. Rejects with what it is refused with. */
  async share(key: string, item: Item, by: string): Promise<void> {
    await this.enter(key, queue => queue.items, item, by);
  }

  private async enter<What>(
    key: string,
    lineOf: (queue: Queue<Item>) => Waiting<What>[],
    what: What,
    by: string | null,
  ): Promise<unknown> {
    const known = this.queues.get(key);
    const queue = known ?? { works: [], items: [], people: new Map<string, number>() };
    const line = lineOf(queue);
    const own = by === null ? 0 : (queue.people.get(by) ?? 0);
    if (own >= this.limits.perPerson)
      throw new RookeryError("RATE_LIMITED", "Too much of yours is waiting here.", { retryAfterMs: RETRY });
    if (line.length >= this.limits.perKey || this.inAll >= this.limits.inAll)
      throw new RookeryError("UNAVAILABLE", "Too much is waiting here.");
    this.inAll++;
    if (by !== null) queue.people.set(by, own + 1);
    const result = new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => {
        line.splice(line.indexOf(entry), 1);
        this.inAll--;
        reject(new RookeryError("UNAVAILABLE", "Too much is waiting here."));
      }, this.limits.wait);
      const entry: Waiting<What> = { what, by, resolve, reject, timer };
      line.push(entry);
    });
    if (!known) {
      this.queues.set(key, queue);
      void this.go(key, queue);
    }
    try {
      return await result;
    } finally {
      if (by !== null) forget(queue.people, by);
    }
  }

  private async go(key: string, queue: Queue<Item>): Promise<void> {
    while (queue.works.length + queue.items.length > 0) {
      const work = this.take(queue.works, 1)[0];
      if (work) await work.what().then(work.resolve, work.reject);
      else await this.all(key, this.take(queue.items, this.limits.together));
    }
    this.queues.delete(key);
  }

  private async all(key: string, items: Waiting<Item>[]): Promise<void> {
    try {
      const refused = await this.together(
        key,
        items.map(({ what }) => what),
      );
      items.forEach(({ resolve, reject }, at) => (refused[at] ? reject(refused[at]) : resolve(undefined)));
    } catch (error) {
      for (const { reject } of items) reject(error);
    }
  }

  private take<What>(line: Waiting<What>[], most: number): Waiting<What>[] {
    const taken = line.splice(0, most);
    for (const { timer } of taken) clearTimeout(timer);
    this.inAll -= taken.length;
    return taken;
  }
}

function forget(people: Map<string, number>, by: string): void {
  const left = (people.get(by) ?? 0) - 1;
  if (left > 0) people.set(by, left);
  else people.delete(by);
}
