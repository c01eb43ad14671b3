/** Milliseconds that a test waits for something before it fails; generous, so that a slow machine fails nothing. */
export const PATIENCE = 30_000;
const PAUSE = 20;

/**
 * Asks again until the condition holds and returns what it gave. Throws with `what` and the last answer if it never does; the
 * last time is asked when the time is over, however long the machine stood still before.
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T> | T,
  holds: (value: T) => boolean = Boolean,
  within = PATIENCE,
): Promise<T> {
  const deadline = performance.now() + within;
  for (;;) {
    const isLast = performance.now() > deadline;
    const value = await ask();
    if (holds(value)) return value;
    if (isLast) throw new Error(`not within ${within} ms: ${what}; last: ${JSON.stringify(value)}`);
    await new Promise(resolve => setTimeout(resolve, PAUSE));
  }
}

/** Rejects with `what` if the promise takes longer. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
