import { readdirSync, readFileSync } from "node:fs";
import { childrenOf } from "../../deploy/local/servers/child";
import type { ByRole, Thread, Watched } from "./order";

/** What Linux tells of processes and threads. */

/** Clock ticks a second; the same on every Linux we know. */
const TICKS = 100;

/** utime and stime, and those of children that have ended, in the fields after the name. */
const UTIME = 11;
const CHILDREN = 13;

/** Fields of a stat file after the name in brackets, which may hold anything. */
function statOf(path: string): { name: string; fields: string[] } {
  const text = readFileSync(path, "latin1");
  const [begin, end] = [text.indexOf("("), text.lastIndexOf(")")];
  return { name: text.slice(begin + 1, end), fields: text.slice(end + 2).split(" ") };
}

const ticks = (fields: readonly string[], at: number): number => Number(fields[at]) + Number(fields[at + 1]);

/** Children that have ended count with their parent, so that the sum never falls. */
function cpuSeconds(pid: number, tree: boolean): number {
  try {
    const { fields } = statOf(`/proc/${pid}/stat`);
    const own = ticks(fields, UTIME) + (tree ? ticks(fields, CHILDREN) : 0);
    return own / TICKS + (tree ? childrenOf(pid).reduce((sum, child) => sum + cpuSeconds(child, true), 0) : 0);
  } catch (error) {
    if (tree && isGone(error)) return 0;
    throw error;
  }
}

function memory(pid: number, tree: boolean): number {
  try {
    const kib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0);
    return kib * 1024 + (tree ? childrenOf(pid).reduce((sum, child) => sum + memory(child, true), 0) : 0);
  } catch (error) {
    if (tree && isGone(error)) return 0;
    throw error;
  }
}

const isGone = (error: unknown): boolean => ["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "");

function byRole(watched: readonly Watched[], of: (pid: number, tree: boolean) => number): ByRole {
  const sums: ByRole = {};
  for (const { role, pid, tree = false } of watched) sums[role] = (sums[role] ?? 0) + of(pid, tree);
  return sums;
}

/** CPU seconds since the processes began. Throws if one is gone. */
export const cpuOf = (watched: readonly Watched[]): ByRole => byRole(watched, cpuSeconds);

/** Resident bytes. */
export const memoryOf = (watched: readonly Watched[]): ByRole => byRole(watched, memory);

export const difference = (after: ByRole, before: ByRole): ByRole =>
  Object.fromEntries(Object.entries(after).map(([role, value]) => [role, value - (before[role] ?? 0)]));

export const total = (values: ByRole): number => Object.values(values).reduce((sum, value) => sum + value, 0);

/** CPU seconds of every thread of those processes that want it. */
export const threadsOf = (watched: readonly Watched[]): Thread[] =>
  watched.flatMap(({ pid, threads }) => (threads ? threadsOfOne(pid) : []));

function threadsOfOne(pid: number): Thread[] {
  return readdirSync(`/proc/${pid}/task`).flatMap(tid => {
    try {
      const { name, fields } = statOf(`/proc/${pid}/task/${tid}/stat`);
      return [{ pid, tid: Number(tid), name, cpu: ticks(fields, UTIME) / TICKS }];
    } catch (error) {
      if (isGone(error)) return [];
      throw error;
    }
  });
}

/** What threads have used since; those that came meanwhile, all they have. */
export function threadDifference(after: readonly Thread[], before: readonly Thread[]): Thread[] {
  const then = new Map(before.map(({ tid, cpu }) => [tid, cpu]));
  return after.map(thread => ({ ...thread, cpu: thread.cpu - (then.get(thread.tid) ?? 0) }));
}
