import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { projectRoot } from "../../config/root";

/** What V8 writes with --cpu-prof, as far as we read it. Times in microseconds on the machine's monotonic clock. */
interface CpuProfile {
  nodes: { id: number; callFrame: CallFrame }[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

interface CallFrame {
  functionName: string;
  url: string;
  lineNumber: number;
}

/** Self times of one thread in milliseconds. */
export interface ThreadProfile {
  /** 0 is the main thread. */
  thread: number;
  byFunction: Map<string, number>;
  byFile: Map<string, number>;
  /** Without the time in which it waited. */
  busy: number;
}

const IDLE = "(idle)";

/** Profiles of a process that has ended, cut to what happened between two moments. */
export function readProfiles(folder: string, pid: number, from: number, to: number): ThreadProfile[] {
  const files = readdirSync(folder).flatMap(name => {
    const [, process, thread] = /^CPU\.\d+\.\d+\.(\d+)\.(\d+)\.\d+\.cpuprofile$/.exec(name) ?? [];
    return Number(process) === pid ? [{ name, thread: Number(thread) }] : [];
  });
  return files
    .map(({ name, thread }) => {
      const profile = JSON.parse(readFileSync(join(folder, name), "utf8")) as CpuProfile;
      return selfTimes(profile, thread, from, to);
    })
    .toSorted((a, b) => a.thread - b.thread);
}

function selfTimes(profile: CpuProfile, thread: number, from: number, to: number): ThreadProfile {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  const [byFunction, byFile] = [new Map<string, number>(), new Map<string, number>()];
  let busy = 0;
  let at = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    // A sample stands for the time until the next one.
    at += profile.timeDeltas[index] ?? 0;
    const ms = (profile.timeDeltas[index + 1] ?? 0) / 1_000;
    const frame = frames.get(id);
    if (!frame || frame.name === IDLE || at < from || at > to) continue;
    busy += ms;
    add(byFunction, frame.name, ms);
    add(byFile, frame.file, ms);
  }
  return { thread, byFunction, byFile, busy };
}

const add = (sums: Map<string, number>, key: string, ms: number): void => void sums.set(key, (sums.get(key) ?? 0) + ms);

/** Of V8's own work, name and file are the same. */
function placeOf({ functionName, url, lineNumber }: CallFrame): { name: string; file: string } {
  const called = functionName || "(anonymous)";
  if (url === "") return { name: called, file: called };
  const file = fileOf(url);
  return { name: `${called}  ${file}:${lineNumber + 1}`, file };
}

/** The longest known end of a path: a built file by its place in the project, a dependency by its package. */
function fileOf(url: string): string {
  if (!url.startsWith("file:")) return url;
  return relative(projectRoot, fileURLToPath(url)).replace(/^dist\//, "");
}
