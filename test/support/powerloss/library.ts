import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SOURCE = join(__dirname, "powerloss.c");

/**
 * The path of the library that records what a process does to its files, compiled once for this version of its source; null
 * where there is no compiler, or the system is not Linux.
 */
export function powerlossLibrary(): string | null {
  if (process.platform !== "linux") return null;
  const name = createHash("sha256").update(readFileSync(SOURCE)).digest("hex").slice(0, 16);
  const folder = join(tmpdir(), `rookery-powerloss-${process.getuid?.() ?? 0}`);
  const file = join(folder, `${name}.so`);
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  try {
    execFileSync("cc", ["-O1", "-Wall", "-Wextra", "-fPIC", "-shared", "-o", draft, SOURCE, "-ldl"], { stdio: "pipe" });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: Buffer };
    if (code === "ENOENT") return null;
    throw new Error(`powerloss.c does not compile:\n${stderr?.toString()}`);
  }
  renameSync(draft, file);
  return file;
}
