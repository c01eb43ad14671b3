import { onStopSignal } from "../../config/signals";
import { stopLoads } from "../load/load";

/** What must be undone when this process ends, however that happens; the last comes first. */
const steps: (() => unknown)[] = [];

/** A step must be harmless when what it stops is gone already. */
export const onEnd = (step: () => unknown): void => void steps.push(step);

async function undo(): Promise<void> {
  await stopLoads();
  for (let step = steps.pop(); step; step = steps.pop()) {
    try {
      await step();
    } catch (error) {
      console.error(error);
    }
  }
}

/** Runs a bench: whatever it started is stopped at its end, when it fails, and at Ctrl-C. */
export function run(bench: () => Promise<void>): void {
  let stopping = false;
  onStopSignal(() => {
    stopping = true;
    void undo().then(() => process.exit(130));
  });
  bench()
    .catch((error: unknown) => {
      // What fails now fails because it was stopped.
      if (stopping) return new Promise<never>(() => undefined);
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    })
    .then(undo, undo)
    .then(() => process.exit())
    .catch(() => process.exit(1));
}
