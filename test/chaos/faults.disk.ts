import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync, statfsSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Fault, Ground } from "./ground";
import { whole } from "./random";

/** Bytes of a disk that is filled for a test; a larger one is somebody's. */
const SMALL = 1024 ** 3;

/** What is written at once: clients go on meanwhile. */
const BLOCK = Buffer.alloc(8 * 1024 ** 2);

export const STRACE = "/usr/bin/strace";

/** The disk of the store is full for a while. The store must be on a small disk of its own. */
export const fillingDisk = (lasts: readonly [least: number, most: number]): Fault => ({
  name: "disk",
  shapes: ["embedded"],
  isPossible: ({ dataDir }) => dataDir !== null && sizeOf(dataDir) <= SMALL,
  async run({ dataDir }, random, told) {
    const dir = dataDir as string;
    const pad = join(dir, "pad");
    told("disk", "begin");
    try {
      // What was given free meanwhile is taken, too.
      for (const end = performance.now() + whole(random, ...lasts); performance.now() < end; await pause(200))
        await fill(dir, pad);
    } finally {
      rmSync(pad, { force: true });
      told("disk", "end");
    }
  },
});

export const disk = fillingDisk([2_000, 10_000]);

/** Until nothing is free; the store writes on meanwhile, so the last block may find no room either. */
async function fill(dir: string, pad: string): Promise<void> {
  try {
    for (let free = freeOf(dir); free > 0; free = freeOf(dir)) await appendFile(pad, BLOCK.subarray(0, free));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}

const freeOf = (dir: string): number => {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
};

const sizeOf = (dir: string): number => {
  const { blocks, bsize } = statfsSync(dir);
  return blocks * bsize;
};

/** Every fsync of the server takes 500 ms longer: strace holds it back. */
export const slowSync = (lasts: readonly [number, number] = [5_000, 20_000]): Fault => ({
  name: "fsync",
  shapes: ["embedded"],
  isPossible: () => existsSync(STRACE),
  async run({ processes }: Ground, random, told) {
    const server = processes.find(({ role }) => role === "server");
    if (!server) throw new Error("no server here");
    const calls = "fsync,fdatasync";
    const strace = spawn(
      STRACE,
      ["-qq", "-f", "-p", String(server.pid), "-e", `trace=${calls}`, "-e", `inject=${calls}:delay_enter=500000`],
      { stdio: "ignore" },
    );
    const ended = once(strace, "close");
    told(server.name, "begin");
    try {
      await Promise.race([pause(whole(random, ...lasts)), ended]);
      if (strace.exitCode !== null) throw new Error(`strace ended with ${strace.exitCode} while it held fsync back`);
    } finally {
      // It lets go of the server, then ends.
      strace.kill("SIGTERM");
      await ended;
      told(server.name, "end");
    }
  },
});

export const fsync = slowSync();
