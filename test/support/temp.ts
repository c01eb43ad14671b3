import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterFile } from "./cleanup";

/** A new empty folder, removed after the tests of the file. */
export function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), "rookery-"));
  afterFile(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
