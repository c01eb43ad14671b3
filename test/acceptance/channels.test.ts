import { Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";
import { TOLD } from "../support/socket";

/** One reading of all pages: what they hold, and how many each said that there are. */
async function everyPage(client: Client, pageSize: number): Promise<{ all: Body[]; totals: number[] }> {
  const all: Body[] = [];
  const totals: number[] = [];
  for (let page = 1; ; page += 1) {
    const { items, total } = (await client.get(`/api/channels?page=${page}&pageSize=${pageSize}`)).body;
    all.push(...items);
    totals.push(total);
    if (items.length < pageSize) return { all, totals };
  }
}

/**
 * A reading during which nobody else deleted a channel: others may test the same server meanwhile. What they make comes last,
 * and is on the last page or not.
 */
async function everyChannel(client: Client, pageSize: number): Promise<Body[]> {
  const { all } = await eventually(
    "no page says fewer than the one before it, and the last as many as all of them hold",
    () => everyPage(client, pageSize),
    ({ all, totals }) => totals.every((total, n) => total >= (totals[n - 1] ?? 0)) && totals.at(-1) === all.length,
  );
  return all;
}

describe("channels", () => {
  let stage: Stage;
  let ann: Client;
  let moderator: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    [ann, moderator] = await Promise.all([stage.user("ann"), stage.withRoles("mod", ["User", "Moderator"])]);
  });
  afterAll(() => stage.end());

  test("a new channel has id, name, isPrivate, createdBy and createdAt, and its creator owns it", async () => {
    const name = unique("made");
    const made = await moderator.post("/api/channels", { name });
    expect(made).toMatchObject({ status: 201, body: { name, isPrivate: false, createdBy: moderator.id } });
    expect(Number.isNaN(Date.parse(made.body.createdAt))).toBe(false);
    const members = await moderator.get(`/api/channels/${made.body.id}/members`);
    expect(members.body.items).toMatchObject([{ userId: moderator.id, role: "owner" }]);
    expect((await ann.get(`/api/channels/${made.body.id}`)).body).toMatchObject({ id: made.body.id, name });
  });

  test("users without the role Moderator or Admin make no channel", async () => {
    expect(await ann.post("/api/channels", { name: unique("no") })).toMatchObject({
      status: 403,
      body: { code: "FORBIDDEN" },
    });
  });

  test("a taken name is CONFLICT, also of ten at once", async () => {
    const name = unique("taken");
    const answers = await Promise.all(Array.from({ length: 10 }, () => moderator.post("/api/channels", { name })));
    expect(answers.map(answer => answer.status).sort()).toEqual([201, ...Array<number>(9).fill(409)]);
  });

  test("the list shows public ones and one's own, oldest first, with total", async () => {
    const ids = [await stage.channel(), await stage.channel([ann], { isPrivate: true }), await stage.channel()];
    const hidden = await stage.channel([], { isPrivate: true });
    expect((await ann.get("/api/channels?pageSize=100")).body).toMatchObject({ page: 1, pageSize: 100 });
    const all = await everyChannel(ann, 100);
    const listed = all.map(({ id }) => id);
    expect(listed.filter(id => ids.includes(id))).toEqual(ids);
    expect(listed).not.toContain(hidden);
    const times = all.map(({ createdAt }) => createdAt as string);
    expect([...times].sort()).toEqual(times);
  });

  test("pages meet without gap or repeat, and a size over the maximum is cut and said", async () => {
    const ids = async (pageSize: number) => (await everyChannel(ann, pageSize)).map(({ id }) => id);
    const mine: string[] = [];
    for (let n = 0; n < 9; n += 1) mine.push(await stage.channel());
    for (const pageSize of [7, 100]) {
      const listed = await ids(pageSize);
      expect(new Set(listed).size).toBe(listed.length);
      expect(listed.filter(id => mine.includes(id))).toEqual(mine);
    }
    expect((await ann.get("/api/channels?pageSize=100000")).body.pageSize).toBe(100);
    expect((await ann.get("/api/channels?page=100000")).body).toMatchObject({ items: [] });
  });

  test.each(["page=0", "page=-1", "page=x", "pageSize=0", "page=1.5", "page=1e3", "nonsense=1", "page[$gt]=1"])(
    "?%s is INVALID",
    async query => {
      expect(await ann.get(`/api/channels?${query}`)).toMatchObject({ status: 422, body: { code: "INVALID" } });
    },
  );

  test("the owner and Admin change and delete a channel; others may not", async () => {
    const id = await stage.channel([ann], { owner: moderator });
    const socket = await ann.socket([id]);
    const name = unique("renamed");
    expect(await ann.patch(`/api/channels/${id}`, { name })).toMatchObject({
      status: 403,
      body: { code: "FORBIDDEN" },
    });
    expect((await ann.delete(`/api/channels/${id}`)).status).toBe(403);
    expect(await moderator.patch(`/api/channels/${id}`, { name })).toMatchObject({ status: 200, body: { id, name } });
    const event = await socket.frame("the room event", frame => frame.kind === "room");
    expect(event.data).toMatchObject({ id, name });
    expect((await stage.admin.delete(`/api/channels/${id}`)).status).toBe(204);
    expect(await socket.frame("unsub", frame => frame.t === "unsub" && frame.room === id)).toMatchObject({
      code: "NOT_FOUND",
    });
    for (const path of ["", "/messages", "/members"])
      expect((await ann.get(`/api/channels/${id}${path}`)).status).toBe(404);
    expect((await ann.post(`/api/channels/${id}/messages`, { text: "late" })).status).toBe(404);
  });

  test("a name taken by renaming is CONFLICT, and a deleted channel's name is free again", async () => {
    const [one, other] = [unique("one"), unique("other")];
    const first = (await moderator.post("/api/channels", { name: one })).body.id;
    const second = (await moderator.post("/api/channels", { name: other })).body.id;
    expect((await moderator.patch(`/api/channels/${second}`, { name: one })).status).toBe(409);
    expect((await moderator.get(`/api/channels/${second}`)).body.name).toBe(other);
    expect((await moderator.delete(`/api/channels/${first}`)).status).toBe(204);
    expect((await moderator.post("/api/channels", { name: one })).status).toBe(201);
  });

  test("joining and leaving are 204, also on repeat, and a repeat is no event", async () => {
    const id = await stage.channel();
    const watcher = await stage.admin.socket([id]);
    for (const step of ["join", "join", "leave", "leave", "join"])
      expect((await ann.post(`/api/channels/${id}/${step}`)).status).toBe(204);
    await watcher.until("three events", () => watcher.events(id).length >= 3);
    await watcher.settle();
    expect(watcher.events(id).map(({ kind, data }) => [kind, data.userId, data.change])).toEqual([
      ["member", ann.id, "join"],
      ["member", ann.id, "leave"],
      ["member", ann.id, "join"],
    ]);
  });

  test("a private channel cannot be joined, only be added to", async () => {
    const id = await stage.channel([], { isPrivate: true });
    expect((await ann.post(`/api/channels/${id}/join`)).status).toBe(404);
    expect((await stage.admin.post(`/api/channels/${id}/members`, { userId: ann.id })).status).toBe(201);
    expect((await ann.get(`/api/channels/${id}`)).status).toBe(200);
    expect((await ann.post(`/api/channels/${id}/leave`)).status).toBe(204);
    expect((await ann.get(`/api/channels/${id}`)).status).toBe(404);
  });

  test("a channel that turns private is cut from those who only read", async () => {
    const id = await stage.channel();
    const reader = await ann.socket([id]);
    expect((await stage.admin.patch(`/api/channels/${id}`, { isPrivate: true })).status).toBe(200);
    await reader.frame("unsub", frame => frame.t === "unsub" && frame.room === id, TOLD);
    expect((await ann.get(`/api/channels/${id}/messages`)).status).toBe(404);
  });

  test("one that is in has a path of its own among conversations too, or none; never an error of ours", async () => {
    const id = await stage.channel([ann]);
    expect((await ann.get(`/api/conversations/${id}`)).status).toBeLessThan(500);
  });
});
