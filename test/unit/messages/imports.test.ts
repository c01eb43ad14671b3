import type { AppendAnswer, AppendRequest, ImportedMessage, ImportOperation } from "../../../services/core/contract";
import { newId } from "../../../services/core/ids";
import { LIMITS } from "../../../services/core/limits";
import type { Message } from "../../../services/core/model";
import { ground, message, person } from "./ground";
import { once, stores } from "./stores";

const at = "2012-12-14T20:38:43.000Z";

describe.each(stores)("in %s an imported message", (_name, open) => {
  const opened = once(open);

  async function room() {
    const { store } = await opened();
    const { log, room: id, seen, op } = ground(store, newId(), { throttle: () => 1_000 });
    const take = (...entries: ImportOperation[]): Promise<AppendAnswer[]> =>
      log.append(entries.map(entry => ({ room: id, entry })));
    return { store, id, log, seen, op, take };
  }

  const imported = (more: Partial<ImportedMessage> = {}): { op: "import"; message: ImportedMessage } => {
    const id = newId();
    return { op: "import", message: { id, sender: newId(), clientId: `c-${id}`, text: "old", createdAt: at, ...more } };
  };
  const reaction = (id: string, by: string, emoji: string) =>
    ({ op: "importReaction", changeId: newId(), id, by, emoji }) as const;
  const codes = (answers: AppendAnswer[]): unknown[] => answers.map(answer => (answer.ok ? "ok" : answer.error.code));

  it("keeps id, sender and dates, whatever the sender may do and however fast they come", async () => {
    const { take } = await room();
    const wanted = imported({ editedAt: "2012-12-15T00:00:00.000Z", mentions: [newId()] });
    const [first, second] = await take(wanted, imported());
    expect(message(first as AppendAnswer)).toMatchObject({
      ...{ id: wanted.message.id, senderId: wanted.message.sender, createdAt: at, offset: 1, seq: 1 },
      ...{ editedAt: wanted.message.editedAt, mentions: wanted.message.mentions },
    });
    expect(second).toMatchObject({ ok: true, offset: 2, seq: 2 });
  });

  it("names nobody: counts of mentions stay as they are", async () => {
    const { take, store, id } = await room();
    const user = newId();
    await take(imported({ mentions: [user] }));
    expect(await store.unread(user, [{ room: id, visibleFrom: 0 }])).toMatchObject([{ unread: 1, mentions: 0 }]);
  });

  it("is stored once, also under another sender; with another content it is a conflict and stays", async () => {
    const { take, seen } = await room();
    const wanted = imported();
    const { message: facts } = wanted;
    await take(wanted);
    const again = await take(wanted, { op: "import", message: { ...facts, sender: newId() } });
    expect(again).toMatchObject([{ ok: true, offset: 1, duplicate: true }, { ok: true, offset: 1, duplicate: true }]); // prettier-ignore
    expect(codes(await take({ op: "import", message: { ...facts, text: "new" } }))).toEqual(["CONFLICT"]);
    expect(seen).toHaveLength(1);
  });

  it("answers, and is changed by, messages of its own batch; an answer to nothing is a message", async () => {
    const { take, store, id } = await room();
    const root = imported();
    const { id: to } = root.message;
    const [ann, bob] = [newId(), newId()];
    const gone = imported({ text: "secret" });
    const batch = [
      root,
      imported({ replyTo: to }),
      imported({ replyTo: newId() }),
      reaction(to, ann, "🎉"),
      reaction(to, bob, "👍"),
      reaction(to, bob, "🎉"),
      gone,
      { op: "importDelete", id: gone.message.id, by: gone.message.sender, at } as const,
    ];
    for (let run = 0; run < 2; run++) expect(new Set(codes(await take(...batch)))).toEqual(new Set(["ok"]));
    const rows = (await store.window(id, { limit: 10, visibleFrom: 0 })).map(({ data }) => JSON.parse(data) as Message);
    expect(rows.map(({ replyTo }) => replyTo)).toEqual([undefined, to, undefined, undefined]);
    expect(rows[0]?.reactions).toEqual([
      { emoji: "🎉", count: 2, users: [ann, bob] },
      { emoji: "👍", count: 1, users: [bob] },
    ]);
    expect(rows[3]).toMatchObject({ text: "", deletedAt: at });
  });

  it("is a reply in its thread: counted on the root, with part for who wrote, began it or is named, and nothing unread", async () => {
    const { take, store, id } = await room();
    const [ann, bob, eve, kim] = [person(), person(), person(), newId()];
    const root = imported({ sender: ann.id });
    const threadId = root.message.id;
    const replies = [
      imported({ sender: bob.id, threadId, mentions: [eve.id] }),
      imported({ sender: eve.id, threadId, replyTo: threadId, createdAt: "2012-12-15T00:00:00.000Z" }),
    ];
    const inside = replies[0]?.message.id;
    const batch = [root, ...replies, imported({ threadId: inside }), imported({ threadId: newId() })];
    for (let run = 0; run < 2; run++) expect(new Set(codes(await take(...batch)))).toEqual(new Set(["ok"]));
    const rows = (await store.window(id, { limit: 10, visibleFrom: 0 })).map(({ data }) => JSON.parse(data) as Message);
    expect(rows.map(one => one.threadId)).toEqual([undefined, threadId, threadId, undefined, undefined]);
    expect(rows[0]?.thread).toEqual({ replies: 2, lastSeq: 3, lastAt: "2012-12-15T00:00:00.000Z" });
    expect((await store.replies(id, 1, { limit: 10, visibleFrom: 0 })).map(({ seq }) => seq)).toEqual([2, 3]);
    const marks = (): Promise<(number | null)[]> =>
      Promise.all([ann.id, bob.id, eve.id, kim].map(user => store.threadMark(id, user, 1)));
    expect(await marks()).toEqual([0, 2, 3, null]);
    expect(await store.unread(eve.id, [{ room: id, visibleFrom: 0 }])).toMatchObject([{ mentions: 0 }]);
    await store.advance([ann.id, bob.id, kim].map(user => ({ room: id, user, threads: 5 })));
    const unread = async (user: string) =>
      (await store.threads(id, user, { skip: 0, limit: 10, visibleFrom: 0 })).items.map(item => item.unread);
    expect(await Promise.all([ann.id, bob.id, kim].map(unread))).toEqual([[0], [0], [0]]);
    const place = { room: id, seq: 1 };
    expect(await store.aside(ann.id, "threads", undefined, 10)).toEqual([{ ...place, id: threadId, read: 5 }]);
    expect(await store.aside(ann.id, "threads", place, 10)).toEqual([]);
  });

  it("may be a reply to what was deleted, which stays so", async () => {
    const { take, store } = await room();
    const root = imported({ text: "secret" });
    const { id: threadId, sender: by } = root.message;
    const gone = { op: "importDelete", id: threadId, by, at } as const;
    await take(root, gone);
    expect(codes(await take(imported({ threadId }), imported({ threadId })))).toEqual(["ok", "ok"]);
    const [kept] = await store.byIds([threadId]);
    expect(kept?.deleted).toBe(true);
    expect(JSON.parse(kept?.data ?? "")).toMatchObject({ text: "", deletedAt: at, thread: { replies: 2, lastSeq: 3 } });
    expect(codes(await take(gone))).toEqual(["ok"]);
  });

  it("that answered its root before there were threads is the same as its reply", async () => {
    const { take } = await room();
    const root = imported();
    const answer = imported({ replyTo: root.message.id });
    await take(root, answer);
    const { replyTo: threadId, ...rest } = answer.message;
    const again = await take({ op: "import", message: { ...rest, threadId: threadId as string } });
    expect(again).toMatchObject([{ ok: true, duplicate: true }]);
  });

  it("has its earlier versions and its pin, each once, also where that was taken back here", async () => {
    const { take, store, id, op } = await room();
    const [wanted, gone] = [imported({ text: "third" }), imported()];
    const { id: messageId } = wanted.message;
    const by = newId();
    const batch: ImportOperation[] = [
      ...[wanted, gone],
      { op: "importVersion", changeId: "v1", id: messageId, text: "first", at },
      { op: "importVersion", changeId: "v2", id: messageId, text: "second", at: "2012-12-15T00:00:00.000Z" },
      { op: "importPin", changeId: "p1", id: messageId, by, at },
      { op: "importDelete", id: gone.message.id, by, at },
      { op: "importVersion", changeId: "v3", id: gone.message.id, text: "secret", at },
      { op: "importPin", changeId: "p2", id: gone.message.id, by, at },
    ];
    for (let run = 0; run < 2; run++) expect(new Set(codes(await take(...batch)))).toEqual(new Set(["ok"]));
    const versions = (offset: number) =>
      store.versions(id, offset, 10).then(all => all.map(text => JSON.parse(text) as object));
    expect(await versions(1)).toEqual([
      { text: "first", at },
      { text: "second", at: "2012-12-15T00:00:00.000Z" },
    ]);
    expect(await versions(2)).toEqual([]);
    const pins = async () => (await store.pins(id)).map(data => JSON.parse(data) as Message);
    expect(await pins()).toMatchObject([{ text: "third", pinned: { by, at } }]);
    const { offset } = (await store.heads([id])).get(id) as { offset: number };
    expect(offset).toBe(6);
    const moderator = { ...person(), permissions: ["messages.moderate" as const] };
    expect(await op(moderator, { op: "pin", id: messageId, on: false })).toMatchObject({ ok: true });
    await take(...batch);
    expect(await pins()).toEqual([]);
    expect((await store.heads([id])).get(id)?.offset).toBe(7);
  });

  it("is pinned only where there is room for it, counted within a batch", async () => {
    const { take, store, id } = await room();
    const all = Array.from({ length: LIMITS.pins + 2 }, () => imported());
    await take(...all);
    const pins = all.map(({ message: { id: messageId } }): ImportOperation => {
      return { op: "importPin", changeId: newId(), id: messageId, by: newId(), at };
    });
    const answers = codes(await take(...pins));
    expect(answers.filter(code => code === "CONFLICT")).toHaveLength(2);
    expect(await store.pins(id)).toHaveLength(LIMITS.pins);
  });

  it("is refused in the name of a user, and when it is none", async () => {
    const { log, take, id } = await room();
    const forged = { room: id, user: person(), entry: imported() } as unknown as AppendRequest;
    expect(codes(await log.append([forged]))).toEqual(["FORBIDDEN"]);
    const bad = [
      imported({ createdAt: "yesterday" }),
      imported({ id: "1" }),
      imported({ clientId: "with blanks" }),
      imported({ text: "x".repeat(4_001) }),
      imported({ metadata: { long: "x".repeat(3_000) } }),
      reaction(newId(), newId(), "word"),
      { ...reaction(newId(), newId(), "👍"), changeId: "with blanks" },
      { op: "importVersion", changeId: newId(), id: newId(), text: "x", at: "once" } as const,
      { op: "importPin", changeId: newId(), id: newId(), by: "me", at } as const,
    ];
    expect(codes(await take(...bad))).toEqual(bad.map((_, n) => (n === 4 ? "TOO_LARGE" : "INVALID")));
    expect(codes(await take(reaction(newId(), newId(), "👍")))).toEqual(["NOT_FOUND"]);
  });
});
