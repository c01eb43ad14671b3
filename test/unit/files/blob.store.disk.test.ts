import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { newId } from "../../../services/core/ids";
import { DiskBlobStore } from "../../../services/files/blob.store.disk";
import { temporaryFolder } from "../../support/temp";

async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

const filesIn = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: "utf8" }).filter(name => statSync(join(dir, name)).isFile());

describe("the blob store on disk", () => {
  let root: string;
  let blobs: DiskBlobStore;
  beforeEach(async () => {
    root = join(temporaryFolder(), "files");
    blobs = await DiskBlobStore.open(root);
  });

  it("gives back what was committed, byte for byte", async () => {
    const key = newId();
    await blobs.stage(key, chunks("one ", "", "two"));
    expect(await blobs.open(key)).toBeNull();
    await blobs.commit(key);
    expect(String(await buffer((await blobs.open(key)) as NodeJS.ReadableStream))).toBe("one two");
    expect(filesIn(root)).toEqual([join(key.slice(-4, -2), key.slice(-2), key)]);
    await blobs.commit(key);
    expect(await blobs.open(newId())).toBeNull();
  });

  it("keeps nothing of a source that fails", async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("some");
      throw new Error("gone");
    }
    await expect(blobs.stage(newId(), broken())).rejects.toThrow("gone");
    expect(filesIn(root)).toEqual([]);
  });

  it("tells what was staged by a run that is gone", async () => {
    const [kept, dropped] = [newId(), newId()];
    await blobs.stage(kept, chunks("kept"));
    await blobs.stage(dropped, chunks("dropped"));
    const next = await DiskBlobStore.open(root);
    expect((await next.leftovers(0)).sort()).toEqual([kept, dropped].sort());
    await next.commit(kept);
    await next.discard(dropped);
    await next.discard(dropped);
    expect(await next.leftovers(0)).toEqual([]);
    expect(filesIn(root)).toHaveLength(1);
  });

  it("takes no key that leads elsewhere", async () => {
    writeFileSync(join(root, "..", "secret"), "secret");
    mkdirSync(join(root, "..", "x"));
    for (const key of ["../secret", "..", "", "/etc/passwd", "a/../../secret", `${newId()}/..`, `${newId()}\0`]) {
      await expect(blobs.stage(key, chunks("x"))).rejects.toThrow("not a blob key");
      await expect(blobs.open(key)).rejects.toThrow("not a blob key");
      await expect(blobs.commit(key)).rejects.toThrow("not a blob key");
      await expect(blobs.discard(key)).rejects.toThrow("not a blob key");
    }
    expect(existsSync(join(root, "..", "secret"))).toBe(true);
  });

  it("is not overwritten by a second blob of the same key", async () => {
    const key = newId();
    await blobs.stage(key, chunks("first"));
    await expect(blobs.stage(key, chunks("second"))).rejects.toThrow();
    await blobs.commit(key);
    expect(String(await buffer((await blobs.open(key)) as NodeJS.ReadableStream))).toBe("first");
  });
});
