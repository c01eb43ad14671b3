import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes a folder with all above it, readable by its owner only. Its name outlives a loss of power: what is synced in a folder
 * is lost with it if nobody synced the folder that holds its name. Safe to call again.
 */
export function makeDurableFolder(dir: string): void {
  const first = mkdirSync(dir, { recursive: true, mode: 0o700 });
  // One that is there already may have been made by somebody who came no further.
  const top = dirname(resolve(first ?? dir));
  for (let at = resolve(dir); at !== top && at !== dirname(at); at = dirname(at)) syncFolder(dirname(at));
}

/** Waits until the names in a folder are on the disk. */
export function syncFolder(dir: string): void {
  const fd = openSync(dir, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
