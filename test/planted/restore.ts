import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { projectRoot } from "../../config/root";
import type { Fault } from "../chaos/ground";
import { whole } from "../chaos/random";
import { baseEnvironment } from "../support/settings";

/** Milliseconds of traffic after the backup, which the store does not have when it is put back. */
const LOST = [500, 1_500] as const;
const PLANT = join(projectRoot, "test", "planted", "plant.ts");

/**
 * A backup of the running server; then it dies, and the backup is put back, by the commands of an operator.
 * @param bug planted in the commands, too; empty: none
 */
export const restoring = (bug: string): Fault => ({
  name: "restore",
  shapes: ["embedded"],
  isPossible: ({ dataDir }) => dataDir !== null,
  async run({ processes, dataDir }, random, told) {
    const server = processes.find(({ role }) => role === "server");
    if (!server || dataDir === null) throw new Error("no embedded server here");
    const folder = mkdtempSync(join(tmpdir(), "rookery-backup-"));
    const backup = join(folder, "backup");
    const operate = (command: string, ...args: string[]): Promise<unknown> =>
      promisify(execFile)(
        process.execPath,
        ["--import", "tsx", "--import", PLANT, join("config", "backup", `${command}.ts`), ...args],
        { cwd: projectRoot, env: { ...baseEnvironment(), PLANTED_BUG: bug, DATA_DIR: dataDir } },
      );
    try {
      await operate("backup", "--to", backup);
      await pause(whole(random, ...LOST));
      told(server.name, "begin");
      await server.kill();
      await operate("restore", "--from", backup, "--replace");
      told(server.name, "restored");
      await server.start();
      told(server.name, "end");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});
