import { TYPING } from "../../services/ws-gateway/typists";
import { say, Stage, unique, type Client } from "../support/client";
import { describeEmbedded, startServer } from "../support/server";
import { Rest } from "../support/rest";
import { TOLD, type SocketClient } from "../support/socket";
import { together } from "../support/together";

describe("native socket", () => {
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

  describe("before hello", () => {
    test("everything is UNAUTHENTICATED and the socket stays open", async () => {
      const socket = await ann.connect();
      expect(socket.protocol).toBe("rookery.v1");
      for (const frame of [
        { t: "ping" },
        { t: "send", room, text: "x" },
        { t: "sub", rooms: [room] },
        { t: "nonsense" },
      ])
        expect(await socket.request(frame)).toMatchObject({ t: "err", code: "UNAUTHENTICATED", status: 401 });
      expect((await socket.hello(ann.token as string)).t).toBe("welcome");
    });

    test("a bad token is UNAUTHENTICATED and closes with 4101", async () => {
      const socket = await ann.connect();
      expect(await socket.hello("nonsense")).toMatchObject({ t: "err", code: "UNAUTHENTICATED" });
      expect(await socket.untilClosed()).toMatchObject({ code: 4101 });
    });

    test.each(["not json", "5", '"text"', "null", "[]", "{}", '{"t":5}', '{"t":"ping"}\nnot json', '{"t":null}', "{"])(
      "%j closes with 4500",
      async text => {
        for (const socket of [await ann.connect(), await ann.socket()]) {
          socket.write(text);
          expect(await socket.untilClosed()).toMatchObject({ code: 4500 });
        }
      },
    );

    test("a subprotocol of another version is echoed and closed with 4505", async () => {
      const socket = await ann.connect({ protocols: ["rookery.v9"] });
      expect(socket.protocol).toBe("rookery.v9");
      expect(await socket.untilClosed()).toMatchObject({ code: 4505 });
    });

    test("of several subprotocols ours is taken", async () => {
      expect((await ann.connect({ protocols: ["other", "rookery.v1"] })).protocol).toBe("rookery.v1");
    });

    test("a foreign Origin is refused, one's own and none are taken", async () => {
      await expect(ann.connect({ headers: { Origin: "https://evil.example" } })).rejects.toThrow("403");
      const socket = await ann.connect({ headers: { Origin: stage.server.url } });
      expect((await socket.hello(ann.token as string)).t).toBe("welcome");
    });

    test("a second hello does not sign in anew", async () => {
      const socket = await ann.socket();
      expect((await socket.hello(bob.token as string)).t).toBe("err");
      await socket.settle();
    });
  });

  describe("welcome", () => {
    test("names user, session, epoch, n, limits and rooms", async () => {
      const socket = await ann.connect();
      const head = await say(bob, room, "head");
      const welcome = await socket.hello(ann.token as string, { [room]: null });
      expect(welcome).toMatchObject({
        t: "welcome",
        i: 1,
        user: { id: ann.id, username: ann.username },
        session: expect.any(String),
        epoch: expect.any(String),
        n: expect.any(Number),
        rooms: { [room]: { offset: head.offset, seq: head.seq, state: "live" } },
      });
      const config = (await stage.nobody.get("/api/config")).body;
      expect(welcome.limits).toEqual(config.limits);
      const claims = JSON.parse(Buffer.from((ann.token as string).split(".")[1] as string, "base64url").toString());
      expect(welcome.session).toBe(claims.sid);
    });

    test("a room that is denied does not hinder the others", async () => {
      const hidden = await stage.channel([], { isPrivate: true });
      const socket = await ann.connect();
      const { rooms } = await socket.hello(ann.token as string, { [hidden]: null, nonsense: null, [room]: null });
      expect(rooms).toMatchObject({
        [hidden]: { state: "denied", code: "NOT_FOUND" },
        nonsense: { state: "denied", code: "NOT_FOUND" },
        [room]: { state: "live" },
      });
      const next = await say(bob, room, "on");
      await socket.event(room, next.offset);
    });
  });

  describe("answers", () => {
    test("several frames joined by a newline are each answered once", async () => {
      const socket = await ann.socket();
      const answers = await socket.requestJoined([
        { t: "ping" },
        { t: "sub", rooms: [room] },
        { t: "send", room, text: "joined" },
        { t: "nonsense" },
        { t: "unsub", rooms: [room] },
      ]);
      expect(answers.map(answer => answer.t)).toEqual(["pong", "ok", "ok", "err", "ok"]);
    });

    test("without i there is no answer", async () => {
      const socket = await ann.socket();
      const before = socket.frames.length;
      for (const frame of [
        { t: "sub", rooms: ["nonsense"] },
        { t: "send", room, text: "" },
        { t: "nonsense" },
        { t: "history" },
      ])
        socket.send(frame);
      await socket.settle();
      await socket.request({ t: "history", room, limit: 1 });
      expect(socket.frames.slice(before).filter(frame => frame.i === undefined)).toEqual([]);
    });

    test("an unknown type and a bad field are INVALID, the socket stays open, unknown fields are ignored", async () => {
      const socket = await ann.socket();
      for (const frame of [
        { t: "nonsense" },
        { t: "sub" },
        { t: "sub", rooms: "x" },
        { t: "sub", rooms: [5] },
        { t: "sub", rooms: [room], from: { [room]: -1 } },
        { t: "sub", rooms: [room], mode: "loud" },
        { t: "send", text: "x" },
        { t: "send", room: 5, text: "x" },
        { t: "send", room, text: { $gt: "" } },
        { t: "send", room },
        { t: "history", room, limit: 0 },
        { t: "history", room, before: "x" },
        { t: "history", room, before: 1, after: 1 },
        { t: "edit", room, id: "x" },
        { t: "react", room, id: "x", emoji: "👍", on: "yes" },
        { t: "read", room },
        { t: "read", room, seq: -1 },
        { t: "typing" },
        { t: "watch", users: "all" },
        { t: "auth" },
        { t: "call" },
        { t: "call", method: "users.me", params: [] },
      ])
        expect({ frame, answer: await socket.request(frame) }).toMatchObject({
          frame,
          answer: { t: "err", code: "INVALID", status: 422 },
        });
      expect(await socket.request({ t: "ping", more: { a: [1] } })).toMatchObject({ t: "pong" });
    });
  });

  describe("rooms", () => {
    test("events come once, in order, with the right kind and data, also to the sender", async () => {
      const id = await stage.channel([ann, bob]);
      const [his, hers] = await Promise.all([bob.socket([id]), ann.socket([id])]);
      const { message } = await hers.request({ t: "send", room: id, text: "one" });
      const edited = (await hers.request({ t: "edit", room: id, id: message.id, text: "two" })).message;
      await his.request({ t: "react", room: id, id: message.id, emoji: "👍", on: true });
      await his.request({ t: "react", room: id, id: message.id, emoji: "👍", on: false });
      const gone = (await hers.request({ t: "delete", room: id, id: message.id })).message;
      const reaction = { messageId: message.id, userId: bob.id, emoji: "👍" };
      for (const socket of [his, hers]) {
        await socket.event(id, message.offset + 4);
        expect(socket.events(id).map(({ kind, data }) => [kind, data])).toEqual([
          ["message", message],
          ["edit", edited],
          ["reaction", { ...reaction, on: true }],
          ["reaction", { ...reaction, on: false }],
          ["delete", gone],
        ]);
      }
      expect(gone).toMatchObject({ text: "", attachments: [], deletedAt: expect.any(String) });
    });

    test("what is sent over REST comes to sockets, and what is sent by sockets is in REST", async () => {
      const socket = await bob.socket([room]);
      const byRest = await say(ann, room, "by rest", { clientId: unique("r") });
      expect((await socket.event(room, byRest.offset)).data).toEqual(byRest);
      const clientId = unique("s");
      const { message } = await socket.request({ t: "send", room, text: "by socket", clientId, metadata: { a: 1 } });
      expect((await ann.get(`/api/messages/${message.id}`)).body).toEqual(message);
      const repeat = await bob.post(`/api/channels/${room}/messages`, {
        text: "by socket",
        clientId,
        metadata: { a: 1 },
      });
      expect(repeat).toMatchObject({ status: 200, body: { id: message.id } });
    });

    test("a repeat answers with the message and duplicate, and is no event; other content is CONFLICT", async () => {
      const socket = await ann.socket([room]);
      const send = { t: "send", room, text: "once", clientId: unique("c") };
      const first = await socket.request(send);
      expect(first).not.toHaveProperty("duplicate");
      expect(await socket.request(send)).toMatchObject({ t: "ok", duplicate: true, message: first.message });
      expect(await socket.request({ ...send, text: "other" })).toMatchObject({
        t: "err",
        code: "CONFLICT",
        status: 409,
      });
      const { offset } = await say(bob, room, "after it");
      await socket.event(room, offset);
      expect(socket.events(room).filter(event => event.data.id === first.message.id)).toHaveLength(1);
    });

    test("a socket's sends get their numbers in the order they were sent", async () => {
      const socket = await ann.socket();
      const sends = Array.from({ length: 50 }, (_, n) => ({ t: "send", room, text: `${n}` }));
      const answers = await Promise.all(sends.map(frame => socket.request(frame)));
      const seqs = answers.map(answer => answer.message.seq as number);
      expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    });

    test("sub is live from the head, unsub ends it", async () => {
      const socket = await bob.socket();
      const before = await say(ann, room, "before");
      const { rooms } = await socket.sub([room]);
      expect(rooms).toEqual({ [room]: { offset: before.offset, seq: before.seq, state: "live" } });
      const during = await say(ann, room, "during");
      await socket.event(room, during.offset);
      expect(await socket.request({ t: "unsub", rooms: [room] })).toMatchObject({ t: "ok" });
      await say(ann, room, "after");
      await socket.settle();
      expect(socket.events(room)).toHaveLength(1);
    });

    test("sub and unsub of one frame take effect in their order", async () => {
      const socket = await bob.socket();
      const answers = await socket.requestJoined([
        { t: "sub", rooms: [room] },
        { t: "unsub", rooms: [room] },
      ]);
      expect(answers.map(answer => answer.t)).toEqual(["ok", "ok"]);
      await say(ann, room, "after");
      await socket.settle();
      expect(socket.events(room)).toEqual([]);
    });

    test("a read mark that does not move is told to nobody, and never goes back", async () => {
      const id = await stage.channel([ann, bob]);
      for (const text of ["one", "two", "three"]) await say(ann, id, text);
      const socket = await ann.socket([id]);
      const reader = await bob.socket();
      for (const seq of [2, 1, 2, 3]) await reader.request({ t: "read", room: id, seq });
      await socket.frame("read", frame => frame.t === "read" && frame.seq === 3);
      const marks = socket.frames.filter(frame => frame.t === "read" && frame.room === id);
      // Each is told by the node that moved it: the first may be overtaken, and is told no more then.
      expect([[2, 3], [3]]).toContainEqual(marks.map(frame => frame.seq));
    });

    test("an edit may leave a message empty only if it has an attachment", async () => {
      const sent = await say(ann, room, "words");
      const socket = await ann.socket();
      expect(await socket.request({ t: "edit", room, id: sent.id, text: "" })).toMatchObject({ code: "INVALID" });
    });

    test("a resume replays what was missed, once and in order, as it is now, and goes on", async () => {
      const id = await stage.channel([ann, bob]);
      const first = await say(ann, id, "first");
      const gone = await say(ann, id, "missed and deleted");
      await say(ann, id, "missed");
      await ann.delete(`/api/messages/${gone.id}`);
      const socket = await bob.connect();
      const { rooms, epoch } = await socket.hello(bob.token as string, { [id]: first.offset });
      expect(rooms[id]).toMatchObject({ state: "replayed", offset: first.offset + 3 });
      const next = await say(ann, id, "live");
      await socket.event(id, next.offset);
      expect(socket.events(id).map(event => event.kind)).toEqual(["message", "message", "delete", "message"]);
      expect(socket.texts.join()).not.toContain("missed and deleted");
      const again = await bob.socket({ [id]: next.offset }, { epoch });
      expect(again.position.get(id)).toBe(next.offset);
      const sub = await (await bob.socket()).sub([id], { [id]: next.offset - 1 });
      expect(sub.rooms[id]).toMatchObject({ state: "replayed", offset: next.offset });
    });

    test("beyond the head and of another epoch it is reset, and live from the head", async () => {
      const { offset } = await say(ann, room, "head");
      for (const [from, more] of [
        [offset + 1_000, {}],
        [offset - 1, { epoch: "another" }],
      ] as const) {
        const socket = await bob.connect();
        const { rooms } = await socket.hello(bob.token as string, { [room]: from }, more);
        expect(rooms[room].state).toBe("reset");
        const next = await say(ann, room, "on");
        await socket.event(room, next.offset);
      }
    });

    test("up to 1,000 entries are replayed, beyond that it is reset", async () => {
      const id = await stage.channel([ann]);
      const writer = await ann.socket();
      const sends = Array.from({ length: 1_001 }, (_, n) => ({ t: "send", room: id, text: `m${n}` }));
      const answers = await Promise.all(sends.map(frame => writer.request(frame)));
      const head = Math.max(...answers.map(answer => answer.message.offset as number));
      const socket = await ann.connect();
      const { rooms } = await socket.hello(ann.token as string, { [id]: head - 1_000 });
      expect(rooms[id]).toMatchObject({ state: "replayed", offset: head });
      await socket.event(id, head);
      expect(socket.events(id)).toHaveLength(1_000);
      const late = await ann.connect();
      expect((await late.hello(ann.token as string, { [id]: head - 1_001 })).rooms[id].state).toBe("reset");
    });

    test("history answers as REST does", async () => {
      const socket = await bob.socket();
      for (const [query, url] of [
        [{ limit: 3 }, "?limit=3"],
        [{ before: 5, limit: 2 }, "?before=5&limit=2"],
        [{ after: 2, limit: 2 }, "?after=2&limit=2"],
        [{ around: 4, limit: 3 }, "?around=4&limit=3"],
      ] as const) {
        const { items, hasBefore, hasAfter } = (await bob.get(`/api/channels/${room}/messages${url}`)).body;
        expect(await socket.request({ t: "history", room, ...query })).toMatchObject({
          t: "ok",
          items,
          hasBefore,
          hasAfter,
        });
      }
    });

    test("removed from a public room one is cut, and may read again as a stranger", async () => {
      const id = await stage.channel([bob]);
      const socket = await bob.socket([id]);
      await stage.admin.delete(`/api/channels/${id}/members/${bob.id}`);
      await socket.frame("unsub", frame => frame.t === "unsub" && frame.room === id, TOLD);
      expect((await socket.sub([id])).rooms[id].state).toBe("live");
      expect(await socket.request({ t: "send", room: id, text: "x" })).toMatchObject({ code: "FORBIDDEN" });
    });

    test("refusals carry the codes of the table", async () => {
      const socket = await bob.socket();
      const mine = await say(ann, room, "mine");
      const unknown = "01a1fc87-9015-75b5-9683-ef4249e15e36";
      expect(await socket.request({ t: "edit", room, id: mine.id, text: "x" })).toMatchObject({
        code: "FORBIDDEN",
        status: 403,
      });
      expect(await socket.request({ t: "delete", room, id: mine.id })).toMatchObject({ code: "FORBIDDEN" });
      expect(await socket.request({ t: "edit", room, id: unknown, text: "x" })).toMatchObject({
        code: "NOT_FOUND",
        status: 404,
      });
      expect(await socket.request({ t: "send", room: unknown, text: "x" })).toMatchObject({ code: "NOT_FOUND" });
      expect(await socket.request({ t: "history", room: unknown })).toMatchObject({ code: "NOT_FOUND" });
      const other = await stage.channel([ann]);
      expect(await socket.request({ t: "edit", room: other, id: mine.id, text: "x" })).toMatchObject({
        code: "NOT_FOUND",
      });
    });
  });

  describe("signals", () => {
    /** Earlier than typing that began then would end by itself. */
    const ends = (socket: SocketClient, began: number) =>
      socket.frame("its end", frame => frame.t === "typing" && frame.on === false, began + TYPING - performance.now());

    test("read and delivered marks reach the room's sockets", async () => {
      const [socket, reader] = await Promise.all([ann.socket([room]), bob.socket([room])]);
      const { seq } = await say(ann, room, "seen?");
      for (const type of ["delivered", "read"]) {
        expect(await reader.request({ t: type, room, seq })).toMatchObject({ t: "ok" });
        const told = await socket.frame(type, frame => frame.t === type && frame.room === room && frame.seq === seq);
        expect(told.user).toBe(bob.id);
      }
    });

    test("typing ends at once when told", async () => {
      const [hers, his] = await Promise.all([ann.socket([room]), bob.socket([room])]);
      const began = performance.now();
      await hers.requestJoined([
        { t: "typing", room, on: true },
        { t: "typing", room, on: false },
      ]);
      await ends(his, began);
    });

    test("typing goes on where another device of the same person goes, and ends where he is taken out", async () => {
      const group = await ann.post("/api/conversations", { type: "group", members: [bob.id], name: unique("typists") });
      const id = group.body.id as string;
      const [hers, his, other] = await Promise.all([ann.socket([id]), bob.socket([id]), bob.socket([id])]);
      const began = performance.now();
      expect(await his.request({ t: "typing", room: id, on: true })).toMatchObject({ t: "ok" });
      await other.close();
      await hers.frame("he types", frame => frame.t === "typing" && frame.on === true);
      // What comes later would come behind its end.
      await say(ann, id, "go on");
      await hers.frame("the message", frame => frame.t === "event" && frame.kind === "message");
      expect(hers.all("typing").map(({ on }) => on)).toEqual([true]);
      expect((await ann.delete(`/api/conversations/${id}/members/${bob.id}`)).status).toBe(204);
      await ends(hers, began);
    });

    test("watch tells who is there, and every change; the set is replaced", async () => {
      const [carl, dora] = (await stage.users("carl", "dora")) as [Client, Client];
      const watcher = await ann.socket();
      const told =
        (user: Client, status: string) => (frame: { t: string; changes?: { user: string; status: string }[] }) =>
          frame.t === "presence" &&
          frame.changes?.some(change => change.user === user.id && change.status === status) === true;
      await carl.socket();
      await watcher.request({ t: "watch", users: [carl.id, dora.id] });
      await watcher.frame("carl is there", told(carl, "online"));
      const socket = await dora.socket();
      await watcher.frame("dora comes", told(dora, "online"));
      await socket.close();
      await watcher.frame("dora goes", told(dora, "offline"));
      await watcher.request({ t: "watch", users: [carl.id] });
      const before = watcher.all("presence").length;
      const other = await ann.socket();
      await other.request({ t: "watch", users: [dora.id] });
      await dora.socket();
      await other.frame("dora comes again", told(dora, "online"));
      await watcher.settle();
      expect(watcher.all("presence").slice(before).some(told(dora, "online"))).toBe(false);
    });
  });

  describe("call", () => {
    test("does what REST can do", async () => {
      const socket = await stage.admin.socket();
      const name = unique("called");
      const made = await socket.request({ t: "call", method: "rooms.create", params: { name } });
      expect(made).toMatchObject({ t: "ok", result: { name, isPrivate: false } });
      expect((await ann.get(`/api/channels/${made.result.id}`)).body.name).toBe(name);
      expect((await socket.request({ t: "call", method: "users.me" })).result.username).toBe("admin");
      expect(await socket.request({ t: "call", method: "rooms.create", params: { name } })).toMatchObject({
        t: "err",
        code: "CONFLICT",
      });
    });

    test("of an unknown method is NOT_FOUND, with bad parameters INVALID, without the right FORBIDDEN", async () => {
      const socket = await ann.socket();
      const call = (method: string, params = {}) => socket.request({ t: "call", method, params });
      expect(await call("rooms.explode")).toMatchObject({ t: "err", code: "NOT_FOUND" });
      expect(await call("rooms.get", { id: room, more: 1 })).toMatchObject({ t: "err", code: "INVALID" });
      expect(await call("rooms.create", { name: unique("no") })).toMatchObject({ t: "err", code: "FORBIDDEN" });
    });

    test("auth.logout is answered, then closes with 4103", async () => {
      const user = await stage.user();
      const socket = await user.socket();
      expect(await socket.request({ t: "call", method: "auth.logout" })).toMatchObject({ t: "ok", result: null });
      expect(await socket.untilClosed()).toMatchObject({ code: 4103 });
    });
  });

  test("a frame over 64 KiB ends the socket and not the server; one just below is taken", async () => {
    const socket = await ann.socket();
    const text = JSON.stringify({ t: "ping", i: 99_999, pad: "x".repeat(65_000) });
    expect(Buffer.byteLength(text)).toBeLessThan(65_536);
    await socket.request({ t: "ping", pad: "x".repeat(65_000) });
    socket.write(JSON.stringify({ t: "ping", pad: "x".repeat(65_536) }));
    await socket.untilClosed();
    expect((await stage.nobody.get("/api/health")).status).toBe(200);
  });

  test("a binary frame closes with 4500", async () => {
    const socket = await ann.socket();
    socket.write(Buffer.from('{"t":"ping"}'));
    expect(await socket.untilClosed()).toMatchObject({ code: 4500 });
  });

  together({
    "no hello within 5 s closes with 4501": async () => {
      const socket = await ann.connect();
      expect(await socket.untilClosed()).toMatchObject({ code: 4501 });
    },
    "typing reaches the others only, and ends by itself": async () => {
      const [eve, dan] = (await stage.users("eve", "dan")) as [Client, Client];
      const room = await stage.channel([eve, dan]);
      const [hers, his] = await Promise.all([eve.socket([room]), dan.socket([room])]);
      const began = performance.now();
      expect(await hers.request({ t: "typing", room, on: true })).toMatchObject({ t: "ok" });
      const typing = (on: boolean) => (frame: { t: string; user?: string; on?: boolean }) =>
        frame.t === "typing" && frame.user === eve.id && frame.on === on;
      await his.frame("typing", typing(true));
      await his.frame("its end", typing(false));
      expect(performance.now() - began).toBeGreaterThan(5_000);
      await hers.settle();
      expect(hers.all("typing")).toEqual([]);
    },
  });
});

// Where nobody else signs in meanwhile.
describeEmbedded("a hello", () => {
  test("asks auth for nothing: the door knows what was revoked", async () => {
    const stage = await Stage.on(await startServer());
    const ann = await stage.user("ann");
    const room = await stage.channel([ann]);
    /** Calls of auth's actions, by action, but for what comes by itself: looks at the revocation log, and records of before. */
    const asked = async (): Promise<string[]> => {
      const lines = (
        (await new Rest(new URL(stage.server.metricsUrls[0] as string).origin).get("/metrics")).body as string
      )
        .split("\n")
        .filter(line => line.startsWith("moleculer_request_total") && line.includes('service="auth"'));
      return lines.filter(line => !/"auth\.(revocations|record)"/.test(line)).sort();
    };
    const before = await asked();
    expect(before.join()).toContain('"auth.register"');
    for (let n = 0; n < 20; n++) {
      const socket = await ann.socket([room]);
      socket.cut();
    }
    expect(await asked()).toEqual(before);
    await stage.end();
  });
});
