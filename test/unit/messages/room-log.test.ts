import { newId } from "../../../services/core/ids";
import type { Message } from "../../../services/core/model";
import { MemoryRoomBus, type RoomHead } from "../../../services/core/room-bus";
import { eventually } from "../../support/eventually";
import { noted, readNote } from "./entries";
import { codeOf, ground, message, person } from "./ground";
import { faulty, once, stores } from "./stores";

describe.each(stores)("the room log in %s", (_name, open) => {
  const opened = once(open);
  const openStore = async () => faulty((await opened()).store);

  it("gives messages offsets 1, 2, 3 without holes and publishes them in that order", async () => {
    const { send, seen } = ground(await openStore());
    const user = person();
    const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => send(user, `text ${n}`)));
    expect(answers.map(answer => message(answer).offset)).toEqual(Array.from({ length: 300 }, (_, n) => n + 1));
    expect(seen.map(event => event.offset)).toEqual(Array.from({ length: 300 }, (_, n) => n + 1));
    expect(answers.map(answer => message(answer).text)).toEqual(Array.from({ length: 300 }, (_, n) => `text ${n}`));
  });

  it("answers a repeat under the same clientId with the first message, whenever it comes", async () => {
    const store = await openStore();
    const first = ground(store);
    const user = person();
    const once = message(await first.send(user, "hello", { clientId: "c1" }));
    const again = await first.send(user, "hello", { clientId: "c1", metadata: {}, attachments: [] });
    const later = await ground(store, first.room).send(user, "hello", { clientId: "c1" });
    for (const answer of [again, later])
      expect(answer).toMatchObject({ ok: true, duplicate: true, offset: once.offset });
    expect(message(later)).toEqual(once);
    expect(first.seen).toHaveLength(1);
  });

  it("takes repeats that arrive in the same tick as one message", async () => {
    const { send, seen } = ground(await openStore());
    const user = person();
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(user, "hello", { clientId: "same" })));
    expect(new Set(answers.map(answer => message(answer).id)).size).toBe(1);
    expect(answers.filter(answer => answer.ok && !answer.duplicate)).toHaveLength(1);
    expect(seen).toHaveLength(1);
  });

  it("refuses another content under the same clientId, also after the message was edited to it", async () => {
    const { send, op } = ground(await openStore());
    const user = person();
    const { id } = message(await send(user, "one", { clientId: "c1" }));
    expect(codeOf(await send(user, "two", { clientId: "c1" }))).toBe("CONFLICT");
    message(await op(user, { op: "edit", id, text: "two" }));
    expect(codeOf(await send(user, "two", { clientId: "c1" }))).toBe("CONFLICT");
    expect(message(await send(user, "one", { clientId: "c1" })).text).toBe("two");
  });

  it("tells metadata that differs only in the order of keys as the same content", async () => {
    const { send } = ground(await openStore());
    const user = person();
    await send(user, "x", { clientId: "m", metadata: { a: 1, b: { c: 2, d: 3 } } });
    expect(await send(user, "x", { clientId: "m", metadata: { b: { d: 3, c: 2 }, a: 1 } })).toMatchObject({
      duplicate: true,
    });
    expect(codeOf(await send(user, "x", { clientId: "m", metadata: { a: 2 } }))).toBe("CONFLICT");
  });

  it("looks for the clientId before membership: who was removed still learns that his message is stored", async () => {
    const store = await openStore();
    const before = ground(store);
    const user = person();
    const stored = message(await before.send(user, "hello", { clientId: "c1" }));
    const after = ground(store, before.room);
    after.access.set(user.id, { denied: "NOT_FOUND", role: null });
    expect(message(await after.send(user, "hello", { clientId: "c1" }))).toEqual(stored);
    expect(codeOf(await after.send(user, "hello", { clientId: "c2" }))).toBe("NOT_FOUND");
    expect(codeOf(await after.send(user, "other", { clientId: "c1" }))).toBe("CONFLICT");
  });

  it("looks for the clientId before the rate, and takes nothing for a repeat", async () => {
    let left = 1;
    const { send } = ground(await openStore(), newId(), { throttle: () => (left-- > 0 ? 0 : 700) });
    const user = person();
    const first = message(await send(user, "a", { clientId: "c1" }));
    expect(message(await send(user, "a", { clientId: "c1" })).id).toBe(first.id);
    const refused = await send(user, "b", { clientId: "c2" });
    expect(refused).toMatchObject({ ok: false, error: { code: "RATE_LIMITED", retryAfterMs: 700 } });
  });

  it("keeps one order without holes when two writers write the same room", async () => {
    const store = await openStore();
    const one = ground(store);
    const two = ground(store, one.room);
    const user = person();
    const sends = Array.from({ length: 200 }, (_, n) =>
      (n % 2 ? one : two).send(user, `n${n}`, { clientId: `c${n % 150}`, metadata: { n: n % 150 } }),
    );
    const answers = await Promise.all(sends);
    const ok = answers.filter(answer => answer.ok);
    const stored = (await store.window(one.room, { limit: 500, visibleFrom: 0 })).map(
      row => JSON.parse(row.data) as Message,
    );
    expect(stored.map(row => row.offset)).toEqual(Array.from({ length: stored.length }, (_, n) => n + 1));
    expect(new Set(stored.map(row => row.clientId)).size).toBe(stored.length);
    for (const answer of ok) expect(stored[answer.offset - 1]?.id).toBe(message(answer).id);
    expect(
      answers.every(answer => answer.ok || answer.error.code === "CONFLICT" || answer.error.code === "UNAVAILABLE"),
    ).toBe(true);
    expect(ok.length).toBeGreaterThan(100);
  });

  it("answers UNAVAILABLE for what is surely not stored, and goes on", async () => {
    const store = await openStore();
    const { send, seen } = ground(store);
    const user = person();
    store.faults.push("failed");
    expect(codeOf(await send(user, "lost", { clientId: "c1" }))).toBe("UNAVAILABLE");
    expect(message(await send(user, "kept", { clientId: "c2" })).offset).toBe(1);
    expect(seen.map(event => (JSON.parse(event.data) as Message).text)).toEqual(["kept"]);
  });

  it.each(["unknown-stored", "unknown-not-stored"] as const)(
    "settles a write of unknown outcome (%s) under its own offset before it takes anything new",
    async fault => {
      const store = await openStore();
      const { send, seen } = ground(store);
      const user = person();
      message(await send(user, "before"));
      store.faults.push(fault);
      expect(codeOf(await send(user, "doubt", { clientId: "c1" }))).toBe("UNKNOWN_OUTCOME");
      expect(seen).toHaveLength(1);
      expect(codeOf(await send(user, "doubt", { clientId: "c1" }))).toBe("UNKNOWN_OUTCOME");
      expect(codeOf(await send(user, "new"))).toBe("UNAVAILABLE");
      const settled = await eventually(
        "the doubtful message is settled",
        () => send(user, "doubt", { clientId: "c1" }),
        answer => answer.ok,
      );
      expect(settled).toMatchObject({ offset: 2, duplicate: true });
      expect(message(await send(user, "after")).offset).toBe(3);
      expect(seen.map(event => event.offset)).toEqual([1, 2, 3]);
    },
  );

  it("writes the rest of a batch of which it finds its own first entries stored, also those without a clientId", async () => {
    const store = await openStore();
    const { send, op, room, seen } = ground(store);
    const user = person();
    const { id } = message(await send(user, "first"));
    store.faults.push("unknown-partly");
    const doubtful = await Promise.all([
      op(user, { op: "edit", id, text: "edited" }),
      send(user, "without a clientId"),
      send(user, "last", { clientId: "c1" }),
    ]);
    expect(doubtful.map(codeOf)).toEqual(["UNKNOWN_OUTCOME", "UNKNOWN_OUTCOME", "UNKNOWN_OUTCOME"]);
    await eventually(
      "all are stored and told",
      () => seen.length,
      count => count === 4,
    );
    expect(seen.map(({ offset, kind }) => `${offset} ${kind}`)).toEqual([
      "1 message",
      "2 edit",
      "3 message",
      "4 message",
    ]);
    const texts = (await store.window(room, { limit: 9, visibleFrom: 0 })).map(
      ({ data }) => JSON.parse(data) as Message,
    );
    expect(texts.map(({ text }) => text)).toEqual(["edited", "without a clientId", "last"]);
  });

  it("decides about edits, deletions and reactions in the order they came, also within one batch", async () => {
    const { send, op, seen } = ground(await openStore());
    const [author, other] = [person(), person()];
    const { id } = message(await send(author, "first"));
    const [edited, reacted, refused, deleted, late, again] = await Promise.all([
      op(author, { op: "edit", id, text: "second" }),
      op(other, { op: "react", id, emoji: "👍", on: true }),
      op(other, { op: "edit", id, text: "mine" }),
      op(author, { op: "delete", id }),
      op(other, { op: "react", id, emoji: "🎉", on: true }),
      op(author, { op: "delete", id }),
    ]);
    expect(message(edited as never).text).toBe("second");
    expect(message(reacted as never)).toMatchObject({
      text: "second",
      reactions: [{ emoji: "👍", count: 1, users: [other.id] }],
    });
    expect(codeOf(refused as never)).toBe("FORBIDDEN");
    expect(message(deleted as never)).toMatchObject({ text: "", attachments: [], seq: 1, offset: 1 });
    expect(message(deleted as never).reactions).toBeUndefined();
    expect(codeOf(late as never)).toBe("CONFLICT");
    expect(message(again as never)).toEqual(message(deleted as never));
    expect(seen.map(event => event.kind)).toEqual(["message", "edit", "reaction", "delete"]);
  });

  it("shows nothing of a deleted message to whoever replays the room", async () => {
    const store = await openStore();
    const { send, op, room } = ground(store);
    const author = person();
    const { id } = message(await send(author, "the secret"));
    await op(author, { op: "edit", id, text: "the other secret" });
    await op(author, { op: "delete", id });
    const replay = await store.events(room, 0, 100, 1_000_000);
    expect(replay.map(event => [event.offset, event.kind])).toEqual([
      [1, "message"],
      [2, "edit"],
      [3, "delete"],
    ]);
    expect(JSON.stringify(replay)).not.toContain("secret");
  });

  it("does nothing, and tells nobody, when a reaction is there already", async () => {
    const { send, op, seen } = ground(await openStore());
    const user = person();
    const { id } = message(await send(user, "x"));
    await op(user, { op: "react", id, emoji: "👍", on: true });
    const again = await op(user, { op: "react", id, emoji: "👍", on: true });
    expect(message(again).reactions).toEqual([{ emoji: "👍", count: 1, users: [user.id] }]);
    const off = await op(user, { op: "react", id, emoji: "👍", on: false });
    expect(message(off).reactions).toBeUndefined();
    expect(seen).toHaveLength(3);
  });

  it("writes an entry of the rooms service once per change", async () => {
    const { log, room, seen } = ground(await openStore());
    const entry = { op: "member", changeId: newId(), user: newId(), change: "join", role: "member" } as const;
    const [first] = await log.append([{ room, entry }]);
    const [second] = await log.append([{ room, entry }]);
    expect(second).toMatchObject({ ok: true, duplicate: true, offset: first?.ok && first.offset });
    expect(seen).toHaveLength(1);
    expect(seen[0]?.member).toEqual({ user: entry.user, change: "join", role: "member" });
  });

  it("counts messages, not entries, in seq", async () => {
    const store = await openStore();
    const { send, op, room } = ground(store);
    const user = person();
    const first = message(await send(user, "a"));
    await op(user, { op: "edit", id: first.id, text: "b" });
    const second = await send(user, "c");
    expect([second, message(second)]).toMatchObject(Array(2).fill({ seq: 2, offset: 3 }));
    expect((await store.heads([room])).get(room)).toMatchObject({ seq: 2, offset: 3 });
  });

  it("takes a reply only to a message of the same room", async () => {
    const store = await openStore();
    const [here, elsewhere] = [ground(store), ground(store)];
    const user = person();
    const target = message(await here.send(user, "a"));
    expect(message(await here.send(user, "re", { replyTo: target.id })).replyTo).toBe(target.id);
    expect(codeOf(await elsewhere.send(user, "re", { replyTo: target.id }))).toBe("INVALID");
    expect(codeOf(await here.send(user, "re", { replyTo: newId() }))).toBe("INVALID");
  });

  it("accepts nothing while nobody could be told of it, and tells its heads when somebody can be again", async () => {
    const bus = new MemoryRoomBus();
    let reachable = true;
    const { send, log, room } = ground(await openStore(), newId(), { bus, reachable: () => reachable });
    const heads: RoomHead[] = [];
    await bus.subscribe(room, packet => packet.type === "head" && heads.push(packet.head));
    const user = person();
    message(await send(user, "stored"));
    reachable = false;
    expect(codeOf(await send(user, "refused"))).toBe("UNAVAILABLE");
    reachable = true;
    log.tellHeads();
    expect(heads).toEqual([{ offset: 1, seq: 1 }]);
    expect(message(await send(user, "accepted")).offset).toBe(2);
  });

  it("answers every request in time although the store hangs, as unknown once it was begun", async () => {
    const store = await openStore();
    let now = 0;
    let hanging = false;
    let release = (): void => undefined;
    const append = store.append.bind(store);
    store.append = async (room, entries) => {
      hanging = true;
      await new Promise<void>(resolve => (release = resolve));
      return append(room, entries);
    };
    const { send } = ground(store, newId(), { clock: { now: () => Date.now(), monotonic: () => now } });
    const user = person();
    const begun = send(user, "begun");
    await eventually("the store was asked", () => hanging);
    const waiting = send(user, "waiting");
    now = 5_000;
    expect(codeOf(await begun)).toBe("UNKNOWN_OUTCOME");
    expect(codeOf(await waiting)).toBe("UNAVAILABLE");
    release();
  });

  it("never stores what it has told to be surely not stored", async () => {
    const store = await openStore();
    let now = 0;
    let release = (): void => undefined;
    const asked = new Promise<void>(resolve => (release = resolve));
    const { send, room, log } = ground(store, newId(), {
      clock: { now: () => Date.now(), monotonic: () => now },
      access: async (_user, id) => {
        await asked;
        return { room: id, role: "member", visibleFrom: 0 };
      },
    });
    const late = send(person(), "late", { clientId: "late" });
    now = 5_000;
    expect(codeOf(await late)).toBe("UNAVAILABLE");
    release();
    await eventually("the writer is done with it", () => log.quiet);
    expect(await store.window(room, { limit: 10, visibleFrom: 0 })).toEqual([]);
  });

  it("never says of what it is about to store that it surely is not, however long refusals of the same batch take", async () => {
    const store = await openStore();
    let now = 0;
    let release = (): void => undefined;
    const looked = new Promise<void>(resolve => (release = resolve));
    let looks = 0;
    const { repeats } = store;
    store.repeats = async (...args) => {
      looks++;
      await looked;
      return repeats.apply(store, args);
    };
    const { op, send, room, log, access } = ground(store, newId(), {
      clock: { now: () => Date.now(), monotonic: () => now },
    });
    const [ann, stranger] = [person(), person()];
    access.set(stranger.id, { role: null, open: true });
    message(await send(ann, "first"));
    // The two make one batch.
    const refused = op(stranger, { op: "send", text: "refused", clientId: "no" });
    const late = send(ann, "late", { clientId: "late" });
    await eventually("the refusal is looked up", () => looks > 0);
    now = 5_000;
    await eventually("who waits is answered", () => log.waiting === 0);
    release();
    await eventually("the writer is done with it", () => log.quiet);
    expect([codeOf(await refused), codeOf(await late)]).toEqual(["UNAVAILABLE", "UNKNOWN_OUTCOME"]);
    expect(await store.window(room, { limit: 10, visibleFrom: 0 })).toHaveLength(2);
  });

  describe("mentions", () => {
    it("names members of the room, ignoring case, and counts them unread until read or deleted", async () => {
      const store = await openStore();
      const [ann, bob, stranger] = [person(), person(), person()];
      const people = [
        { id: ann.id, username: "ann" },
        { id: bob.id, username: "Bob.Smith" },
        { id: stranger.id, username: "stranger" },
      ];
      const { send, op, room, access } = ground(store, newId(), {
        named: async names => people.filter(({ username }) => names.includes(username.toLowerCase())),
      });
      access.set(stranger.id, { role: null });
      const text = "@BOB.smith. and @stranger, not me@ann.org, not @nobody, @bob.smith again";
      const first = message(await send(ann, text));
      expect(first.mentions).toEqual([bob.id]);
      await send(ann, "nothing to see");
      const unread = async () => (await store.unread(bob.id, [{ room, visibleFrom: 0 }]))[0];
      expect(await unread()).toMatchObject({ unread: 2, mentions: 1, lastSeq: 2, readSeq: 0 });
      await op(ann, { op: "delete", id: first.id });
      expect(await unread()).toMatchObject({ unread: 1, mentions: 0 });
      await noted(store, bob.id, readNote(room, 2));
      expect(await unread()).toMatchObject({ unread: 0, mentions: 0, readSeq: 2 });
    });
  });
});
