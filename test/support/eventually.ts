/** Asks again until `probe` gives something, and fails with what was last wrong after `timeout` milliseconds. */
export async function eventually<T>(probe: () => Promise<T | undefined | false>, timeout = 10_000): Promise<T> {
  const deadline = performance.now() + timeout;
  let last: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw last ?? new Error(`Nothing came of it in ${timeout} ms`);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}
