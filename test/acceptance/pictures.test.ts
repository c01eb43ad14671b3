import { expectStatus, MISSING, Stage, type Client } from "../support/client";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";

const PNG = new Uint8Array(
  Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  ),
);

describe("the picture of a user", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
  });
  beforeEach(async () => {
    [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
  });
  afterAll(() => stage.end());

  const upload = async (client: Client, bytes: Uint8Array<ArrayBuffer> = PNG): Promise<Body> =>
    expectStatus(await client.raw("POST", "/api/files?name=me", bytes), 201).body;
  const wear = (client: Client, avatarUrl: string) => client.patch("/api/users/me", { avatarUrl });
  const opens = async (client: Client, url: string) => (await client.get(url)).status;

  test("opens for everybody who may see him, by token and by link, and only while it is his picture", async () => {
    const file = await upload(ann);
    expect(await opens(bob, file.url)).toBe(404);
    expectStatus(await wear(ann, file.url), 200);
    expect((await bob.get(`/api/users/${ann.id}`)).body.avatarUrl).toBe(file.url);
    expect(await opens(bob, file.url)).toBe(200);
    const { url } = expectStatus(await bob.get(`/api/files/${file.id}/link`), 200).body;
    expect((await stage.nobody.get(url)).status).toBe(200);
    expect((await stage.nobody.get(file.url)).status).toBe(401);
    const next = await upload(ann);
    expectStatus(await wear(ann, next.url), 200);
    expect([await opens(bob, file.url), await opens(bob, next.url)]).toEqual([404, 200]);
    expect((await stage.nobody.get(url)).status).toBe(404);
  });

  test("is not there for whom he blocks, nor for a guest who does not know him", async () => {
    const file = await upload(ann);
    expectStatus(await wear(ann, file.url), 200);
    expectStatus(await stage.admin.patch(`/api/users/${bob.id}`, { roles: ["Guest"] }), 200);
    const guest = await stage.login(bob);
    expect([await opens(guest, `/api/users/${ann.id}`), await opens(guest, file.url)]).toEqual([404, 404]);
    const room = await stage.channel([ann], { isPrivate: true });
    expectStatus(await stage.admin.post(`/api/channels/${room}/members`, { userId: bob.id }), 201);
    expect(await opens(guest, file.url)).toBe(200);
    const [eve] = (await stage.users("eve")) as [Client];
    expect(await opens(eve, file.url)).toBe(200);
    expectStatus(await ann.put(`/api/blocks/${eve.id}`), 204);
    expect([await opens(eve, `/api/users/${ann.id}`), await opens(eve, file.url)]).toEqual([404, 404]);
  });

  test("is an image of his own or an https address", async () => {
    const [text, others] = [await upload(ann, new Uint8Array(Buffer.from("a secret"))), await upload(bob)];
    const wrong = [
      text.url,
      others.url,
      `/api/files/${MISSING}`,
      "http://example.org/a.png",
      "javascript:alert(1)",
      "data:image/png;base64,AAAA",
    ];
    for (const avatarUrl of wrong)
      expect([avatarUrl, await wear(ann, avatarUrl)]).toMatchObject([
        avatarUrl,
        { status: 422, body: { code: "INVALID", errors: [{ field: "avatarUrl" }] } },
      ]);
    const own = await upload(ann);
    const byAdmin = (avatarUrl: string) => stage.admin.patch(`/api/users/${bob.id}`, { avatarUrl });
    expect((await byAdmin(own.url)).status).toBe(422);
    expect((await byAdmin(others.url)).status).toBe(200);
    expectStatus(await wear(ann, "https://example.org/a.png"), 200);
  });
});
