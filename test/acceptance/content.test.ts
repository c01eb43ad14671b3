import { say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";

describe("what a chat needs of its messages", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;
  let eve: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer({ env: { RATE_LIMIT: "count" } }));
    [ann, bob, eve] = (await stage.users("ann", "bob", "eve")) as [Client, Client, Client];
  });
  afterAll(() => stage.end());

  const get = async (client: Client, path: string): Promise<Body> => (await client.get(path)).body;
  const unreadIn = async (client: Client, room: string): Promise<Body> =>
    (await get(client, "/api/unread")).items.find((row: Body) => row.roomId === room);

  describe("earlier versions", () => {
    test("are kept with their times, for the sender and those who run the room, until the message is deleted", async () => {
      const room = await stage.channel([bob, eve], { owner: stage.admin });
      const message = await say(bob, room, "one");
      const edited = (await bob.patch(`/api/messages/${message.id}`, { text: "two" })).body;
      await bob.patch(`/api/messages/${message.id}`, { text: "three" });
      const versions = [
        { text: "one", at: message.createdAt },
        { text: "two", at: edited.editedAt },
      ];
      const path = `/api/messages/${message.id}/versions`;
      for (const client of [bob, stage.admin]) expect(await get(client, path)).toEqual({ items: versions });
      expect((await eve.get(path)).status).toBe(403);
      await bob.delete(`/api/messages/${message.id}`);
      expect(await get(bob, path)).toEqual({ items: [] });
    });
  });

  describe("pins", () => {
    test("are listed, the last first, shown on the message and told to readers; members of a channel do not pin", async () => {
      const room = await stage.channel([ann, bob]);
      const socket = await bob.socket();
      await socket.sub([room]);
      const [first, second] = [await say(bob, room, "1"), await say(bob, room, "2")];
      expect((await bob.put(`/api/messages/${first.id}/pin`)).status).toBe(403);
      const pinned = (await stage.admin.put(`/api/messages/${first.id}/pin`)).body;
      expect(pinned).toEqual({ ...first, pinned: { by: stage.admin.id, at: expect.any(String) } });
      await stage.admin.put(`/api/messages/${second.id}/pin`);
      const again = await stage.admin.put(`/api/messages/${first.id}/pin`);
      expect(again).toMatchObject({ status: 200, body: pinned });
      const listed = async () => (await get(bob, `/api/channels/${room}/pins`)).items.map((item: Body) => item.text);
      expect(await listed()).toEqual(["2", "1"]);
      const event = await socket.frame("the pin", frame => frame.kind === "pin");
      expect(event.data).toEqual({ messageId: first.id, userId: stage.admin.id, on: true });

      await bob.patch(`/api/messages/${first.id}`, { text: "1, edited" });
      expect(await listed()).toEqual(["2", "1, edited"]);
      await stage.admin.delete(`/api/messages/${second.id}/pin`);
      expect(await listed()).toEqual(["1, edited"]);
      await bob.delete(`/api/messages/${first.id}`);
      expect(await listed()).toEqual([]);
      expect((await stage.admin.put(`/api/messages/${first.id}/pin`)).status).toBe(409);
      await socket.close();
    });

    test("are everybody's matter in a direct room", async () => {
      const room = await stage.direct(ann, bob);
      const message = await say(ann, room, "keep this");
      expect((await bob.put(`/api/messages/${message.id}/pin`)).status).toBe(200);
      expect((await get(ann, `/api/conversations/${room}/pins`)).items).toHaveLength(1);
    });
  });

  describe("threads", () => {
    test("have replies of their own, a summary on the message they began with, and marks of their own", async () => {
      const room = await stage.channel([ann, bob, eve]);
      const root = await say(ann, room, "a question");
      const other = await say(ann, room, "another");
      await bob.post(`/api/channels/${room}/read`, { seq: other.seq });
      const replies = [];
      for (const [client, text] of [
        [bob, "an answer"],
        [eve, "a better one"],
        [bob, "thanks"],
      ] as const)
        replies.push(await say(client, room, text, { threadId: root.id }));
      expect(replies[0]).toMatchObject({ threadId: root.id, text: "an answer" });

      const last = replies[2] as Body;
      const summary = { replies: 3, lastSeq: last.seq, lastAt: last.createdAt };
      expect((await get(bob, `/api/messages/${root.id}`)).thread).toEqual(summary);
      expect(await get(eve, `/api/messages/${root.id}/replies`)).toMatchObject({
        items: replies,
        hasBefore: false,
        hasAfter: false,
      });
      const window = await get(eve, `/api/messages/${root.id}/replies?before=${last.seq}&limit=1`);
      expect(window).toMatchObject({ items: [replies[1]], hasBefore: true, hasAfter: true });

      // None of them is unread in the room, for anybody.
      expect(await unreadIn(bob, room)).toMatchObject({ unread: 0, readSeq: other.seq });
      expect(await unreadIn(ann, room)).toMatchObject({ unread: 0 });
      const thread = async (client: Client) => (await get(client, `/api/channels/${room}/threads`)).items[0];
      expect(await thread(ann)).toMatchObject({ following: true, unread: 3, readSeq: 0, root: { id: root.id } });
      expect(await thread(eve)).toMatchObject({ following: true, unread: 1 });
      expect(await thread(stage.admin)).toMatchObject({ following: false, unread: 0 });

      const phone = await ann.socket();
      const path = `/api/messages/${root.id}/replies/read`;
      expect((await ann.post(path, { seq: replies[1]?.seq })).status).toBe(204);
      const note = await phone.frame("the note", frame => frame.t === "user" && frame.kind === "thread");
      expect(note.data).toEqual({ roomId: room, threadId: root.id, root: root.seq, seq: replies[1]?.seq });
      expect(await thread(ann)).toMatchObject({ unread: 1 });
      await bob.delete(`/api/messages/${last.id}`);
      expect(await thread(ann)).toMatchObject({ unread: 0, root: { thread: summary } });
      await ann.post(path, { seq: 1 });
      expect(await thread(ann)).toMatchObject({ readSeq: replies[1]?.seq });
      await phone.close();
    });

    test("are begun by messages that are there and are no replies themselves", async () => {
      const room = await stage.channel([ann, bob]);
      const root = await say(ann, room, "root");
      const reply = await say(bob, room, "reply", { threadId: root.id });
      const send = (threadId: string, at = room) => ann.post(`/api/channels/${at}/messages`, { text: "x", threadId });
      expect((await send(reply.id)).status).toBe(422);
      expect((await send("nothing")).status).toBe(422);
      expect((await send(root.id, await stage.channel([ann]))).status).toBe(422);
      const gone = await say(ann, room, "gone");
      await ann.delete(`/api/messages/${gone.id}`);
      expect((await send(gone.id)).status).toBe(409);
      const first = { text: "once", clientId: "t-1", threadId: root.id };
      const sent = await ann.post(`/api/channels/${room}/messages`, first);
      expect(await ann.post(`/api/channels/${room}/messages`, first)).toMatchObject({ status: 200, body: sent.body });
      const elsewhere = { text: "once", clientId: "t-1" };
      expect((await ann.post(`/api/channels/${room}/messages`, elsewhere)).status).toBe(409);
    });

    test("show in a replay the message as it is now, and each reply with its own text", async () => {
      const room = await stage.channel([ann, bob]);
      const root = await say(ann, room, "root");
      await say(bob, room, "first", { threadId: root.id });
      const socket = await bob.socket();
      await socket.sub([room], { [room]: root.offset - 1 });
      await socket.until("the replay", () => socket.events(room).length === 2);
      await say(bob, room, "second", { threadId: root.id });
      await socket.until("three messages", () => socket.events(room).length >= 3);
      const frames = socket.events(room);
      expect(frames.map(({ data }) => data.text)).toEqual(["root", "first", "second"]);
      expect(frames[0]?.data.thread).toMatchObject({ replies: 1 });
      await socket.close();
    });
  });

  describe("mentions", () => {
    test("follow an edit", async () => {
      const room = await stage.channel([ann, bob, eve]);
      const message = await say(ann, room, `@${bob.username} look`);
      expect(await unreadIn(bob, room)).toMatchObject({ mentions: 1 });
      const edited = await ann.patch(`/api/messages/${message.id}`, { text: `@${eve.username} look` });
      expect(edited.body.mentions).toEqual([eve.id]);
      expect(await unreadIn(bob, room)).toMatchObject({ mentions: 0, unread: 1 });
      expect(await unreadIn(eve, room)).toMatchObject({ mentions: 1, unread: 1 });
    });

    test("of @all count for everybody, where the sender runs the room; elsewhere it is text", async () => {
      const room = await stage.channel([ann, bob]);
      const loud = await say(stage.admin, room, "@all lunch!");
      expect(loud).toMatchObject({ mentionsAll: true });
      const quiet = await say(bob, room, "@all me too");
      expect(quiet.mentionsAll).toBeUndefined();
      expect(await unreadIn(ann, room)).toMatchObject({ mentions: 1, unread: 2 });
      const direct = await stage.direct(ann, bob);
      expect(await say(ann, direct, "@all hi")).toMatchObject({ mentionsAll: true });
    });

    test("of @here name those who are there", async () => {
      const [there, away] = (await stage.users("there", "away")) as [Client, Client];
      const room = await stage.channel([there, away]);
      const socket = await there.socket();
      await eventually("one is there", async () => (await get(ann, `/api/users/${there.id}`)).status === "online");
      const message = await say(stage.admin, room, "@here now");
      expect(message.mentions).toEqual([there.id]);
      await socket.close();
    });
  });

  describe("a message hidden for oneself", () => {
    test("is gone for its reader on all his devices, and for nobody else", async () => {
      const room = await stage.channel([ann, bob]);
      const [one, two, three] = [await say(ann, room, "1"), await say(ann, room, "2"), await say(ann, room, "3")];
      const phone = await bob.socket();
      expect((await bob.put(`/api/messages/${two.id}/hidden`)).status).toBe(204);
      expect((await bob.put(`/api/messages/${two.id}/hidden`)).status).toBe(204);
      const note = await phone.frame("the note", frame => frame.t === "user" && frame.kind === "hide");
      expect(note.data).toEqual({ roomId: room, messageId: two.id, seq: two.seq });
      const path = `/api/channels/${room}/messages`;
      expect((await get(bob, path)).items).toEqual([one, three]);
      expect((await get(bob, `${path}?around=2`)).items).toEqual([one, three]);
      expect((await bob.get(`/api/messages/${two.id}`)).status).toBe(404);
      expect((await get(ann, path)).items).toEqual([one, two, three]);
      expect(await unreadIn(bob, room)).toMatchObject({ unread: 2 });
      await phone.close();
    });

    test("takes its thread out of his list, and is not unread in one that he follows", async () => {
      const room = await stage.channel([ann, bob]);
      const [one, two] = [await say(bob, room, "1"), await say(ann, room, "2")];
      const replies: Body[] = [];
      for (const root of [one, one, two]) replies.push(await say(ann, room, "a reply", { threadId: root.id }));
      const threads = async (client: Client): Promise<Body[]> =>
        (await get(client, `/api/channels/${room}/threads`)).items;
      expect(await threads(bob)).toMatchObject([{ root: { id: two.id } }, { root: { id: one.id }, unread: 2 }]);
      for (const { id } of [two, replies[0]]) expect((await bob.put(`/api/messages/${id}/hidden`)).status).toBe(204);
      expect(await threads(bob)).toMatchObject([{ root: { id: one.id }, following: true, unread: 1 }]);
      expect(await threads(ann)).toHaveLength(2);
    });
  });

  describe("who posts", () => {
    test("in announcements those who run the room; members react and reply in threads", async () => {
      const room = await stage.channel([ann]);
      const earlier = await say(ann, room, "hello");
      const patched = await stage.admin.patch(`/api/channels/${room}`, { mode: "announcement" });
      expect(patched.body).toMatchObject({ mode: "announcement", slowMode: 0 });
      expect((await ann.patch(`/api/channels/${room}`, { mode: "open" })).status).toBe(403);
      const news = await say(stage.admin, room, "news");
      const refused = await ann.post(`/api/channels/${room}/messages`, { text: "me too" });
      expect(refused).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
      const edited = await ann.patch(`/api/messages/${earlier.id}`, { text: "buy now" });
      expect(edited).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
      const reply = await say(ann, room, "in the thread", { threadId: news.id });
      expect((await ann.patch(`/api/messages/${reply.id}`, { text: "in this thread" })).status).toBe(200);
      expect((await ann.put(`/api/messages/${news.id}/reactions/${encodeURIComponent("👍")}`)).status).toBe(200);
      // Who has just come is held to it too.
      await bob.post(`/api/channels/${room}/join`);
      expect((await bob.post(`/api/channels/${room}/messages`, { text: "hello" })).status).toBe(403);
    });

    test("in read-only rooms members do nothing but read", async () => {
      const room = await stage.channel([ann]);
      const own = await say(ann, room, "before");
      await stage.admin.patch(`/api/channels/${room}`, { mode: "readonly" });
      const news = await say(stage.admin, room, "news");
      const tries = [
        await ann.post(`/api/channels/${room}/messages`, { text: "x" }),
        await ann.post(`/api/channels/${room}/messages`, { text: "x", threadId: news.id }),
        await ann.put(`/api/messages/${news.id}/reactions/${encodeURIComponent("👍")}`),
        await ann.patch(`/api/messages/${own.id}`, { text: "y" }),
      ];
      expect(tries.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
      await stage.admin.patch(`/api/channels/${room}`, { mode: "open" });
      await say(ann, room, "again");
    });

    test("in slow mode each member once in a while, and is told when; those who run the room as they like", async () => {
      const room = await stage.channel([ann, bob]);
      await say(ann, room, "before");
      await stage.admin.patch(`/api/channels/${room}`, { slowMode: 600 });
      const refused = await ann.post(`/api/channels/${room}/messages`, { text: "again" });
      expect(refused).toMatchObject({ status: 429, body: { code: "RATE_LIMITED" } });
      const wait = Number(refused.headers.get("retry-after"));
      expect(wait).toBeGreaterThan(300);
      expect(wait).toBeLessThanOrEqual(600);
      const sends = await Promise.all(
        [1, 2, 3].map(n => bob.post(`/api/channels/${room}/messages`, { text: `at once ${n}` })),
      );
      expect(sends.map(({ status }) => status).sort()).toEqual([201, 429, 429]);
      for (const text of ["1", "2"]) await say(stage.admin, room, text);
      await stage.admin.patch(`/api/channels/${room}`, { slowMode: 0 });
      await say(ann, room, "at last");
    });
  });
});
