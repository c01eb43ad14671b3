import { existsSync } from "node:fs";
import { join } from "node:path";
import { STORE } from "./store-file";

/** Where a restore is made ready, within DATA_DIR: on the same disk, so that it is put in place by renaming. */
export const DRAFT = "restoring";

/** An operator's to mend, not a defect: shown without a stack. */
class UnfinishedRestoreError extends Error {
  readonly expected = true;

  constructor(dataDir: string) {
    super(
      `a restore into DATA_DIR ${dataDir} was interrupted: run it again with --replace; what was there before is in its folders replaced-*`,
    );
    this.name = "UnfinishedRestoreError";
  }
}

/**
 * Throws where a restore ended before the store was in its place, as by a loss of power: a server would begin a new store, and
 * everybody would be a stranger to it. The store is the first that a restore takes away and the last that it puts there.
 */
export function refuseUnfinished(dataDir: string): void {
  if (existsSync(join(dataDir, DRAFT)) && !existsSync(join(dataDir, STORE))) throw new UnfinishedRestoreError(dataDir);
}
