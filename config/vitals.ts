import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import type { NodeVitals } from "../services/core/contract";
import { version } from "./root";

/** Milliseconds for which the event loop is looked at, and between two looks. */
const WATCH = 500;
const RESOLUTION = 10;
const NANO_TO_MILLI = 1e-6;

/**
 * This process as it is now. The delay of its event loop is measured while it is asked for: what metrics keep of it starts
 * anew with every scrape, and belongs to whoever scrapes.
 */
export async function vitals(): Promise<NodeVitals> {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  await pause(WATCH);
  delay.disable();
  const { rss, heapUsed } = process.memoryUsage();
  return {
    version,
    uptime: Math.floor(process.uptime()),
    memory: { resident: rss, heap: heapUsed },
    // A sample is the time from one look to the next: what is above the time that was asked for is delay.
    lag: { max: late(delay.max), mean: late(delay.mean) },
  };
}

const late = (nanoseconds: number): number => {
  const beyond = nanoseconds * NANO_TO_MILLI - RESOLUTION;
  return Number.isFinite(beyond) ? Math.max(0, Math.round(beyond * 10) / 10) : 0;
};
