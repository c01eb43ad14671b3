import type { Grant, SharedCounter } from "../core/shared-counter";

/** Users for whom something is left of what was taken for them. */
const PURSES = 10_000;

/**
 * What users may still send. It is counted on all nodes together, so it is asked for before a batch is planned, which cannot
 * wait; what a batch leaves the user's next one finds.
 */
export class SendBudget {
  private readonly purses = new Map<string, number>();
  private readonly waits = new Map<string, number>();

  constructor(private readonly counter: Pick<SharedCounter, "take">) {}

  /** Takes what these sends need, by user. A promise only where another node has to be asked. */
  prepare(sends: ReadonlyMap<string, number>): Promise<unknown> | undefined {
    const asked: Promise<void>[] = [];
    for (const [user, count] of sends) {
      const missing = count - (this.purses.get(user) ?? 0);
      if (missing <= 0) continue;
      const taken = this.counter.take(user, missing);
      if (taken instanceof Promise) asked.push(taken.then(grant => this.put(user, missing, grant)));
      else this.put(user, missing, taken);
    }
    return asked.length > 0 ? Promise.all(asked) : undefined;
  }

  /** Milliseconds until the user may send again; 0: one send is paid for. */
  take(user: string): number {
    const left = this.purses.get(user) ?? 0;
    if (left === 0) return this.waits.get(user) ?? 1;
    if (left > 1) this.purses.set(user, left - 1);
    else this.purses.delete(user);
    return 0;
  }

  private put(user: string, missing: number, { granted, endsInMs }: Grant): void {
    // What is thrown away was paid for: it makes nobody faster.
    if (this.purses.size >= PURSES) this.purses.clear();
    if (granted > 0) this.purses.set(user, (this.purses.get(user) ?? 0) + granted);
    if (granted >= missing) return void this.waits.delete(user);
    if (this.waits.size >= PURSES) this.waits.clear();
    this.waits.set(user, Math.max(1, endsInMs));
  }
}
