import { utimesSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { installed, startS3, type S3Server } from "../../../deploy/local/servers";
import { newId } from "../../../services/core/ids";
import type { BlobStore } from "../../../services/files/blob.store";
import { DiskBlobStore } from "../../../services/files/blob.store.disk";
import { S3BlobStore } from "../../../services/files/blob.store.s3";
import { codeOf } from "../../support/broker";
import { eventually } from "../../support/eventually";
import { temporaryFolder } from "../../support/temp";

const MIB = 1024 * 1024;
const silent = { info: () => undefined, warn: () => undefined };
const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function* chunks(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

async function* broken(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks(...parts);
  throw new Error("gone");
}

const read = async (blobs: BlobStore, key: string): Promise<Buffer> => buffer((await blobs.open(key)) as Readable);

interface Ground {
  /** The store as one more process would open it. */
  open(): Promise<BlobStore>;
  stop(): Promise<void>;
}

async function onDisk(): Promise<Ground> {
  const root = join(temporaryFolder(), "files");
  return { open: () => DiskBlobStore.open(root), stop: async () => undefined };
}

async function onS3(): Promise<Ground> {
  const server = await startS3();
  return { open: async () => S3BlobStore.open(server, silent), stop: async () => void (await server.stop()) };
}

/** versitygw comes with `npm run servers`; where it is not installed the half for S3 is left out. */
const describeS3 = installed.s3 ? describe : describe.skip;

const conformance = (start: () => Promise<Ground>) => () => {
  let ground: Ground;
  let blobs: BlobStore;
  let other: BlobStore;

  beforeAll(async () => {
    ground = await start();
    [blobs, other] = [await ground.open(), await ground.open()];
  });

  afterAll(async () => {
    for (const store of [blobs, other]) store?.close();
    await ground?.stop();
  });

  it("shows a blob to every process when it is committed, and not before", async () => {
    const key = newId();
    await blobs.stage(key, chunks("one ", "", "two"));
    for (const store of [blobs, other]) expect(await store.open(key)).toBeNull();
    await blobs.commit(key);
    for (const store of [blobs, other]) expect(String(await read(store, key))).toBe("one two");
    expect(await blobs.leftovers(0)).toEqual([]);
  });

  it("gives back many MiB in odd pieces, byte for byte", async () => {
    const content = Buffer.alloc(12 * MIB + 12_345, "0123456789abcdefg");
    const pieces = Array.from({ length: Math.ceil(content.length / 99_991) }, (_, n) =>
      content.subarray(n * 99_991, (n + 1) * 99_991),
    );
    const key = newId();
    await blobs.stage(key, chunks(...pieces));
    await blobs.commit(key);
    expect(sha(await read(other, key))).toBe(sha(content));
    const whole = newId();
    await blobs.stage(whole, chunks(content));
    await blobs.commit(whole);
    expect(sha(await read(other, whole))).toBe(sha(content));
  });

  it("keeps nothing of a source that fails, however far it came, and throws what it threw", async () => {
    for (const parts of [[], [Buffer.from("some")], [Buffer.alloc(6 * MIB), Buffer.from("more")]])
      await expect(blobs.stage(newId(), broken(...parts))).rejects.toThrow("gone");
    expect(await blobs.leftovers(0)).toEqual([]);
  });

  it("commits what another process staged, as often as it is asked", async () => {
    const key = newId();
    await blobs.stage(key, chunks(Buffer.alloc(6 * MIB, "x"), "end"));
    expect(await other.leftovers(0)).toEqual([key]);
    await other.commit(key);
    await blobs.commit(key);
    await other.commit(key);
    expect((await read(blobs, key)).length).toBe(6 * MIB + 3);
    expect(await other.leftovers(0)).toEqual([]);
    expect(await codeOf(blobs.commit(newId()))).toBe("NOT_FOUND");
  });

  it("drops what another process staged, and then it cannot be committed", async () => {
    const key = newId();
    await blobs.stage(key, chunks("dropped"));
    await other.discard(key);
    await other.discard(key);
    expect(await codeOf(blobs.commit(key))).toBe("NOT_FOUND");
    expect(await blobs.open(key)).toBeNull();
    expect(await blobs.leftovers(0)).toEqual([]);
  });

  it("removes what was committed, for every process and as often as it is asked", async () => {
    const key = newId();
    await blobs.stage(key, chunks("gone"));
    await blobs.commit(key);
    await other.remove(key);
    await blobs.remove(key);
    await blobs.remove(newId());
    for (const store of [blobs, other]) expect(await store.open(key)).toBeNull();
  });

  it("counts as leftover only what nobody has touched for long enough", async () => {
    const key = newId();
    await blobs.stage(key, chunks("young"));
    expect(await other.leftovers(60_000)).toEqual([]);
    expect(await other.leftovers(0)).toEqual([key]);
    await other.discard(key);
  });

  it("takes no key that leads elsewhere", async () => {
    for (const key of ["../secret", "", "a/b", `${newId()}/..`])
      for (const work of [blobs.stage(key, chunks("x")), blobs.open(key), blobs.commit(key), blobs.discard(key)])
        await expect(work).rejects.toThrow("not a blob key");
  });

  it("reads no faster than its reader", async () => {
    const key = newId();
    await blobs.stage(key, chunks(Buffer.alloc(MIB, "r")));
    await blobs.commit(key);
    const stream = (await blobs.open(key)) as Readable;
    await eventually("something is there", () => stream.readableLength > 0 || stream.read() !== null);
    expect(stream.readableLength).toBeLessThan(MIB);
    stream.destroy();
  });
};

describe("blobs on disk", conformance(onDisk));
describeS3("blobs in S3", conformance(onS3));

describe("blobs on disk, by age", () => {
  it("takes the last byte of an upload for its age, not its beginning", async () => {
    const root = join(temporaryFolder(), "files");
    const blobs = await DiskBlobStore.open(root);
    const key = newId();
    await blobs.stage(key, chunks("old"));
    const hourAgo = new Date(Date.now() - 3_600_000);
    utimesSync(join(root, "staged", key), hourAgo, hourAgo);
    expect(await blobs.leftovers(1_800_000)).toEqual([key]);
  });
});

describeS3("a server of S3 that is away", () => {
  let server: S3Server;
  let blobs: S3BlobStore;
  const lines: string[] = [];
  const log = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };

  beforeAll(async () => {
    server = await startS3();
    await server.kill9();
    blobs = S3BlobStore.open({ ...fieldsOf(server), bucket: "made-at-start" }, log);
  });

  afterAll(async () => {
    blobs?.close();
    await server?.stop();
  });

  it("is told once, refuses with UNAVAILABLE, and works with a bucket of its own making when it comes", async () => {
    const key = newId();
    await expect(blobs.check()).rejects.toThrow();
    for (const work of [() => blobs.stage(key, chunks("x")), () => blobs.open(key), () => blobs.leftovers(0)])
      expect(await codeOf(work())).toBe("UNAVAILABLE");
    expect(lines).toEqual(["S3 refuses or does not answer"]);
    await server.start();
    await eventually("the store can be used", () => blobs.check().then(() => true, () => false)); // prettier-ignore
    await blobs.stage(key, chunks("back"));
    await blobs.commit(key);
    expect(String(await read(blobs, key))).toBe("back");
    expect(lines).toEqual(["S3 refuses or does not answer", "S3 answers again", "made the bucket for files"]);
  });

  it("ends a read that it does not finish with an error", async () => {
    const key = newId();
    await blobs.stage(key, chunks(Buffer.alloc(20 * MIB)));
    await blobs.commit(key);
    const stream = (await blobs.open(key)) as Readable;
    stream.once("data", () => stream.pause());
    await eventually("it has begun", () => stream.isPaused());
    await server.kill9();
    await expect(buffer(stream)).rejects.toThrow();
  });
});

const fieldsOf = ({ endpoint, bucket, accessKey, secretKey }: S3Server) => ({ endpoint, bucket, accessKey, secretKey });
