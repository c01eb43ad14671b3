import type { AppendAnswer, AppendRequest, ImportedMessage, ImportOperation } from "../../../services/core/contract";
import { newId } from "../../../services/core/ids";
import type { Message } from "../../../services/core/model";
import { ground, message, openStore, person } from "./ground";

const at = "2012-12-14T20:38:43.000Z";

async function room() {
  const store = await openStore();
  const { log, room: id, seen, send } = ground(store, newId(), { throttle: () => 1_000 });
  const take = (...entries: ImportOperation[]): Promise<AppendAnswer[]> =>
    log.append(entries.map(entry => ({ room: id, entry })));
  return { store, id, log, seen, send, take };
}

const imported = (more: Partial<ImportedMessage> = {}): { op: "import"; message: ImportedMessage } => {
  const id = newId();
  return { op: "import", message: { id, sender: newId(), clientId: `c-${id}`, text: "old", createdAt: at, ...more } };
};
const codes = (answers: AppendAnswer[]): unknown[] => answers.map(answer => (answer.ok ? "ok" : answer.error.code));

describe("an imported message", () => {
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
      { op: "importReaction", id: to, by: ann, emoji: "🎉" } as const,
      { op: "importReaction", id: to, by: bob, emoji: "👍" } as const,
      { op: "importReaction", id: to, by: bob, emoji: "🎉" } as const,
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
      { op: "importReaction", id: newId(), by: newId(), emoji: "word" } as const,
    ];
    expect(codes(await take(...bad))).toEqual(bad.map((_, n) => (n === 4 ? "TOO_LARGE" : "INVALID")));
    expect(codes(await take({ op: "importReaction", id: newId(), by: newId(), emoji: "👍" }))).toEqual(["NOT_FOUND"]);
  });
});
