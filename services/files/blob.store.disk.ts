import { access, constants, mkdir, open, readdir, rename, rm, stat, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { makeDurableFolder } from "../../mixins/durable-folder";
import { RookeryError } from "../core/errors";
import { checkedKey, isKey, type BlobStore } from "./blob.store";

/**
 * Blobs as files in a folder, two levels deep. What is staged stands beside them and is moved in. Nodes on several machines
 * need a folder that all of them mount.
 */
export class DiskBlobStore implements BlobStore {
  private constructor(
    private readonly root: string,
    private readonly staging: string,
  ) {}

  /** @param root made if need be */
  static async open(root: string): Promise<DiskBlobStore> {
    const staging = join(root, "staged");
    makeDurableFolder(root);
    makeDurableFolder(staging);
    return new DiskBlobStore(root, staging);
  }

  async stage(key: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    const file = this.staged(key);
    const handle = await open(file, "wx", 0o600);
    try {
      for await (const chunk of source) await writeAll(handle, chunk);
      await handle.sync();
      await handle.close();
    } catch (error) {
      await handle.close().catch(() => undefined);
      await rm(file, { force: true });
      throw isOfDisk(error) ? new RookeryError("UNAVAILABLE") : error;
    }
  }

  async commit(key: string): Promise<void> {
    const target = this.committed(key);
    const folder = dirname(target);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      await rename(this.staged(key), target);
    } catch (error) {
      if (!isMissing(error)) throw isOfDisk(error) ? new RookeryError("UNAVAILABLE") : error;
      if (!(await exists(target))) throw new RookeryError("NOT_FOUND");
    }
    // The new names are durable only with the folders that hold them.
    for (const dir of [folder, dirname(folder), this.root]) await syncFolder(dir);
  }

  async discard(key: string): Promise<void> {
    await rm(this.staged(key), { force: true });
  }

  async leftovers(age: number): Promise<string[]> {
    const found: string[] = [];
    for (const key of (await readdir(this.staging)).filter(isKey)) {
      // Another process may just have moved it.
      const touched = await stat(this.staged(key)).catch(() => null);
      if (touched && Date.now() - touched.mtimeMs >= age) found.push(key);
    }
    return found;
  }

  async open(key: string): Promise<Readable | null> {
    try {
      return (await open(this.committed(key), "r")).createReadStream();
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async remove(key: string): Promise<void> {
    const file = this.committed(key);
    try {
      await unlink(file);
    } catch (error) {
      if (isMissing(error)) return;
      throw isOfDisk(error) ? new RookeryError("UNAVAILABLE") : error;
    }
    // Else it could come back after a loss of power, when nothing leads to it any more.
    await syncFolder(dirname(file));
  }

  async check(): Promise<void> {
    await access(this.staging, constants.W_OK);
  }

  close(): void {}

  private staged(key: string): string {
    return join(this.staging, checkedKey(key));
  }

  /** By the end of the key: its beginning is the time it was made, and would fill one folder after another. */
  private committed(key: string): string {
    return join(this.root, checkedKey(key).slice(-4, -2), key.slice(-2), key);
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length;) done += (await handle.write(chunk, done)).bytesWritten;
}

async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function exists(file: string): Promise<boolean> {
  const handle = await open(file, "r").catch(() => null);
  await handle?.close();
  return handle !== null;
}

/** Full or broken. */
const isOfDisk = (error: unknown): boolean =>
  ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE"].includes((error as NodeJS.ErrnoException).code ?? "");

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";
