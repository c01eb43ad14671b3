import { StorageError } from "../../mixins/storage-errors";

export interface GroupCommitOptions<T> {
  /** Runs that may be under way at once; default 1. */
  lanes?: number;
  /** Of one run at most, but never less than one item; default 500 items. */
  size?: number;
  /** What an item counts for; default 1. */
  sizeOf?: (item: T) => number;
}

interface Waiting<T, R> {
  item: T;
  resolve: (result: R) => void;
  reject: (error: unknown) => void;
}

/** Items that may wait. */
const WAITING = 20_000;

/** Joins what many ask for into few runs: while some are under way, the next collects. No timer: an idle store runs at once. */
export class GroupCommit<T, R> {
  private waiting: Waiting<T, R>[] = [];
  private running = 0;
  private turns: (() => void)[] = [];

  /** @param work answers each item of a run, in order; if it rejects, so does every item of the run. */
  constructor(
    private readonly work: (items: T[]) => Promise<R[]>,
    private readonly options: GroupCommitOptions<T> = {},
  ) {}

  /** Rejects with StorageError `failed` when too much waits, else with what the run rejects with. */
  add(item: T): Promise<R> {
    if (this.waiting.length >= WAITING) return Promise.reject(new StorageError("failed", "overload"));
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (this.free) void this.run();
    });
  }

  /** Resolves when what is added next belongs to a run that is about to begin: until then it would only wait. */
  turn(): Promise<void> {
    return this.free ? Promise.resolve() : new Promise(resolve => this.turns.push(resolve));
  }

  private get free(): boolean {
    return this.running < (this.options.lanes ?? 1);
  }

  private async run(): Promise<void> {
    this.running++;
    // What is asked in the same tick belongs to the first run too.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const group = this.take();
      try {
        const results = await this.work(group.map(({ item }) => item));
        group.forEach(({ resolve }, index) => resolve(results[index] as R));
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
      await this.callTurns();
    }
    this.running--;
    // Those who came in that tick.
    void this.callTurns();
  }

  /** Who waited for a turn has one tick to use it. */
  private async callTurns(): Promise<void> {
    if (this.turns.length === 0) return;
    for (const resolve of this.turns.splice(0)) resolve();
    await new Promise(resolve => setImmediate(resolve));
  }

  private take(): Waiting<T, R>[] {
    const { size = 500, sizeOf = () => 1 } = this.options;
    let sum = 0;
    const end = this.waiting.findIndex(({ item }, index) => (sum += sizeOf(item)) > size && index > 0);
    return this.waiting.splice(0, end === -1 ? this.waiting.length : end);
  }
}
