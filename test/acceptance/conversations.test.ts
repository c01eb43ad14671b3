import { say, Stage, type Client } from "../support/client";
import { startServer } from "../support/server";

describe("conversations", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;
  let eve: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    [ann, bob, eve] = (await stage.users("ann", "bob", "eve")) as [Client, Client, Client];
  });
  afterAll(() => stage.end());

  test("two people have one direct room: 201 when it is made, 200 after, from either side", async () => {
    const first = await ann.post("/api/conversations", { type: "direct", members: [bob.id] });
    expect(first).toMatchObject({ status: 201, body: { type: "direct", createdBy: ann.id } });
    expect(new Set(first.body.members)).toEqual(new Set([ann.id, bob.id]));
    const again = await ann.post("/api/conversations", { type: "direct", members: [bob.id] });
    const other = await bob.post("/api/conversations", { type: "direct", members: [ann.id] });
    for (const answer of [again, other]) expect(answer).toMatchObject({ status: 200, body: { id: first.body.id } });
  });

  test("of twenty openings from both sides at once one makes the room and all name it", async () => {
    const [carl, dora] = (await stage.users("carl", "dora")) as [Client, Client];
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => {
        const [from, to] = n % 2 ? [carl, dora] : [dora, carl];
        return from.post("/api/conversations", { type: "direct", members: [to.id] });
      }),
    );
    expect(new Set(answers.map(answer => answer.body.id)).size).toBe(1);
    expect(answers.filter(answer => answer.status === 201)).toHaveLength(1);
    expect(answers.every(answer => answer.status === 200 || answer.status === 201)).toBe(true);
  });

  test("a group has a name, an owner, and its members", async () => {
    const made = await ann.post("/api/conversations", { type: "group", members: [bob.id], name: "Trip" });
    expect(made).toMatchObject({ status: 201, body: { type: "group", name: "Trip", createdBy: ann.id } });
    expect(Number.isNaN(Date.parse(made.body.createdAt))).toBe(false);
    const { id } = made.body;
    for (const client of [ann, bob]) expect((await client.get(`/api/conversations/${id}`)).body.id).toBe(id);
    const twice = await ann.post("/api/conversations", { type: "group", members: [bob.id], name: "Trip" });
    expect(twice.body.id).not.toBe(id);
  });

  test("each sees his own in the list and strangers see nothing", async () => {
    const direct = await stage.direct(ann, bob);
    const ids = async (client: Client) =>
      (await client.get("/api/conversations")).body.items.map((item: { id: string }) => item.id);
    expect(await ids(ann)).toContain(direct);
    expect(await ids(bob)).toContain(direct);
    expect(await ids(eve)).not.toContain(direct);
    for (const path of ["", "/messages", "/members"])
      expect(await eve.get(`/api/conversations/${direct}${path}`)).toMatchObject({
        status: 404,
        body: { code: "NOT_FOUND" },
      });
    expect((await stage.admin.get(`/api/conversations/${direct}/messages`)).status).toBe(404);
  });

  test("messages, marks and members work below conversations as below channels", async () => {
    const direct = await stage.direct(ann, bob);
    const sent = await ann.post(`/api/conversations/${direct}/messages`, { text: "hi", clientId: "one" });
    expect(sent).toMatchObject({ status: 201, body: { channelId: direct, senderId: ann.id, text: "hi" } });
    const read = await bob.get(`/api/conversations/${direct}/messages`);
    expect(read.body.items.at(-1)).toEqual(sent.body);
    expect((await bob.post(`/api/conversations/${direct}/read`, { seq: sent.body.seq })).status).toBe(204);
    expect((await bob.get(`/api/conversations/${direct}/members`)).body.total).toBe(2);
    const socket = await bob.socket([direct]);
    const next = await say(ann, direct, "again");
    expect((await socket.event(direct, next.offset)).data).toEqual(next);
  });

  test.each([
    ["nobody else", () => ({ type: "direct", members: [] })],
    ["only oneself", () => ({ type: "direct", members: [ann.id] })],
    ["two others", () => ({ type: "direct", members: [bob.id, eve.id] })],
    ["no members", () => ({ type: "group" })],
    ["another type", () => ({ type: "secret", members: [bob.id] })],
    ["ids that are no texts", () => ({ type: "group", members: [1, null] })],
    ["an unknown field", () => ({ type: "group", members: [bob.id], owner: bob.id })],
  ])("with %s is INVALID", async (_, body) => {
    expect(await ann.post("/api/conversations", body())).toMatchObject({ status: 422, body: { code: "INVALID" } });
  });

  test("with somebody who does not exist is NOT_FOUND and makes nothing", async () => {
    const before = (await ann.get("/api/conversations")).body.total;
    for (const member of ["nobody", "01a1fc87-9015-75b5-9683-ef4249e15e36"])
      for (const type of ["direct", "group"])
        expect((await ann.post("/api/conversations", { type, members: [member] })).status).toBe(404);
    expect((await ann.get("/api/conversations")).body.total).toBe(before);
  });

  test("a direct room takes no third, cannot be renamed and not be left", async () => {
    const direct = await stage.direct(ann, bob);
    expect((await ann.post(`/api/conversations/${direct}/members`, { userId: eve.id })).status).toBe(403);
    expect((await ann.patch(`/api/conversations/${direct}`, { name: "x" })).status).toBe(403);
    expect((await eve.post(`/api/conversations/${direct}/join`)).status).toBe(404);
    expect((await eve.get(`/api/conversations/${direct}`)).status).toBe(404);
  });

  test("pages of conversations meet and say how many there are", async () => {
    const user = await stage.user();
    for (let n = 0; n < 3; n += 1)
      await user.post("/api/conversations", { type: "group", members: [bob.id], name: `g${n}` });
    const pages = [
      await user.get("/api/conversations?page=1&pageSize=2"),
      await user.get("/api/conversations?page=2&pageSize=2"),
    ];
    expect(pages.map(page => page.body.items.length)).toEqual([2, 1]);
    expect(pages.every(page => page.body.total === 3)).toBe(true);
  });

  test("a group that is deleted is no longer listed nor counted", async () => {
    const user = await stage.user();
    const { id } = (await user.post("/api/conversations", { type: "group", members: [bob.id], name: "gone" })).body;
    expect((await user.delete(`/api/conversations/${id}`)).status).toBe(204);
    expect((await user.get("/api/conversations")).body).toMatchObject({ items: [], total: 0 });
    expect((await user.get("/api/unread")).body.items).toEqual([]);
  });
});
