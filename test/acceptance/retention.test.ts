import { say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { describeOwn, startServer } from "../support/server";

/** Messages are kept for 8.6 seconds here, and looked at every second. */
const RETENTION_DAYS = "0.0001";

describeOwn("retention", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer({ env: { RETENTION_DAYS } }));
    [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
  });
  afterAll(() => stage?.end());

  const set = async (client: Client, room: string, body: object, what = "channels") => {
    const answer = await client.patch(`/api/${what}/${room}`, body);
    return answer.status === 200 ? answer.body : answer.status;
  };
  const page = async (room: string, query = "", what = "channels"): Promise<Body> =>
    (await ann.get(`/api/${what}/${room}/messages${query}`)).body;
  const texts = async (room: string) => (await page(room)).items.map(({ text }: Body) => text);

  test("is set by owners, a hold by administrators alone, in every room", async () => {
    const eve = await stage.withRoles("eve", ["Moderator"]);
    const room = await stage.channel([ann, bob], { owner: eve, isPrivate: true });
    expect(await set(ann, room, { retentionDays: 30 })).toBe(403);
    await eve.post(`/api/channels/${room}/members`, { userId: ann.id, role: "moderator" });
    expect(await set(ann, room, { retentionDays: 30 })).toBe(403);
    expect(await set(eve, room, { retentionDays: 30, topic: "kept" })).toMatchObject({
      retentionDays: 30,
      topic: "kept",
    });
    expect((await bob.get(`/api/channels/${room}`)).body.retentionDays).toBe(30);
    expect(await set(eve, room, { legalHold: true })).toBe(403);
    for (const retentionDays of [-1, 0.5, 3_651, "long"]) expect(await set(eve, room, { retentionDays })).toBe(422);
    expect(await set(eve, room, { legalHold: "yes" })).toBe(422);
    expect(await set(eve, room, { retentionDays: null })).not.toHaveProperty("retentionDays");
    // The administrator is no member, and sees nothing else of it.
    expect(await set(stage.admin, room, { legalHold: true })).toMatchObject({ legalHold: true, role: null });
    expect(await set(stage.admin, room, { legalHold: true, name: "seen" })).toBe(404);
    for (const client of [bob, eve])
      expect((await client.get(`/api/channels/${room}`)).body).not.toHaveProperty("legalHold");
    expect(await set(stage.admin, room, { legalHold: false })).not.toHaveProperty("legalHold");
    const direct = await stage.direct(ann, bob);
    expect(await set(ann, direct, { retentionDays: 1 }, "conversations")).toBe(403);
    expect(await set(stage.admin, direct, { legalHold: true }, "conversations")).toMatchObject({
      type: "direct",
      legalHold: true,
    });
    expect(await set(bob, direct, { legalHold: false }, "conversations")).toBe(403);
  });

  test("a hold keeps what is edited and deleted, for administrators alone, until it ends; nobody else notices", async () => {
    const room = await stage.channel([ann, bob]);
    await set(stage.admin, room, { retentionDays: 0 });
    const watcher = await bob.socket([room]);
    expect(await set(stage.admin, room, { legalHold: true })).toMatchObject({ legalHold: true });
    const { body: file } = await ann.raw("POST", "/api/files?name=proof.txt", "proof", {
      "content-type": "text/plain",
    });
    const { id } = await say(ann, room, "the first words", { attachments: [{ id: file.id }] });
    const message = `/api/messages/${id}`;
    expect((await ann.patch(message, { text: "other words" })).status).toBe(200);
    const gone = await ann.delete(message);
    expect(gone.body).toMatchObject({ text: "", attachments: [] });
    expect(gone.body).not.toHaveProperty("version");
    const after = await say(ann, room, "after");
    await watcher.event(room, after.offset);
    expect(JSON.stringify(watcher.frames)).not.toMatch(/legalHold|"version/);
    expect(watcher.events(room).map(({ kind }) => kind)).toEqual(["message", "edit", "delete", "message"]);
    expect((await stage.admin.get(message)).body).toMatchObject({ text: "" });
    expect((await stage.admin.get(`/api/channels/${room}`)).body.legalHold).toBe(true);
    const kept = [
      { text: "the first words", at: expect.any(String) },
      { text: "other words", at: expect.any(String), attachments: [expect.objectContaining({ id: file.id })] },
    ];
    const moderator = await stage.withRoles("moderator", ["Moderator"]);
    expect((await stage.admin.get(`${message}/versions`)).body).toEqual({ items: kept });
    for (const client of [ann, moderator])
      expect((await client.get(`${message}/versions`)).body).toEqual({ items: [] });
    expect((await bob.get(`${message}/versions`)).status).toBe(403);

    const exported = async () => {
      const { status, body } = await stage.admin.get(`/api/channels/${room}/export`);
      return status === 200
        ? (body as string)
            .trimEnd()
            .split("\n")
            .map(line => JSON.parse(line) as Body)
        : status;
    };
    const versions = async () => ((await exported()) as Body[]).find(line => line.id === id)?.versions;
    expect(await versions()).toEqual(kept);
    // Its deletion would be a way around the hold.
    expect((await stage.admin.delete(`/api/channels/${room}`)).status).toBe(204);
    expect(await versions()).toEqual(kept);
    expect((await stage.admin.get(`${message}/versions`)).body).toEqual({ items: kept });
    await set(stage.admin, room, { legalHold: false });
    expect(await exported()).toBe(404);
    await eventually(
      "what the hold kept is gone",
      async () => (await stage.admin.get(`${message}/versions`)).body.items?.length ?? 0,
      left => left === 0,
    );
  });

  test("what is too old leaves its room, with all that belongs to it; what is kept or held stays", async () => {
    const [plain, kept, held, gone] = await Promise.all([1, 2, 3, 4].map(() => stage.channel([ann, bob])));
    const rooms = [plain, kept, held, gone] as string[];
    await set(stage.admin, kept as string, { retentionDays: 0 });
    for (const room of [held, gone]) await set(stage.admin, room as string, { legalHold: true });
    const watcher = await bob.socket([plain as string]);
    const { body: file } = await ann.raw("POST", "/api/files?name=a.txt", "text", { "content-type": "text/plain" });
    let old = "";
    for (const room of rooms) {
      const { id } = await say(ann, room, "one", { attachments: [{ id: file.id }] });
      old ||= `/api/messages/${id}`;
      if (room === plain) expect((await bob.put(`${old}/reactions/%F0%9F%91%8D`)).status).toBe(200);
      for (const text of ["two", `@${bob.username} three`]) await say(ann, room, text);
    }
    await stage.admin.delete(`/api/channels/${gone}`);
    expect((await bob.get(file.url)).status).toBe(200);

    await eventually("the old have left", async () => (await page(plain as string)).total === 0);
    // The last entry cannot leave: its message is emptied, and those who are there are told.
    await watcher.frame(
      "the last one's end",
      ({ kind, data }) => kind === "delete" && data.text === "" && data.seq === 3,
    );
    const fresh = await say(ann, plain as string, "fresh");
    expect(fresh.seq).toBe(4);
    expect(await page(plain as string, "?after=0")).toMatchObject({
      items: [fresh],
      hasBefore: false,
      hasAfter: false,
    });
    expect(await page(plain as string)).toMatchObject({ items: [fresh], total: 1 });
    for (const path of [old, `${old}/receipts`]) expect((await bob.get(path)).status).toBe(404);
    expect((await bob.put(`${old}/reactions/%F0%9F%91%8D`)).status).toBe(404);
    expect((await ann.patch(old, { text: "again" })).status).toBe(404);
    const reply = { text: "to nothing", replyTo: old.split("/").at(-1) };
    expect((await ann.post(`/api/channels/${plain}/messages`, reply)).status).toBe(422);
    const { items } = (await bob.get("/api/unread")).body;
    expect(items.find(({ roomId }: Body) => roomId === plain)).toMatchObject({
      unread: 1,
      mentions: 0,
      lastSeq: 4,
      readSeq: 3,
    });
    expect((await bob.post(`/api/channels/${plain}/read`, { seq: 2 })).status).toBe(204);
    const again = await bob.connect();
    const welcome = await again.hello(bob.token as string, { [plain as string]: 1 });
    expect(welcome.rooms?.[plain as string]).toMatchObject({ state: "reset" });

    for (const room of [kept, held])
      expect(await texts(room as string)).toEqual(["one", "two", `@${bob.username} three`]);
    expect((await bob.get(file.url)).status).toBe(200);
    expect(await set(stage.admin, gone as string, { legalHold: false })).not.toHaveProperty("legalHold");
    const figures = await Promise.all(stage.server.metricsUrls.map(async url => (await fetch(url)).text()));
    const removed = figures.map(text =>
      Number(/^rookery_retention_entries_removed_total(?:\{.*\})? (\d+)$/m.exec(text)?.[1]),
    );
    expect(Math.max(...removed.filter(Number.isFinite))).toBeGreaterThan(2);
  });

  test("a thread goes on when what it began with has left: any reply leads to the others", async () => {
    const room = await stage.channel([ann, bob]);
    const root = await say(bob, room, "root");
    await eventually("half of its time is over", () => Date.now() - Date.parse(root.createdAt) > 4_300);
    const replies = [];
    for (const client of [ann, bob]) replies.push(await say(client, room, "reply", { threadId: root.id }));
    const path = `/api/messages/${replies[0]?.id}/replies`;
    expect((await ann.get(path)).body.items).toEqual(replies);
    const left = async () => (await bob.get(`/api/messages/${root.id}`)).status === 404;
    await eventually("what it began with has left", left);
    expect((await bob.get(path)).body).toMatchObject({ items: replies, hasBefore: false, hasAfter: false });
    expect((await bob.get(`/api/channels/${room}/threads`)).body).toMatchObject({ items: [], total: 0 });
    const { items } = (await bob.get("/api/unread")).body;
    expect(items.find((item: Body) => item.roomId === room)).not.toHaveProperty("threads");
  });
});
