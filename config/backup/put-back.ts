import { existsSync } from "node:fs";
import { copyFile, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { lockFolder } from "../../mixins/sqlite/lock";
import type { Config } from "../config";
import { amountIn, copyFolder, sha256, sync } from "./folder";
import { readManifest, type Manifest } from "./manifest";
import { isFull, Mistake } from "./mistake";
import { renewStore } from "./renew";
import { FILES, inspectStore, SECRET, STORE } from "./store-file";
import { DRAFT } from "./unfinished";

/** What DATA_DIR holds of a store. The store itself comes last: until it is there no server starts. */
const PARTS = [FILES, SECRET, `${STORE}-wal`, `${STORE}-shm`, STORE];

export interface PutBack {
  manifest: Manifest;
  /** What the services did to the store. */
  told: string[];
  /** Where the store is that was there before; null if there was none. */
  replaced: string | null;
}

/**
 * Puts a backup in place of the store in DATA_DIR, which no process may be using. It is checked and made ready beside; a process
 * that ends while it is put in place leaves a DATA_DIR that no server takes, and may be repeated. Throws Mistake or FolderInUseError; then DATA_DIR is as it was.
 */
export async function putBack(config: Config, folder: string, replace: boolean): Promise<PutBack> {
  const { dataDir } = config;
  const manifest = await readManifest(folder);
  const release = await lockFolder(dataDir);
  const draft = join(dataDir, DRAFT);
  try {
    const there = PARTS.filter(part => existsSync(join(dataDir, part)));
    if (there.length > 0 && !replace)
      throw new Mistake(`DATA_DIR ${dataDir} holds a store already; --replace keeps it aside and takes the backup's`);
    await rm(draft, { recursive: true, force: true });
    await copyChecked(folder, draft, manifest);
    const told = await renewStore({ ...config, dataDir: draft });
    const replaced =
      there.length > 0 ? join(dataDir, `replaced-${new Date().toISOString().replaceAll(":", "-")}`) : null;
    if (replaced) await move([...there].reverse(), dataDir, replaced);
    await move(PARTS, draft, dataDir);
    await sync(dataDir);
    return { manifest, told, replaced };
  } catch (error) {
    if (isFull(error)) throw new Mistake(`there is no room for the backup in DATA_DIR ${dataDir}`);
    throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
    await release();
  }
}

async function copyChecked(folder: string, draft: string, { store, files, secret }: Manifest): Promise<void> {
  const damaged = (what: string): Mistake => new Mistake(`the backup in ${folder} is damaged: ${what}`);
  await mkdir(draft, { mode: 0o700 });
  const copy = join(draft, STORE);
  await copyIn(join(folder, STORE), copy, damaged);
  if ((await sha256(copy)) !== store.sha256) throw damaged(`${STORE} is not what was written`);
  if (!inspectStore(copy)) throw damaged(`${STORE} fails SQLite's check`);
  if (secret) await copyIn(join(folder, SECRET), join(draft, SECRET), damaged);
  if (!files || files.count === 0) return;
  const { count, bytes } = await amountIn(join(folder, FILES)).catch(() => ({ count: 0, bytes: 0 }));
  if (count !== files.count || bytes !== files.bytes)
    throw damaged(`${files.count} files of ${files.bytes} bytes were written, there are ${count} of ${bytes}`);
  await copyFolder(join(folder, FILES), join(draft, FILES));
}

async function copyIn(from: string, to: string, damaged: (what: string) => Mistake): Promise<void> {
  if (!existsSync(from)) throw damaged(`${from} is missing`);
  await copyFile(from, to);
  await sync(to);
}

async function move(parts: readonly string[], from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const part of parts) if (existsSync(join(from, part))) await rename(join(from, part), join(to, part));
  await sync(to);
}
