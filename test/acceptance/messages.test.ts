import { say, Stage, type Client } from "../support/client";
import type { Body } from "../support/rest";
import { eventually } from "../support/eventually";
import { startServer } from "../support/server";

describe("messages", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;
  let room: string;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    room = await stage.channel([ann, bob]);
  });
  afterAll(() => stage.end());

  const post = (body: unknown, client: Client = ann, id = room) => client.post(`/api/channels/${id}/messages`, body);
  const texts = (body: Body): string[] => body.items.map((item: { text: string }) => item.text);
  const seqs = (body: Body): number[] => body.items.map((item: { seq: number }) => item.seq);

  describe("sending", () => {
    test("answers 201 with the whole message", async () => {
      const { status, body } = await post({
        text: "hello",
        clientId: "whole-1",
        metadata: { color: "red", n: [1, { a: null }] },
      });
      expect(status).toBe(201);
      expect(body).toMatchObject({
        id: expect.any(String),
        channelId: room,
        senderId: ann.id,
        text: "hello",
        attachments: [],
        clientId: "whole-1",
        metadata: { color: "red", n: [1, { a: null }] },
      });
      expect(Number.isInteger(body.seq) && Number.isInteger(body.offset)).toBe(true);
      expect(body.createdAt).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      expect((await bob.get(`/api/messages/${body.id}`)).body).toEqual(body);
    });

    test("numbers messages one after the other, joins in between notwithstanding", async () => {
      const id = await stage.channel([ann]);
      const first = await say(ann, id, "1");
      await bob.post(`/api/channels/${id}/join`);
      const second = await say(bob, id, "2");
      expect([first.seq, second.seq]).toEqual([1, 2]);
      expect(second.offset).toBe(first.offset + 2);
    });

    test("of fifty at once each has a number of its own, without a hole", async () => {
      const id = await stage.channel([ann, bob]);
      const sent = await Promise.all(Array.from({ length: 50 }, (_, n) => say(n % 2 ? ann : bob, id, `m${n}`)));
      expect(sent.map(message => message.seq).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 50 }, (_, n) => n + 1),
      );
      const list = (await ann.get(`/api/channels/${id}/messages?pageSize=100`)).body;
      expect(list.items).toEqual([...sent].sort((a, b) => a.seq - b.seq));
    });

    test("the same clientId and content again is 200 with the same message, whatever was written as nothing", async () => {
      const first = await post({ text: "once", clientId: "same-1" });
      expect(first.status).toBe(201);
      for (const more of [
        {},
        { attachments: [], metadata: {} },
        { attachments: null, metadata: null, replyTo: null },
      ]) {
        const again = await post({ text: "once", clientId: "same-1", ...more });
        expect(again).toMatchObject({ status: 200, body: first.body });
      }
    });

    test("twenty sends of one clientId at once make one message", async () => {
      const id = await stage.channel([ann]);
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => post({ text: "one", clientId: "x" }, ann, id)),
      );
      expect(answers.map(answer => answer.status).sort()).toEqual([...Array<number>(19).fill(200), 201]);
      expect(new Set(answers.map(answer => JSON.stringify(answer.body))).size).toBe(1);
      expect((await ann.get(`/api/channels/${id}/messages`)).body.total).toBe(1);
    });

    test("a repeat shows the message as it is now, also edited and deleted", async () => {
      const { id } = (await post({ text: "first", clientId: "now-1" })).body;
      await ann.patch(`/api/messages/${id}`, { text: "second" });
      expect(await post({ text: "first", clientId: "now-1" })).toMatchObject({
        status: 200,
        body: { id, text: "second" },
      });
      expect((await post({ text: "second", clientId: "now-1" })).status).toBe(409);
      await ann.delete(`/api/messages/${id}`);
      const again = await post({ text: "first", clientId: "now-1" });
      expect(again).toMatchObject({ status: 200, body: { id, text: "", deletedAt: expect.any(String) } });
    });

    test("the same clientId with other content is CONFLICT", async () => {
      const { body: target } = await post({ text: "target" });
      await post({ text: "kept", clientId: "other-1", metadata: { a: 1 } });
      for (const body of [
        { text: "changed", metadata: { a: 1 } },
        { text: "kept" },
        { text: "kept", metadata: { a: 2 } },
        { text: "kept", metadata: { a: 1 }, replyTo: target.id },
      ])
        expect(await post({ ...body, clientId: "other-1" })).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
      expect((await post({ text: "kept", clientId: "other-1", metadata: { a: 1 } })).status).toBe(200);
    });

    test("a clientId is of its sender and room", async () => {
      const other = await stage.channel([ann]);
      const answers = [
        await post({ text: "a", clientId: "mine" }),
        await post({ text: "b", clientId: "mine" }, bob),
        await post({ text: "c", clientId: "mine" }, ann, other),
      ];
      expect(answers.map(answer => answer.status)).toEqual([201, 201, 201]);
    });

    test("a repeat holds after the sender left", async () => {
      const id = await stage.channel([ann]);
      const first = await post({ text: "x", clientId: "left" }, ann, id);
      await ann.post(`/api/channels/${id}/leave`);
      expect(await post({ text: "x", clientId: "left" }, ann, id)).toMatchObject({
        status: 200,
        body: { id: first.body.id },
      });
      expect((await post({ text: "y", clientId: "new" }, ann, id)).status).toBe(403);
    });

    test("without a clientId each send is new", async () => {
      const [one, two] = [await post({ text: "same" }), await post({ text: "same" })];
      expect(two.status).toBe(201);
      expect(two.body.id).not.toBe(one.body.id);
    });

    test("a text of 4,000 characters is taken as it is, one of 4,001 is not", async () => {
      for (const character of ["x", "ä", "🎉"]) {
        const longest = await post({ text: character.repeat(4_000) });
        expect(longest.status).toBe(201);
        expect(longest.body.text).toBe(character.repeat(4_000));
        expect((await post({ text: character.repeat(4_001) })).status).toBe(422);
      }
    });

    test("text is kept to the letter", async () => {
      for (const text of ["  spaces  ", "line\nbreak\ttab", "‮right‬", "<b>&amp;</b>", "\u2028", "👩‍👩‍👧‍👦é", '"\\']) {
        const { body } = await post({ text });
        expect(body.text).toBe(text);
        expect((await bob.get(`/api/messages/${body.id}`)).body.text).toBe(text);
      }
    });

    test.each([
      ["no text", {}],
      ["an empty text", { text: "" }],
      ["a text that is none", { text: 5 }],
      ["a clientId with a space", { text: "x", clientId: "a b" }],
      ["an empty clientId", { text: "x", clientId: "" }],
      ["a clientId of 65", { text: "x", clientId: "a".repeat(65) }],
      ["a clientId that is a number", { text: "x", clientId: 5 }],
      ["metadata that is a list", { text: "x", metadata: [1] }],
      ["metadata that is a text", { text: "x", metadata: "a" }],
      ["attachments that are no list", { text: "x", attachments: "a" }],
      ["an attachment nobody uploaded", { text: "x", attachments: ["01a1fc87-9015-75b5-9683-ef4249e15e36"] }],
      ["a reply to nothing", { text: "x", replyTo: "01a1fc87-9015-75b5-9683-ef4249e15e36" }],
      ["a sender", { text: "x", senderId: "somebody" }],
      ["a number", { text: "x", seq: 1 }],
    ])("with %s is INVALID", async (_, body) => {
      expect(await post(body)).toMatchObject({ status: 422, body: { code: "INVALID", status: 422 } });
    });

    test("metadata of 2 KiB is taken, more is refused", async () => {
      const sized = (bytes: number) => ({ a: "x".repeat(bytes - 8) });
      expect((await post({ text: "x", metadata: sized(2_048) })).status).toBe(201);
      expect([413, 422]).toContain((await post({ text: "x", metadata: sized(2_049) })).status);
    });

    test("a reply names a message of the same room; one of another room is INVALID", async () => {
      const { id } = (await post({ text: "question" })).body;
      expect(await post({ text: "answer", replyTo: id })).toMatchObject({ status: 201, body: { replyTo: id } });
      const other = await stage.channel([ann]);
      expect((await post({ text: "answer", replyTo: id }, ann, other)).status).toBe(422);
    });
  });

  describe("history", () => {
    let id: string;

    beforeAll(async () => {
      id = await stage.channel([ann, bob]);
      for (let n = 1; n <= 12; n += 1) await say(ann, id, `m${n}`);
    });

    const read = async (query: string) => (await bob.get(`/api/channels/${id}/messages${query}`)).body as Body;
    const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

    test.each<[string, Body, number[]]>([
      ["", { page: 1, pageSize: 50, total: 12 }, range(1, 12)],
      ["?page=1&pageSize=5", { page: 1, pageSize: 5, total: 12 }, range(8, 12)],
      ["?page=2&pageSize=5", { page: 2, pageSize: 5, total: 12 }, range(3, 7)],
      ["?page=3&pageSize=5", { page: 3, pageSize: 5, total: 12 }, range(1, 2)],
      ["?page=4&pageSize=5", { page: 4, total: 12 }, []],
      ["?pageSize=5000", { pageSize: 100 }, range(1, 12)],
      ["?limit=4", { hasBefore: true, hasAfter: false }, range(9, 12)],
      ["?before=5&limit=2", { hasBefore: true, hasAfter: true }, [3, 4]],
      ["?before=3&limit=9", { hasBefore: false, hasAfter: true }, [1, 2]],
      ["?after=5&limit=2", { hasBefore: true, hasAfter: true }, [6, 7]],
      ["?after=10&limit=9", { hasBefore: true, hasAfter: false }, [11, 12]],
      ["?after=0&limit=3", { hasBefore: false, hasAfter: true }, [1, 2, 3]],
      ["?after=12", { hasBefore: true, hasAfter: false }, []],
      ["?after=999999", { hasBefore: true, hasAfter: false }, []],
      ["?before=1", { hasBefore: false, hasAfter: true }, []],
      ["?before=999999&limit=2", { hasBefore: true, hasAfter: false }, [11, 12]],
      ["?around=6&limit=5", { hasBefore: true, hasAfter: true }, range(4, 8)],
      ["?around=1&limit=3", { hasBefore: false }, [1, 2]],
      ["?limit=5000", { hasBefore: false, hasAfter: false }, range(1, 12)],
    ])("%s", async (query, shape, numbers) => {
      const body = await read(query);
      expect(body).toMatchObject(shape);
      if (query === "?around=1&limit=3") expect(seqs(body).slice(0, 2)).toEqual([1, 2]);
      else expect(seqs(body)).toEqual(numbers);
    });

    test.each([
      "?before=x",
      "?before=-1",
      "?limit=0",
      "?page=0",
      "?before=1&after=2",
      "?page=1&before=3",
      "?pageSize=0",
      "?x=1",
    ])("%s is INVALID", async query => {
      expect(await bob.get(`/api/channels/${id}/messages${query}`)).toMatchObject({
        status: 422,
        body: { code: "INVALID" },
      });
    });

    test("walking back by before meets every message once", async () => {
      const walked: number[] = [];
      for (let body = await read("?limit=5"); ; body = await read(`?limit=5&before=${walked[0]}`)) {
        walked.unshift(...seqs(body));
        if (!body.hasBefore) break;
      }
      expect(walked).toEqual(range(1, 12));
    });

    test("tombstones keep their place and are counted", async () => {
      const one = await stage.channel([ann]);
      const sent = [await say(ann, one, "a"), await say(ann, one, "b"), await say(ann, one, "c")];
      await ann.delete(`/api/messages/${sent[1].id}`);
      const body = (await ann.get(`/api/channels/${one}/messages`)).body;
      expect(body.total).toBe(3);
      expect(texts(body)).toEqual(["a", "", "c"]);
      expect(seqs(body)).toEqual([1, 2, 3]);
    });
  });

  describe("editing and deleting", () => {
    test("the sender edits: text and editedAt change, seq, offset and the rest do not", async () => {
      const before = await say(ann, room, "before", { clientId: "edit-1", metadata: { a: 1 } });
      const { status, body } = await ann.patch(`/api/messages/${before.id}`, { text: "after" });
      expect(status).toBe(200);
      expect(body).toEqual({ ...before, text: "after", editedAt: expect.any(String) });
      expect((await bob.get(`/api/messages/${before.id}`)).body).toEqual(body);
    });

    test.each([{}, { text: "" }, { text: "x".repeat(4_001) }, { text: null }, { text: "x", seq: 3 }])(
      "an edit with %j is INVALID",
      async body => {
        const { id } = await say(ann, room, "stays");
        expect((await ann.patch(`/api/messages/${id}`, body)).status).toBe(422);
        expect((await ann.get(`/api/messages/${id}`)).body.text).toBe("stays");
      },
    );

    test("a deleted message is a tombstone without text, attachments, metadata and reactions", async () => {
      const { id, seq, offset } = await say(ann, room, "secret-text", { metadata: { secret: "meta" } });
      await bob.put(`/api/messages/${id}/reactions/${encodeURIComponent("👍")}`);
      const { status, body } = await ann.delete(`/api/messages/${id}`);
      expect(status).toBe(200);
      expect(body).toMatchObject({ id, seq, offset, text: "", attachments: [], deletedAt: expect.any(String) });
      expect(body).not.toHaveProperty("metadata");
      expect(body).not.toHaveProperty("reactions");
      expect(JSON.stringify((await bob.get(`/api/channels/${room}/messages?pageSize=100`)).body)).not.toContain(
        "secret-text",
      );
    });

    test("deleting again is the same answer and no event", async () => {
      const { id } = await say(ann, room, "gone");
      const first = await ann.delete(`/api/messages/${id}`);
      const socket = await bob.socket([room]);
      expect(await ann.delete(`/api/messages/${id}`)).toMatchObject({ status: 200, body: first.body });
      const next = await say(ann, room, "next");
      await socket.event(room, next.offset);
      expect(socket.events(room).map(event => event.kind)).toEqual(["message"]);
    });

    test("editing and reacting to a tombstone is CONFLICT", async () => {
      const { id } = await say(ann, room, "gone");
      await ann.delete(`/api/messages/${id}`);
      expect((await ann.patch(`/api/messages/${id}`, { text: "x" })).status).toBe(409);
      expect((await bob.put(`/api/messages/${id}/reactions/${encodeURIComponent("👍")}`)).status).toBe(409);
    });
  });

  describe("reactions", () => {
    const reaction = (id: string, emoji: string) => `/api/messages/${id}/reactions/${encodeURIComponent(emoji)}`;

    test("are counted by emoji, once a user, and taken back", async () => {
      const { id } = await say(ann, room, "like me");
      await bob.put(reaction(id, "👍"));
      await bob.put(reaction(id, "👍"));
      await ann.put(reaction(id, "👍"));
      const { body } = await ann.put(reaction(id, "🎉"));
      expect(body.reactions).toEqual([
        { emoji: "👍", count: 2, users: [bob.id, ann.id] },
        { emoji: "🎉", count: 1, users: [ann.id] },
      ]);
      expect((await bob.delete(reaction(id, "👍"))).body.reactions).toContainEqual({
        emoji: "👍",
        count: 1,
        users: [ann.id],
      });
      await ann.delete(reaction(id, "🎉"));
      const last = await ann.delete(reaction(id, "👍"));
      expect(last.body.reactions ?? []).toEqual([]);
      expect((await ann.delete(reaction(id, "👍"))).status).toBe(200);
    });

    test.each(["a word", "<b>", "👍👍", "x", "$gt"])("%s is no emoji: INVALID", async emoji => {
      const { id } = await say(ann, room, "like me");
      expect((await bob.put(reaction(id, emoji))).status).toBe(422);
    });

    test("show at most the first 20 users", async () => {
      const people = await stage.users(...Array<string>(22).fill("many"));
      const id = await stage.channel(people);
      const message = await say(people[0] as Client, id, "like me");
      for (const user of people) await user.put(reaction(message.id, "👍"));
      const [{ count, users }] = (await ann.get(`/api/messages/${message.id}`)).body.reactions;
      expect(count).toBe(22);
      expect(users).toEqual(people.slice(0, 20).map(user => user.id));
    });
  });

  describe("marks", () => {
    const unread = async (client: Client, id: string) =>
      (await client.get("/api/unread")).body.items.find((item: { roomId: string }) => item.roomId === id);

    test("unread counts what others wrote after the mark, and the mark starts at the head on joining", async () => {
      const id = await stage.channel([ann]);
      await say(ann, id, "before");
      await bob.post(`/api/channels/${id}/join`);
      expect(await unread(bob, id)).toEqual({ roomId: id, unread: 0, mentions: 0, lastSeq: 1, readSeq: 1 });
      await say(ann, id, "2");
      const third = await say(ann, id, "3");
      expect(await unread(bob, id)).toMatchObject({ unread: 2, lastSeq: 3, readSeq: 1 });
      await ann.delete(`/api/messages/${third.id}`);
      expect(await unread(bob, id)).toMatchObject({ unread: 1, lastSeq: 3 });
      expect((await bob.post(`/api/channels/${id}/read`, { seq: 2 })).status).toBe(204);
      expect(await unread(bob, id)).toMatchObject({ unread: 0, readSeq: 2 });
      expect(await unread(ann, id)).toMatchObject({ unread: 0, readSeq: 3 });
    });

    test("the mark never goes back and is cut at the head", async () => {
      const id = await stage.channel([ann, bob]);
      for (const text of ["1", "2", "3"]) await say(ann, id, text);
      await bob.post(`/api/channels/${id}/read`, { seq: 2 });
      await bob.post(`/api/channels/${id}/read`, { seq: 1 });
      expect(await unread(bob, id)).toMatchObject({ readSeq: 2, unread: 1 });
      expect((await bob.post(`/api/channels/${id}/read`, { seq: 999_999 })).status).toBe(204);
      expect(await unread(bob, id)).toMatchObject({ readSeq: 3, unread: 0 });
      await say(ann, id, "4");
      expect(await unread(bob, id)).toMatchObject({ readSeq: 3, unread: 1 });
    });

    test("one's own send moves one's mark", async () => {
      const id = await stage.channel([ann, bob]);
      await say(ann, id, "question");
      await say(bob, id, "answer");
      expect(await unread(bob, id)).toMatchObject({ unread: 0, readSeq: 2 });
    });

    test("every room of one's own is listed, with zeros", async () => {
      const user = await stage.user();
      const ids = [await stage.channel([user]), await stage.direct(user, ann)];
      const items = (await user.get("/api/unread")).body.items;
      expect(new Set(items.map((item: { roomId: string }) => item.roomId))).toEqual(new Set(ids));
      for (const item of items) expect(item).toMatchObject({ unread: 0, mentions: 0, lastSeq: 0, readSeq: 0 });
    });

    test("mentions are counted on word bounds ignoring case, and never of oneself", async () => {
      const id = await stage.channel([ann, bob]);
      const mention = await say(ann, id, `hey @${bob.username.toUpperCase()}, look`);
      await say(ann, id, `mail x@${bob.username}y and @${bob.username}zz`);
      expect(mention.mentions).toEqual([bob.id]);
      expect(await unread(bob, id)).toMatchObject({ unread: 2, mentions: 1 });
      await bob.post(`/api/channels/${id}/read`, { seq: mention.seq });
      expect(await unread(bob, id)).toMatchObject({ unread: 1, mentions: 0 });
    });

    test("receipts go from sent over delivered to read, for every other member", async () => {
      const carl = await stage.user("carl");
      const id = await stage.channel([ann, bob, carl]);
      const message = await say(ann, id, "seen?");
      const states = async () => {
        const { items } = (await ann.get(`/api/messages/${message.id}/receipts`)).body;
        return Object.fromEntries(items.map(({ userId, state }: Body) => [userId, state])) as Record<string, string>;
      };
      expect(await states()).toMatchObject({ [bob.id]: "sent", [carl.id]: "sent" });
      await bob.post(`/api/channels/${id}/delivered`, { seq: message.seq });
      await eventually("delivered", states, all => all[bob.id] === "delivered");
      await bob.post(`/api/channels/${id}/read`, { seq: message.seq });
      await eventually("read", states, all => all[bob.id] === "read");
      expect(await states()).toMatchObject({ [carl.id]: "sent" });
    });

    test.each([{}, { seq: -1 }, { seq: "x" }, { seq: 1.5 }, { seq: null }, { seq: { $gt: 0 } }, { seq: 1, x: 1 }])(
      "a mark of %j is INVALID",
      async body => {
        for (const kind of ["read", "delivered"])
          expect((await bob.post(`/api/channels/${room}/${kind}`, body)).status).toBe(422);
      },
    );
  });
});
