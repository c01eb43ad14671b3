import { createReadStream } from "node:fs";
import { copyFile, mkdir, open, readdir, stat } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

/** Files, and bytes in them. */
export interface Amount {
  count: number;
  bytes: number;
}

/**
 * Copies a folder, of whose files none ever changes, while others add to it and move what is in it; every file is there in the
 * end that was there at the beginning. What it copies is durable when it resolves.
 */
export async function copyFolder(from: string, to: string): Promise<Amount> {
  // A file that is moved while we walk may be missed where it was and where it went; the second walk finds it.
  const first = await walk(from, to);
  const second = await walk(from, to);
  return { count: first.count + second.count, bytes: first.bytes + second.bytes };
}

/** What is in a folder and all below it. */
export async function amountIn(folder: string): Promise<Amount> {
  const amount = { count: 0, bytes: 0 };
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    amount.count++;
    amount.bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return amount;
}

/** Hexadecimal. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest("hex");
}

/** Waits until a file, or the names in a folder, are on the disk. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function walk(from: string, to: string): Promise<Amount> {
  const amount = { count: 0, bytes: 0 };
  await mkdir(to, { recursive: true, mode: 0o700 });
  const there = new Set(await readdir(to));
  const entries = await readdir(from, { withFileTypes: true });
  for (const entry of entries) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      const below = await walk(source, target);
      amount.count += below.count;
      amount.bytes += below.bytes;
    } else if (entry.isFile() && !there.has(entry.name) && (await copy(source, target))) {
      amount.count++;
      amount.bytes += (await stat(target)).size;
    }
  }
  await sync(to);
  return amount;
}

/** False if it is gone. */
async function copy(source: string, target: string): Promise<boolean> {
  try {
    await copyFile(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  await sync(target);
  return true;
}
