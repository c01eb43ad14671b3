import { setTimeout as pause } from "node:timers/promises";
import type { Failures } from "./rounds";

export interface UntilDoneOptions {
  /** Milliseconds between two tries. */
  every: number;
  /** Told of each try. */
  failures: Failures;
  /** Ends it after the try under way. */
  signal: AbortSignal;
}

/** Repeats work that other nodes may not be there for yet, until it says that it is done. Never rejects. */
export async function untilDone(
  work: () => Promise<boolean>,
  { every, failures, signal }: UntilDoneOptions,
): Promise<void> {
  while (!signal.aborted) {
    try {
      if (await work()) return failures.over();
    } catch (error) {
      if (!signal.aborted) failures.failed(error);
    }
    await pause(every, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
