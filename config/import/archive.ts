import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join, posix, sep } from "node:path";
import type { Readable } from "node:stream";
import { openPromise, type Entry, type ZipFile } from "yauzl";
import { Mistake } from "../backup/mistake";

/** Bytes that one file of an export may have: it is read as a whole. A zip may say anything of itself. */
const LARGEST = 256 * 1024 * 1024;

/** An export of many files, as a folder or a zip. Names have `/` between their parts, and no folder around all of them. */
export interface Archive {
  names(): readonly string[];
  /** The text of one of its files. Throws Mistake for one that is too large or damaged. */
  read(name: string): Promise<string>;
  close(): Promise<void>;
}

export async function openArchive(path: string): Promise<Archive> {
  return (await stat(path)).isDirectory() ? openFolder(path) : openZip(path);
}

async function openFolder(path: string): Promise<Archive> {
  const found = await readdir(path, { recursive: true, withFileTypes: true });
  const files = new Map(
    found
      .filter(entry => entry.isFile() && entry.name.endsWith(".json"))
      .map(entry => join(entry.parentPath, entry.name))
      .map(file => [file.slice(join(path, sep).length).split(sep).join("/"), file]),
  );
  const names = withoutRoot([...files.keys()]);
  return {
    names: () => [...names.keys()],
    read: name => textOf(name, createReadStream(files.get(names.get(name) ?? "") ?? "")),
    close: async () => undefined,
  };
}

async function openZip(path: string): Promise<Archive> {
  const zip = await openPromise(path, { lazyEntries: true, autoClose: false }).catch((error: Error) => {
    throw new Mistake(`${basename(path)} is no zip, and no export of a room: ${error.message}`);
  });
  const entries = await entriesOf(zip);
  const names = withoutRoot([...entries.keys()]);
  return {
    names: () => [...names.keys()],
    async read(name) {
      const entry = entries.get(names.get(name) ?? "") as Entry;
      if (entry.uncompressedSize > LARGEST) throw tooLarge(name);
      return textOf(name, await zip.openReadStreamPromise(entry));
    },
    close: async () => zip.close(),
  };
}

async function entriesOf(zip: ZipFile): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for await (const entry of zip.eachEntry()) if (entry.fileName.endsWith(".json")) entries.set(entry.fileName, entry);
  return entries;
}

/** Names without the folder that some programs put around everything. */
function withoutRoot(files: readonly string[]): Map<string, string> {
  const list = files.find(file => posix.basename(file) === "users.json" && file.split("/").length <= 2);
  const root = list === undefined || list === "users.json" ? "" : `${posix.dirname(list)}/`;
  return new Map(files.filter(file => file.startsWith(root)).map(file => [file.slice(root.length), file]));
}

async function textOf(name: string, stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > LARGEST) throw tooLarge(name);
      parts.push(part);
    }
  } catch (error) {
    throw error instanceof Mistake ? error : new Mistake(`${name} cannot be read: ${(error as Error).message}`);
  }
  return Buffer.concat(parts).toString();
}

const tooLarge = (name: string): Mistake => new Mistake(`${name} is larger than ${LARGEST / 1024 / 1024} MiB`);
