import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { copyFile, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { syncFolder } from "../../mixins/durable-folder";
import type { Config } from "../config";
import { version } from "../root";
import { copyFolder, sha256, sync } from "./folder";
import { writeManifest, type Manifest } from "./manifest";
import { isFull, Mistake } from "./mistake";
import { copyStore, FILES, inspectStore, SECRET, STORE } from "./store-file";

/**
 * Copies the embedded store to a folder, while its server runs or not: the store as it is at one moment, then every file it
 * may know, then the generated secret. Throws Mistake; then the folder is as it was.
 */
export async function makeBackup(config: Config, folder: string): Promise<Manifest> {
  const { dataDir } = config;
  const to = resolve(folder);
  const store = join(dataDir, STORE);
  if (!existsSync(store)) throw new Mistake(`DATA_DIR ${dataDir} holds no store`);
  if (existsSync(to) && (!(await stat(to)).isDirectory() || readdirSync(to).length > 0))
    throw new Mistake(`${folder} is there already and not empty`);
  if (!relative(join(dataDir, FILES), to).startsWith(".."))
    throw new Mistake(`${folder} is among the files that would be copied`);
  const made = mkdirSync(to, { recursive: true, mode: 0o700 });
  try {
    const manifest = await fill(config, store, to);
    for (let dir = to; ; dir = dirname(dir)) {
      syncFolder(dir);
      if (dir === dirname(made ?? to) || dir === dirname(dir)) return manifest;
    }
  } catch (error) {
    for (const name of readdirSync(to)) await rm(join(to, name), { recursive: true, force: true });
    if (made) await rmdir(to).catch(() => undefined);
    if (isFull(error)) throw new Mistake(`there is no room for the backup in ${folder}; nothing was kept there`);
    throw error;
  }
}

async function fill(config: Config, store: string, to: string): Promise<Manifest> {
  const { dataDir, s3 } = config;
  const copy = join(to, STORE);
  const madeAt = new Date().toISOString();
  copyStore(store, copy);
  await sync(copy);
  const rows = inspectStore(copy);
  if (!rows) throw new Mistake(`the store ${store} is damaged: its copy fails SQLite's check`);
  // After the store: a file is there before the store knows of it.
  const files = s3 ? null : await copyFiles(join(dataDir, FILES), join(to, FILES));
  const secret = existsSync(join(dataDir, SECRET));
  if (secret) {
    await copyFile(join(dataDir, SECRET), join(to, SECRET));
    await sync(join(to, SECRET));
  }
  const manifest: Manifest = {
    format: 1,
    version,
    madeAt,
    store: { bytes: (await stat(copy)).size, sha256: await sha256(copy), rows },
    files,
    secret,
  };
  await writeManifest(to, manifest);
  return manifest;
}

const copyFiles = (from: string, to: string) =>
  existsSync(from) ? copyFolder(from, to) : Promise.resolve({ count: 0, bytes: 0 });
