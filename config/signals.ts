/** A terminal signals its whole group and npm and tsx pass it on: a second signal this soon (milliseconds) is the first again. */
const ECHO = 500;

/** Calls `stop` at the first SIGINT or SIGTERM; whoever insists with a second one ends the process at once, exit 1. */
export function onStopSignal(stop: (signal: NodeJS.Signals) => void): void {
  let first = Infinity;
  const take = (signal: NodeJS.Signals): void => {
    if (first !== Infinity) {
      if (performance.now() - first > ECHO) process.exit(1);
      return;
    }
    first = performance.now();
    stop(signal);
  };
  process.on("SIGTERM", take).on("SIGINT", take);
}
