/** The code of what `run` throws; fails if it does not throw. */
export function codeOfThrown(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return String((error as { type?: unknown }).type ?? error);
  }
  throw new Error("nothing was thrown");
}
