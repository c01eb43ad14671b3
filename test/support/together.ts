/**
 * Tests that spend their time waiting for a clock: all begin with the hooks of their `describe`, after those above, and go
 * on beside its other tests. Each tells its own outcome; none may use what another changes. Belongs at the end.
 */
export function together(tests: Record<string, () => Promise<void>>, timeout?: number): void {
  const begun = new Map<string, Promise<void>>();
  beforeAll(() => {
    for (const [name, run] of Object.entries(tests)) {
      const end = run();
      // It is told by its test, which may come later.
      end.catch(() => undefined);
      begun.set(name, end);
    }
  });
  for (const name of Object.keys(tests)) test(name, async () => begun.get(name), timeout);
}
