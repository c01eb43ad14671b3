import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** Milliseconds within which a process has seen that its clock was moved. */
const NOTICE = 500;

/** The wall clock of one process of the product, in the hands of a test. */
export class ShiftedClock {
  private readonly file: string;

  /** @param folder of its own: holds how far it is moved */
  constructor(folder: string, name: string) {
    this.file = join(folder, `${name}.clock`);
    writeFileSync(this.file, "0");
  }

  /** Settings of the process. */
  get env(): Record<string, string> {
    return { NODE_OPTIONS: `--require ${join(__dirname, "shifted-date.cjs")}`, CHAOS_CLOCK: this.file };
  }

  /** Resolves when it is so. */
  async shift(ms: number): Promise<void> {
    writeFileSync(this.file, String(ms));
    await pause(NOTICE);
  }
}
