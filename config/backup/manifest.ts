import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Amount } from "./folder";
import { Mistake } from "./mistake";
import type { Counts } from "./store-file";

/** What a backup says of itself. It is written last: a folder without it is no backup. */
export interface Manifest {
  format: 1;
  /** Of the product that made it. */
  version: string;
  /** Everything is in it that was acknowledged before. */
  madeAt: string;
  store: { bytes: number; sha256: string; rows: Counts };
  /** Null: files are kept elsewhere, in S3. */
  files: Amount | null;
  /** Whether it holds the generated token secret. */
  secret: boolean;
}

const NAME = "backup.json";

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await writeFile(join(folder, NAME), `${JSON.stringify(manifest, null, 2)}\n`, {
    mode: 0o600,
    flush: true,
    flag: "wx",
  });
}

/** Throws Mistake if the folder is no backup, or one that this version cannot read. */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, NAME), "utf8").catch(() => null);
  if (text === null) throw new Mistake(`${folder} is no backup: it has no ${NAME}`);
  let manifest: Partial<Manifest>;
  try {
    manifest = JSON.parse(text) as Partial<Manifest>;
  } catch {
    throw new Mistake(`${join(folder, NAME)} is damaged`);
  }
  if (manifest.format !== 1) throw new Mistake(`${folder} was made by a version that this one does not know`);
  return manifest as Manifest;
}
