import { randomBytes } from "node:crypto";
import { say, Stage, type Client } from "../support/client";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

describe("files", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;
  let eve: Client;
  let room: string;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    [ann, bob, eve] = (await stage.users("ann", "bob", "eve")) as [Client, Client, Client];
    room = await stage.channel([ann, bob], { isPrivate: true });
  });
  afterAll(() => stage.end());

  const multipart = (bytes: Uint8Array<ArrayBuffer>, name: string, type = "application/octet-stream", client = ann) => {
    const form = new FormData();
    form.set("file", new Blob([bytes], { type }), name);
    return client.raw("POST", "/api/files", form);
  };
  const bytesOf = (buffer: Buffer): Uint8Array<ArrayBuffer> => new Uint8Array(buffer);
  const download = async (url: string, token?: string) => {
    const response = await fetch(
      stage.server.url + url,
      token ? { headers: { authorization: `Bearer ${token}` } } : {},
    );
    return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
  };
  const upload = async (client = ann): Promise<Body> => {
    const answer = await multipart(bytesOf(PNG), "dot.png", "image/png", client);
    expect(answer.status).toBe(201);
    return answer.body;
  };

  test("a multipart part `file` is stored and told with id, url, mimeType, size and name", async () => {
    const { status, body } = await multipart(bytesOf(PNG), "Grüße dot.png", "image/png");
    expect(status).toBe(201);
    expect(body).toMatchObject({
      id: expect.any(String),
      mimeType: "image/png",
      size: PNG.length,
      name: "Grüße dot.png",
    });
    expect(body.url).toMatch(/^\//);
    const got = await download(body.url, ann.token);
    expect(got.status).toBe(200);
    expect(got.bytes.equals(PNG)).toBe(true);
    expect(got.headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("a raw body with ?name= is the same", async () => {
    const answer = await ann.raw("POST", "/api/files?name=dot.png", bytesOf(PNG), { "content-type": "image/png" });
    expect(answer).toMatchObject({ status: 201, body: { mimeType: "image/png", size: PNG.length, name: "dot.png" } });
  });

  test("the type is that of the content, whatever the client says", async () => {
    expect((await multipart(bytesOf(PNG), "x.html", "text/html")).body.mimeType).toBe("image/png");
    const { body } = await multipart(bytesOf(Buffer.from("<script>alert(1)</script>")), "x.png", "image/png");
    expect(body.mimeType).not.toBe("image/png");
    const got = await download(body.url, ann.token);
    const inline = !/attachment/.test(got.headers.get("content-disposition") ?? "");
    expect(inline && /html|svg|script/.test(got.headers.get("content-type") ?? "")).toBe(false);
  });

  test("5 MB come back to the byte", async () => {
    const bytes = randomBytes(5 * 1024 * 1024);
    const { status, body } = await multipart(bytesOf(bytes), "noise.bin");
    expect([status, body.size]).toEqual([201, bytes.length]);
    expect((await download(body.url, ann.token)).bytes.equals(bytes)).toBe(true);
  });

  test("one over 25 MiB is TOO_LARGE", async () => {
    const answer = await multipart(bytesOf(Buffer.alloc(25 * 1024 * 1024 + 1)), "big.bin");
    expect(answer).toMatchObject({ status: 413, body: { code: "TOO_LARGE" } });
    expect((await stage.nobody.get("/api/health")).status).toBe(200);
  });

  test.each(["../../etc/passwd", "..\\..\\x", "a\u0000b", "/abs/olute", ".."])(
    "a name of %j stays a plain name",
    async name => {
      const answer = await ann.raw("POST", `/api/files?name=${encodeURIComponent(name)}`, bytesOf(PNG), {
        "content-type": "image/png",
      });
      if (answer.status === 201) expect(answer.body.name).not.toMatch(/[/\\\u0000]|^\.\.?$/);
      else expect(answer.status).toBe(422);
    },
  );

  test("an upload without a file is refused", async () => {
    expect((await ann.raw("POST", "/api/files", new FormData())).status).toBe(422);
    expect((await stage.nobody.raw("POST", "/api/files?name=x", bytesOf(PNG))).status).toBe(401);
  });

  test("an own upload goes with a message, its record filled in from ours; the text may be empty then", async () => {
    const file = await upload();
    for (const attachment of [
      file.id,
      { id: file.id },
      { ...file, mimeType: "text/lie", size: 1, url: "http://evil" },
    ]) {
      const message = await say(ann, room, "", { attachments: [attachment] });
      expect(message.attachments).toMatchObject([
        { id: file.id, url: file.url, mimeType: "image/png", size: PNG.length },
      ]);
    }
  });

  test("others' uploads cannot be attached, nor more than 10 nor one twice", async () => {
    const file = await upload();
    const stolen = await bob.post(`/api/channels/${room}/messages`, { text: "x", attachments: [file.id] });
    expect(stolen).toMatchObject({ status: 422, body: { code: "INVALID" } });
    const eleven = Array.from({ length: 11 }, () => file.id);
    expect((await ann.post(`/api/channels/${room}/messages`, { text: "x", attachments: eleven })).status).toBe(422);
  });

  test("a file is seen by those who see a message with it; to others it is NOT_FOUND (S19: files)", async () => {
    const file = await upload();
    expect((await download(file.url, ann.token)).status).toBe(200);
    expect((await download(file.url, bob.token)).status).toBe(404);
    await say(ann, room, "look", { attachments: [file.id] });
    expect((await download(file.url, bob.token)).status).toBe(200);
    for (const client of [eve, stage.nobody.as("nonsense")])
      expect([401, 404]).toContain((await download(file.url, client.token)).status);
    expect((await download(file.url, eve.token)).status).toBe(404);
    expect([401, 404]).toContain((await download(file.url)).status);
    expect((await eve.get(`/api/files/${file.id}/link`)).status).toBe(404);
  });

  test("a link opens the file without a token, and only that file (S20: files)", async () => {
    const [file, other] = [await upload(), await upload()];
    const link = await ann.get(`/api/files/${file.id}/link`);
    expect(link.status).toBe(200);
    const { url } = link.body;
    expect((await download(url)).bytes.equals(PNG)).toBe(true);
    expect([401, 403, 404]).toContain((await download(url.replace(file.id, other.id))).status);
    expect([401, 403, 404]).toContain((await download(url.replace(/expires=(\d+)/, "expires=99999999999999"))).status);
    expect([401, 403, 404]).toContain((await download(url.slice(0, -2))).status);
  });

  test("when the message is deleted, its file is gone for others (S26: files)", async () => {
    const file = await upload();
    const message = await say(ann, room, "look", { attachments: [file.id] });
    await ann.delete(`/api/messages/${message.id}`);
    expect((await download(file.url, bob.token)).status).toBe(404);
  });
});
