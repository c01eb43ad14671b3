import { expectStatus, say, Stage, type Client } from "../support/client";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";

/** Unread, marks and receipts of threads, and of what one has hidden. */
describe("threads", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer({ env: { RATE_LIMIT: "count" } }));
    [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
  });
  afterAll(() => stage.end());

  const get = async (client: Client, path: string): Promise<Body> => expectStatus(await client.get(path), 200).body;
  const post = async (client: Client, path: string, body: object = {}) =>
    expectStatus(await client.post(`/api${path}`, body), 204);
  const hide = async (client: Client, { id }: Body) =>
    expectStatus(await client.put(`/api/messages/${id}/hidden`), 204);
  const unread = async (client: Client, room: string): Promise<Body> => {
    const { items } = await get(client, "/api/unread");
    const { roomId: _id, lastSeq: _last, ...row } = items.find((item: Body) => item.roomId === room);
    return row;
  };
  const threads = async (client: Client, room: string): Promise<Body[]> =>
    (await get(client, `/api/channels/${room}/threads`)).items;
  const reply = (client: Client, root: Body, text = "reply") =>
    say(client, root.channelId, text, { threadId: root.id });

  test("a mention in a thread counts there alone, and goes with the thread's mark", async () => {
    const room = await stage.channel([ann, bob]);
    const root = await say(ann, room, "root");
    await post(bob, `/channels/${room}/read`, { seq: root.seq });
    const last = await reply(ann, root, `look, @${bob.username}`);
    expect(await unread(bob, room)).toEqual({ unread: 0, mentions: 0, readSeq: root.seq, threads: 1 });
    expect(await threads(bob, room)).toMatchObject([{ following: true, unread: 1, mentions: 1 }]);
    await post(bob, `/messages/${root.id}/replies/read`, { seq: last.seq });
    expect(await unread(bob, room)).toEqual({ unread: 0, mentions: 0, readSeq: root.seq });
    expect(await threads(bob, room)).toMatchObject([{ unread: 0, mentions: 0, readSeq: last.seq }]);
  });

  test("marking all as read covers the threads one follows, on all devices; alone, nobody is told", async () => {
    const room = await stage.channel([ann, bob]);
    const root = await say(bob, room, "root");
    const [desk, answers] = [await bob.socket(), [await reply(ann, root), await reply(ann, root)]];
    const last = answers[1] as Body;
    for (const path of ["/api/rooms", `/api/channels/${room}/open`]) {
      const body = await get(bob, path);
      const line = body.items?.find((item: Body) => item.room.id === room) ?? body.marks.mine;
      expect(line).toMatchObject({ unread: 0, mentions: 0, threads: 1 });
    }
    const receipt = async () =>
      (await get(ann, `/api/messages/${last.id}/receipts`)).items.find((item: Body) => item.userId === bob.id).state;
    await post(bob, "/read", { private: true });
    expect(await unread(bob, room)).toEqual({ unread: 0, mentions: 0, readSeq: last.seq });
    expect(await threads(bob, room)).toMatchObject([{ unread: 0, readSeq: last.seq }]);
    expect(await receipt()).toBe("delivered");
    const note = await desk.frame("the note", ({ t, kind }) => t === "user" && kind === "readAll");
    expect(note.data).toEqual({ marks: [{ roomId: room, seq: last.seq }], private: true });
    await reply(ann, root);
    expect(await unread(bob, room)).toMatchObject({ threads: 1 });
    await post(bob, "/read");
    expect(await unread(bob, room)).not.toHaveProperty("threads");
    expect(await receipt()).toBe("read");
    await post(bob, "/read");
    await post(bob, `/channels/${room}/unread`, { seq: last.seq });
    // The last of them moved nothing: what it told would have come before this.
    await desk.frame("a later note", ({ t, kind }) => t === "user" && kind === "unread");
    expect(desk.notes.filter(({ kind }) => kind === "readAll")).toHaveLength(2);
    await desk.close();
  });

  test("a reply is read where its thread is, by those who have part in it", async () => {
    const eve = await stage.user("eve");
    const room = await stage.channel([ann, bob, eve]);
    const root = await say(ann, room, "root");
    await reply(bob, root);
    const last = await reply(ann, root);
    const states = async () => {
      const { items, counts } = await get(ann, `/api/messages/${last.id}/receipts`);
      return [bob, eve].map(({ id }) => items.find((item: Body) => item.userId === id).state).concat(counts.read);
    };
    for (const client of [bob, eve]) await post(client, `/channels/${room}/read`, { seq: last.seq });
    expect(await states()).toEqual(["delivered", "delivered", 0]);
    await post(bob, `/messages/${root.id}/replies/read`, { seq: last.seq });
    expect(await states()).toEqual(["read", "delivered", 1]);
  });

  test("what one has hidden counts in no thread, and hides the thread that it began", async () => {
    const room = await stage.channel([ann, bob]);
    const root = await say(bob, room, "root");
    const [first] = [await reply(ann, root, "1"), await reply(ann, root, `2 @${bob.username}`)];
    await hide(bob, first);
    expect(await threads(bob, room)).toMatchObject([{ unread: 1, mentions: 1 }]);
    expect(await get(bob, `/api/messages/${root.id}/replies?limit=1&after=0`)).toMatchObject({
      items: [{ text: `2 @${bob.username}` }],
      hasAfter: false,
    });
    await hide(bob, root);
    expect(await get(bob, `/api/channels/${room}/threads`)).toMatchObject({ items: [], total: 0 });
    expect((await bob.get(`/api/messages/${root.id}/replies`)).status).toBe(404);
    expect(await unread(bob, room)).toEqual({ unread: 0, mentions: 0, readSeq: root.seq });
    expect(await threads(ann, room)).toHaveLength(1);
  });

  test("the list of rooms shows the last message of the main line that is not hidden, and the room keeps its place", async () => {
    const user = await stage.user("lister");
    const [one, other] = [await stage.channel([user, ann]), await stage.channel([user, ann])];
    const first = await say(ann, one, "first");
    const second = await say(ann, one, "second");
    await say(ann, other, "elsewhere");
    const list = async () =>
      (await get(user, "/api/rooms")).items.map(({ room, lastMessage }: Body) => [room.id, lastMessage?.text]);
    await reply(ann, first, "in the thread");
    expect(await list()).toEqual([
      [one, "second"],
      [other, "elsewhere"],
    ]);
    await hide(user, second);
    expect(await list()).toEqual([
      [one, "first"],
      [other, "elsewhere"],
    ]);
    const third = await say(ann, one, "third");
    await hide(user, third);
    expect((await list())[0]).toEqual([one, "first"]);
    const { history } = await get(user, `/api/channels/${one}/open?limit=2`);
    expect([history.items.map(({ text }: Body) => text), history.hasBefore]).toEqual([
      ["first", "in the thread"],
      false,
    ]);
    expect((await get(user, `/api/channels/${one}/open?limit=1`)).history).toMatchObject({
      items: [{ text: "in the thread" }],
      hasBefore: true,
      hasAfter: false,
    });
  });

  test("replies count from the last joining on; who is named by an edit has part in the thread", async () => {
    const room = await stage.channel([ann, bob]);
    const root = await say(ann, room, "root");
    await reply(bob, root, "mine");
    await post(bob, `/channels/${room}/leave`);
    const away = await reply(ann, root, `while @${bob.username} is away`);
    await post(bob, `/channels/${room}/join`);
    expect(await threads(bob, room)).toMatchObject([{ following: true, unread: 0, mentions: 0, readSeq: away.seq }]);
    expect(await unread(bob, room)).not.toHaveProperty("threads");
    await reply(ann, root);
    expect(await threads(bob, room)).toMatchObject([{ unread: 1 }]);
    const [late, later] = (await stage.users("late", "later")) as [Client, Client];
    for (const client of [late, later]) await post(client, `/channels/${room}/join`);
    const last = await reply(ann, root, `welcome, @${late.username}`);
    expect(await threads(late, room)).toMatchObject([{ following: true, unread: 1, mentions: 1 }]);
    expect(await threads(later, room)).toMatchObject([{ following: false, unread: 0, mentions: 0 }]);
    const text = `welcome, @${later.username}`;
    expectStatus(await ann.patch(`/api/messages/${last.id}`, { text }), 200);
    expect(await threads(later, room)).toMatchObject([{ following: true, unread: 1, mentions: 1 }]);
    expect(await threads(late, room)).toMatchObject([{ following: true, unread: 1, mentions: 0 }]);
  });

  test("a burst of 50 marks in a thread costs a few notes", async () => {
    const room = await stage.channel([ann, bob]);
    const root = await say(bob, room, "root");
    let last = root;
    for (let n = 0; n < 10; n++) last = await reply(ann, root, `${n}`);
    const desk = await bob.socket();
    const reads = Array.from({ length: 50 }, (_, n) => {
      const params = { id: root.id, seq: root.seq + 1 + (n % 10) };
      return desk.request({ t: "call", method: "messages.readThread", params });
    });
    for (const answer of await Promise.all(reads)) expect(answer.t).toBe("ok");
    await desk.settle();
    expect(desk.notes.filter(({ kind }) => kind === "thread").length).toBeLessThanOrEqual(10);
    expect(await threads(bob, room)).toMatchObject([{ unread: 0, readSeq: last.seq }]);
    await desk.close();
  });
});
