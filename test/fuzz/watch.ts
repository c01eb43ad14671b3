import { readdirSync, readFileSync } from "node:fs";

/** What the server's process holds. */
export interface Sample {
  /** That were sent before it. */
  frames: number;
  /** Resident bytes. */
  rss: number;
  descriptors: number;
}

/** Share of the frames after which what a server keeps once is there: code, caches up to their bounds, V8's spaces. */
const WARM = 0.1;
/**
 * Bytes that it may have grown by since: V8 may still choose larger spaces (its young one is 48 MiB at most), and a bounded
 * cache may still fill. Of a million frames it is 75 bytes each: whoever keeps something of each keeps more.
 */
export const GROWTH = 64 * 1024 * 1024;
/** Descriptors that it may have more than at first: connections for REST that are kept open for a while. */
export const SPARE = 8;

/** Of Linux. Null if there is no such process, or one that is ending: its memory goes before its sockets. */
export function sampleOf(pid: number, frames: number): Sample | null {
  try {
    const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    if (kib === undefined) return null;
    return { frames, rss: Number(kib) * 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return null;
  }
}

/** What is wrong with the last of the samples, in sentences. `total`: frames of the whole run. */
export function faultsOf(samples: readonly Sample[], total: number): string[] {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last) return ["nothing was measured"];
  const warm = samples.find(({ frames }) => frames >= total * WARM) ?? first;
  const faults: string[] = [];
  if (last.rss > warm.rss + GROWTH)
    faults.push(
      `memory grew from ${mebibytes(warm.rss)} after ${warm.frames} frames to ${mebibytes(last.rss)} after ${last.frames}: more than ${mebibytes(GROWTH)}`,
    );
  if (last.descriptors > first.descriptors + SPARE)
    faults.push(`descriptors were ${first.descriptors} at first and are ${last.descriptors} at the end`);
  return faults;
}

/** What a line of the process's output has that nobody may see there; null if nothing. */
export function faultIn(line: string): string | null {
  let record: { level?: unknown } | null = null;
  try {
    record = JSON.parse(line) as { level?: unknown } | null;
  } catch {
    // What is no record of the log comes from nobody who writes one.
  }
  if (typeof record?.level === "string") return ["error", "fatal"].includes(record.level) ? `logged: ${line}` : null;
  return `written: ${line}`;
}

/** Sockets that a server takes for open, by its metrics; of sessions over HTTP, too. */
export const socketsIn = (metrics: string): number =>
  [...metrics.matchAll(/^rookery_sockets_open(?:\{[^}]*\})? (\d+)/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );

export const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
