import { existsSync, readdirSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { ServiceBroker } from "moleculer";
import { platformOf } from "../../config/platform";
import { installed, startS3, type S3Server } from "../../deploy/local/servers";
import { call, type Actions, type Meta, type RoomAccess, type RoomRetention } from "../../services/core/contract";
import { newId } from "../../services/core/ids";
import type { FileRecord, Identity } from "../../services/core/model";
import { S3BlobStore } from "../../services/files/blob.store.s3";
import Files from "../../services/files/files.service";
import { codeOf, identity, startNode, stopNode, TestClock, until } from "../support/broker";
import { eventually } from "../support/eventually";
import { temporaryFolder } from "../support/temp";

const LIMIT = 1_000_000;
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

/** Who may read which room. */
const readers = new Map<string, Set<string>>();
const Rooms = {
  name: "rooms",
  actions: {
    access: {
      auth: "internal",
      visibility: "public",
      handler: ({ params: { user, rooms } }: { params: Actions["rooms.access"]["params"] }): RoomAccess[] =>
        rooms.map(room => ({
          room,
          ...(!readers.get(room)?.has(user) && { denied: "NOT_FOUND" as const }),
          role: null,
          visibleFrom: 0,
        })),
    },
    retentionOf: {
      auth: "internal",
      visibility: "public",
      handler: ({ params: { rooms } }: { params: Actions["rooms.retentionOf"]["params"] }): RoomRetention[] =>
        rooms.map(room => ({ room, days: null, hold: onHold.has(room), deletedAt: null })),
    },
  },
};

/** Rooms that are on hold, files that are somebody's picture, and files whose messages are gone. */
const onHold = new Set<string>();
const pictures = new Set<string>();
const notShown = new Set<string>();
const Users = {
  name: "users",
  actions: {
    shows: {
      auth: "internal",
      visibility: "public",
      handler: ({ params: { file } }: { params: Actions["users.shows"]["params"] }): boolean => pictures.has(file),
    },
    names: {
      auth: "internal",
      visibility: "public",
      handler: ({ params: { ids } }: { params: Actions["users.names"]["params"] }) =>
        ids.map(id => ({ id, username: id })),
    },
  },
};

/** Every file that was sent is still shown by its message, unless the message is gone. */
const Messages = {
  name: "messages",
  actions: {
    shows: {
      auth: "internal",
      visibility: "public",
      handler: ({ params: { file } }: { params: Actions["messages.shows"]["params"] }): boolean => !notShown.has(file),
    },
  },
};

const filesIn = (dir: string): string[] =>
  existsSync(dir)
    ? readdirSync(dir, { recursive: true, encoding: "utf8" }).filter(name => statSync(join(dir, name)).isFile())
    : [];

/** With S3 where its server is installed. */
const shapes = ["one node", "two nodes", ...(installed.s3 ? ["two nodes with S3"] : [])];

describe.each(shapes)("files on %s", shape => {
  const clock = new TestClock(Date.now());
  const folder = temporaryFolder();
  let home: ServiceBroker;
  let door: ServiceBroker;
  const ann = identity();
  const bob = identity();

  let s3: { server: S3Server; blobs: S3BlobStore } | null = null;

  beforeAll(async () => {
    const cluster = shape === "one node" ? undefined : newId();
    if (shape.endsWith("S3")) {
      const server = await startS3();
      s3 = { server, blobs: S3BlobStore.open(server, { info: () => undefined, warn: () => undefined }) };
    }
    const env = { LIMIT_FILE: String(LIMIT), ...(s3 && settingsOf(s3.server)) };
    home = await startNode({ services: [Files, Rooms, Messages, Users], dataDir: folder, env, clock, cluster });
    door = cluster ? await startNode({ services: [], cluster }) : home;
    await door.waitForServices(["files", "rooms", "messages"]);
    // From source it takes seconds to start: what comes before it is looked at in time is told as unknown.
    await eventually(
      "the thread that looks at files is there",
      () => save("words"),
      ({ mimeType }) => mimeType === "text/plain",
    );
  });

  afterAll(async () => {
    s3?.blobs.close();
    await s3?.server.stop();
  });

  /** Blobs that have begun and are not committed; on disk, all of them. */
  const blobs = (): string[] | Promise<string[]> => s3?.blobs.leftovers(0) ?? filesIn(join(folder, "files"));
  const save = (content: Readable | Buffer | string, params: object = {}, user: Identity | undefined = ann) =>
    door.call<FileRecord, object>("files.save", params, {
      meta: { user },
      stream: content instanceof Readable ? content : Readable.from([Buffer.from(content)]),
    } as never);
  const open = async (params: Actions["files.open"]["params"], user?: Identity) => {
    const meta: Meta = user ? { user } : {};
    const stream = await call(door, "files.open", params, { meta });
    return { body: await buffer(stream), headers: meta.$responseHeaders ?? {} };
  };
  const nothingKept = async (work: () => Promise<string>) => {
    const database = await platformOf(home).database();
    const state = async () => [await blobs(), await database.all("SELECT id FROM files")];
    const before = await state();
    const code = await work();
    await until(async () => JSON.stringify(await state()) === JSON.stringify(before));
    return code;
  };

  it("stores what was sent, tells its type by its content, and gives it back byte for byte", async () => {
    const file = await save(PNG, { $filename: "../../a photo.txt", $mimetype: "text/html", $fieldname: "file" });
    expect(file).toEqual({
      id: expect.any(String),
      url: `/api/files/${file.id}`,
      mimeType: "image/png",
      size: PNG.length,
      name: "a photo.txt",
    });
    const { body, headers } = await open({ id: file.id }, ann);
    expect(body.equals(PNG)).toBe(true);
    expect(headers).toEqual({
      "Content-Type": "image/png",
      "Content-Length": String(PNG.length),
      "Content-Disposition": `inline; filename="a photo.txt"; filename*=UTF-8''a%20photo.txt`,
      "X-Content-Type-Options": "nosniff",
      "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
      "Cache-Control": "private, max-age=300",
    });
  });

  it("takes a large file in many pieces", async () => {
    const content = Buffer.alloc(LIMIT, "0123456789abcdef");
    const pieces = Readable.from(
      (function* () {
        for (let at = 0; at < content.length; at += 7_777) yield content.subarray(at, at + 7_777);
      })(),
    );
    const file = await save(pieces, { name: "large.bin" });
    expect(file).toMatchObject({ size: LIMIT, mimeType: "text/plain" });
    expect((await open({ id: file.id }, ann)).body.equals(content)).toBe(true);
  });

  it("offers as a download what a browser could run, under no type of its own", async () => {
    for (const content of ["<html><script>alert(1)</script>", "<svg xmlns='http://www.w3.org/2000/svg'/>"]) {
      const file = await save(content, { name: "page.html\r\nX-Evil: 1" });
      expect(file.mimeType).toBe("application/octet-stream");
      const { headers } = await open({ id: file.id }, ann);
      expect(headers["Content-Type"]).toBe("application/octet-stream");
      expect(headers["Content-Disposition"]).toMatch(/^attachment; filename="page.htmlX-Evil: 1"/);
    }
    const text = await save(Buffer.concat([Buffer.alloc(100_000, "a"), Buffer.from([0xff])]));
    expect(text).toMatchObject({ mimeType: "application/octet-stream", name: "file" });
    const { headers } = await open({ id: (await save("words")).id }, ann);
    expect(headers["Content-Type"]).toBe("text/plain; charset=utf-8");
    expect(headers["Content-Disposition"]).toMatch(/^attachment/);
  });

  it("refuses a file above the limit and keeps nothing of it", async () => {
    expect(await nothingKept(() => codeOf(save(Buffer.alloc(LIMIT + 1))))).toBe("TOO_LARGE");
    const endless = new Readable({
      read() {
        setImmediate(() => this.push(Buffer.alloc(65_536)));
      },
    });
    expect(await nothingKept(() => codeOf(save(endless)))).toBe("TOO_LARGE");
    endless.destroy();
  });

  it("refuses an empty file and a request without one", async () => {
    expect(await nothingKept(() => codeOf(save("")))).toBe("INVALID");
    expect(await codeOf(door.call("files.save", {}, { meta: { user: ann } }))).toBe("INVALID");
  });

  it("keeps nothing of an upload that is broken off", async () => {
    const code = await nothingKept(async () => {
      const upload = new PassThrough();
      const answer = codeOf(save(upload));
      upload.write(Buffer.alloc(200_000));
      await until(async () => (await blobs()).some(name => s3 || name.startsWith("staged")));
      upload.destroy(new Error("aborted"));
      return answer;
    });
    expect(code).toBe("INVALID");
  });

  it("takes no files from strangers and no fields that are not its own", async () => {
    expect(await codeOf(save("x", {}, null as never))).toBe("UNAUTHENTICATED");
    for (const wrong of [{ owner: bob.id }, { name: { $ne: 1 } }, { name: ["a"] }, { mimeType: "text/html" }])
      expect(await codeOf(save("x", wrong))).toBe("VALIDATION_ERROR");
  });

  it("shows a file to its owner and to readers of a room it was sent to, and answers all others as if it were not", async () => {
    const file = await save("for the room");
    const room = newId();
    const missing = (await open({ id: newId() }, bob).catch((error: Error) => error)) as Error & { type: string };
    const hidden = (await open({ id: file.id }, bob).catch((error: Error) => error)) as Error & { type: string };
    expect({ type: hidden.type, message: hidden.message }).toEqual({ type: missing.type, message: missing.message });
    expect(hidden.type).toBe("NOT_FOUND");
    expect(await codeOf(call(door, "files.link", { id: file.id }, { meta: { user: bob } }))).toBe("NOT_FOUND");

    const attached = await call(door, "files.attach", { owner: ann.id, room, ids: [file.id] });
    expect(attached).toEqual([file]);
    expect(await codeOf(open({ id: file.id }, bob))).toBe("NOT_FOUND");
    readers.set(room, new Set([bob.id]));
    expect(String((await open({ id: file.id }, bob)).body)).toBe("for the room");
    readers.delete(room);
    expect(await codeOf(open({ id: file.id }, bob))).toBe("NOT_FOUND");
  });

  it("asks who is there before it looks for anything", async () => {
    const file = await save("secret");
    for (const id of [file.id, newId(), "../../etc/passwd"]) expect(await codeOf(open({ id }))).toBe("UNAUTHENTICATED");
    for (const id of ["../../jwt.secret", "%2e%2e%2f", "..\\x", "\0", "staged", "__proto__"])
      expect(await codeOf(open({ id }, ann))).toBe("NOT_FOUND");
    for (const id of [{ $ne: null }, ["a"], ""])
      expect(await codeOf(door.call("files.open", { id }, { meta: { user: ann } }))).toBe("VALIDATION_ERROR");
  });

  it("gives links that need no token, work five minutes, and only while their maker may see the file", async () => {
    const file = await save("linked");
    const room = newId();
    await call(door, "files.attach", { owner: ann.id, room, ids: [file.id] });
    readers.set(room, new Set([bob.id]));
    const { url, expiresIn } = await call(door, "files.link", { id: file.id }, { meta: { user: bob } });
    expect(expiresIn).toBe(300);
    const parsed = new URL(url, "http://origin");
    expect(parsed.pathname).toBe(file.url);
    const link = { id: file.id, ...Object.fromEntries(parsed.searchParams) } as Actions["files.open"]["params"];
    expect(String((await open(link)).body)).toBe("linked");
    expect(await codeOf(open({ ...link, id: (await save("other")).id }))).toBe("NOT_FOUND");
    expect(await codeOf(open({ ...link, expires: String(Number(link.expires) + 1) }))).toBe("NOT_FOUND");
    expect(await codeOf(open({ id: file.id, signature: link.signature as string }))).toBe("NOT_FOUND");
    readers.delete(room);
    expect(await codeOf(open(link))).toBe("NOT_FOUND");
    readers.set(room, new Set([bob.id]));
    clock.advance(300_000);
    expect(await codeOf(open(link))).toBe("NOT_FOUND");
  });

  it("attaches one's own files only, all or none, in the order asked", async () => {
    const [one, two] = [await save("one"), await save("two")];
    const foreign = await save("foreign", {}, bob);
    const room = newId();
    const attach = (ids: string[], owner = ann.id) => call(door, "files.attach", { owner, room, ids });
    for (const bad of [foreign.id, newId(), "no id", "__proto__"])
      expect(await codeOf(attach([one.id, bad]))).toBe("INVALID");
    readers.set(room, new Set([bob.id]));
    expect(await codeOf(open({ id: one.id }, bob))).toBe("NOT_FOUND");
    expect((await attach([two.id, one.id])).map(({ id }) => id)).toEqual([two.id, one.id]);
    expect((await attach([two.id])).map(({ id }) => id)).toEqual([two.id]);
    expect(await codeOf(attach(Array.from({ length: 11 }, () => one.id)))).toBe("INVALID");
    expect(await attach([])).toEqual([]);
  });

  it("removes what was released when nobody needs it: no message, no picture, no room on hold", async () => {
    const [plain, held, picture, shown] = await Promise.all(["a", "b", "c", "d"].map(text => save(text)));
    const [room, quiet] = [newId(), newId()];
    onHold.add(quiet);
    const attach = (file: FileRecord | undefined, to: string) =>
      call(door, "files.attach", { owner: ann.id, room: to, ids: [file?.id as string] });
    await Promise.all([attach(plain, room), attach(held, quiet), attach(picture, room), attach(shown, room)]);
    const ids = [plain, held, picture, shown].map(file => file?.id as string);
    const [goes, ...stay] = ids as [string, string, string, string];
    for (const id of [goes, stay[0], stay[1]]) notShown.add(id as string);
    pictures.add(stay[1] as string);
    await call(door, "files.release", { ids });
    expect(String((await open({ id: goes }, ann)).body)).toBe("a");
    clock.advance(60_000);
    await until(async () => (await codeOf(open({ id: goes }, ann))) === "NOT_FOUND");
    const database = await platformOf(home).database();
    const left = () =>
      database.all("SELECT id FROM files WHERE id IN (SELECT value FROM json_each(?))", [JSON.stringify(ids)]);
    await until(async () => (await left()).length === 3);
    for (const id of stay) await open({ id }, ann);
    if (s3) expect(await s3.blobs.open(goes)).toBeNull();
    else expect(filesIn(join(folder, "files")).filter(name => name.endsWith(goes))).toEqual([]);
    onHold.delete(quiet);
  });

  it("loses no room when one file is sent to many at once", async () => {
    const file = await save("everywhere");
    const rooms = Array.from({ length: 10 }, () => newId());
    await Promise.all(rooms.map(room => call(door, "files.attach", { owner: ann.id, room, ids: [file.id] })));
    for (const room of rooms) {
      readers.set(room, new Set([bob.id]));
      expect(String((await open({ id: file.id }, bob)).body)).toBe("everywhere");
      readers.delete(room);
    }
  });
});

const settingsOf = ({ endpoint, bucket, accessKey, secretKey }: S3Server) => ({
  S3_ENDPOINT: endpoint,
  S3_BUCKET: bucket,
  S3_ACCESS_KEY: accessKey,
  S3_SECRET_KEY: secretKey,
});

describe("a restart of files", () => {
  it("finishes a file whose record is stored, and drops one without", async () => {
    const dataDir = temporaryFolder();
    const ann = identity();
    const first = await startNode({ services: [Files, Rooms], dataDir });
    const saved = await first.call<FileRecord, object>("files.save", {}, {
      meta: { user: ann },
      stream: Readable.from([Buffer.from("kept")]),
    } as never);
    await stopNode(first);
    // The state of a run that ended between the record and the last step, and of one that ended before the record.
    const { id } = saved;
    const staged = join(dataDir, "files", "staged");
    renameSync(join(dataDir, "files", id.slice(-4, -2), id.slice(-2), id), join(staged, id));
    writeFileSync(join(staged, newId()), "half a fi");

    const second = await startNode({ services: [Files, Rooms], dataDir });
    const body = await buffer(await call(second, "files.open", { id }, { meta: { user: ann } }));
    expect(String(body)).toBe("kept");
    expect(readdirSync(staged)).toEqual([]);
  });

  it("is not needed for a file whose node ended before the last step: its first reader finishes it", async () => {
    const dataDir = temporaryFolder();
    const user = identity();
    const node = await startNode({ services: [Files, Rooms], dataDir });
    const { id } = await node.call<FileRecord, object>("files.save", {}, {
      meta: { user },
      stream: Readable.from([Buffer.from("whole")]),
    } as never);
    const [staged, committed] = [["staged", id], [id.slice(-4, -2), id.slice(-2), id]] // prettier-ignore
      .map(path => join(dataDir, "files", ...path)) as [string, string];
    renameSync(committed, staged);
    for (let n = 0; n < 2; n++)
      expect(String(await buffer(await call(node, "files.open", { id }, { meta: { user } })))).toBe("whole");
    expect(existsSync(staged)).toBe(false);
    unlinkSync(committed);
    expect(await codeOf(call(node, "files.open", { id }, { meta: { user } }))).toBe("NOT_FOUND");
  });
});

(installed.s3 ? describe : describe.skip)("files in S3", () => {
  it("are a cause of red readiness while it is away, and of UNAVAILABLE, in any order of starts", async () => {
    const server = await startS3();
    await server.kill9();
    const node = await startNode({ services: [Files, Rooms], env: settingsOf(server) });
    const { health } = platformOf(node);
    const save = () => node.call("files.save", {}, {
      meta: { user: identity() },
      stream: Readable.from([Buffer.from("x")]),
    } as never); // prettier-ignore
    expect(await health.report()).toMatchObject({ status: "unavailable", checks: { store: "ok", blobs: "down" } });
    expect(await codeOf(save())).toBe("UNAVAILABLE");
    await server.start();
    await until(async () => (await health.report()).status === "ok");
    expect(await save()).toMatchObject({ size: 1 });
    await stopNode(node);
    await server.stop();
  });
});
