import { readdirSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { MetricRegistry } from "moleculer";
import { expose, type Description } from "./metrics.instruments";

/** Nanoseconds and microseconds in a second. */
const NANO = 1e9;
const MICRO = 1e6;

/**
 * The process itself, under the names that Prometheus clients use. Moleculer's own set is left off: it is 70 series with
 * user name, arguments and network addresses, and without the delay of the event loop.
 * @returns stops the sampling of the event loop
 */
export function exposeProcess(registry: MetricRegistry): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let utilization = performance.eventLoopUtilization();
  const startedAt = Date.now() / 1000 - process.uptime();
  const one = (is: Description, read: () => number): void =>
    expose(registry, is, () => [{ labels: {}, value: read() }]);
  const gauge = (name: string, help: string, read: () => number): void => one({ name, type: "gauge", help }, read);

  one({ name: "process_cpu_seconds_total", type: "counter", help: "CPU time used, user and system" }, () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / MICRO;
  });
  gauge("process_resident_memory_bytes", "Resident memory", () => process.memoryUsage.rss());
  gauge("nodejs_heap_size_used_bytes", "JavaScript heap in use", () => process.memoryUsage().heapUsed);
  gauge("nodejs_external_memory_bytes", "Memory of buffers outside the heap", () => process.memoryUsage().external);
  gauge("process_start_time_seconds", "Start of the process, seconds since the epoch", () => startedAt);
  if (process.platform === "linux")
    gauge("process_open_fds", "Open file descriptors", () => readdirSync("/proc/self/fd").length);
  gauge("nodejs_eventloop_utilization", "Share of time the event loop was busy since the last scrape", () => {
    const now = performance.eventLoopUtilization();
    const share = performance.eventLoopUtilization(now, utilization).utilization;
    utilization = now;
    return share;
  });
  expose(
    registry,
    {
      name: "nodejs_eventloop_lag_seconds",
      type: "gauge",
      labels: ["stat"],
      help: "Delay of the event loop since the last scrape",
    },
    () => {
      const stats = { mean: delay.mean, p50: delay.percentile(50), p99: delay.percentile(99), max: delay.max };
      delay.reset();
      return Object.entries(stats).map(([stat, value]) => ({
        labels: { stat },
        value: Number.isFinite(value) ? value / NANO : 0,
      }));
    },
  );
  expose(registry, { name: "nodejs_version_info", type: "gauge", labels: ["version"], help: "Node.js" }, () => [
    { labels: { version: process.version }, value: 1 },
  ]);
  return () => delay.disable();
}
