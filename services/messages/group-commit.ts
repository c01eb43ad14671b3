import { StorageError } from "../../mixins/storage-errors";

/** Items of one run. */
const RUN = 500;
/** Items that may wait. */
const WAITING = 20_000;

/** Joins what many ask for into few runs: one is under way, the next collects. No timer: an idle store runs at once. */
export class GroupCommit<T, R> {
  private waiting: { item: T; resolve: (result: R) => void; reject: (error: unknown) => void }[] = [];
  private running = false;

  /** @param work answers each item of a run, in order; if it rejects, so does every item of the run. */
  constructor(private readonly work: (items: T[]) => Promise<R[]>) {}

  /** Rejects with StorageError `failed` when too much waits, else with what the run rejects with. */
  add(item: T): Promise<R> {
    if (this.waiting.length >= WAITING) return Promise.reject(new StorageError("failed", "overload"));
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (!this.running) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running = true;
    // What is asked in the same tick belongs to the first run too.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, RUN);
      try {
        const results = await this.work(group.map(({ item }) => item));
        group.forEach(({ resolve }, index) => resolve(results[index] as R));
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.running = false;
  }
}
