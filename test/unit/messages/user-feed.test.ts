import type { AppendAnswer, AppendRequest } from "../../../services/core/contract";
import { publicError, RookeryError } from "../../../services/core/errors";
import { newId } from "../../../services/core/ids";
import { FeedTrimmer, MarkNotes } from "../../../services/messages/user-feed";
import { eventually } from "../../support/eventually";
import { ground } from "./ground";
import { once, stores } from "./stores";

interface Mark {
  kind: string;
  data: { roomId: string; seq: number };
}

const OK: AppendAnswer = { ok: true, offset: 1, seq: 0, data: "null" };
const AWAY: AppendAnswer = { ok: false, error: publicError(new RookeryError("UNAVAILABLE")) };

/** Notes of marks over a log that answers when it is told to. */
function marks() {
  const batches: { requests: AppendRequest[]; answer: (answer: AppendAnswer) => void }[] = [];
  const notes = new MarkNotes(
    requests =>
      new Promise(resolve => batches.push({ requests, answer: answer => resolve(requests.map(() => answer)) })),
  );
  const batch = async (at: number) => {
    await eventually(`append ${at}`, () => batches.length > at);
    const { requests, answer } = batches[at] as (typeof batches)[0];
    const written = requests.map(({ entry }) => {
      if (entry.op !== "user" || entry.note.kind === "member") throw new Error("no mark");
      return { ...entry.note, changeId: entry.changeId };
    });
    return { answer, written, seqs: written.map(({ data }) => data.seq) };
  };
  return { notes, batches, batch };
}

describe("notes of a user's marks", () => {
  it("one append is under way; what moves meanwhile goes together, of a room only the newest mark", async () => {
    const { notes, batches, batch } = marks();
    const first = notes.moved("ann", "read", "r", 1);
    const one = await batch(0);
    const later = [2, 3, 4].map(seq => notes.moved("ann", "read", "r", seq));
    const others = [notes.moved("ann", "delivered", "r", 4), notes.moved("ann", "read", "s", 9)];
    expect(batches).toHaveLength(1);
    one.answer(OK);
    await first;
    const two = await batch(1);
    expect(two.written).toMatchObject([
      { kind: "read", data: { roomId: "r", seq: 4 } },
      { kind: "delivered", data: { roomId: "r", seq: 4 } },
      { kind: "read", data: { roomId: "s", seq: 9 } },
    ]);
    two.answer(OK);
    await Promise.all([...later, ...others]);
    expect(batches).toHaveLength(2);
  });

  it("a mark is answered only when its note, or a later one, is stored", async () => {
    const { notes, batch } = marks();
    let done = 0;
    void notes.moved("ann", "read", "r", 7).then(() => done++);
    const one = await batch(0);
    // An older mark whose call came late says nothing new, but waits like the newer.
    void notes.moved("ann", "read", "r", 5).then(() => done++);
    void notes.settled("ann", "read", "r").then(() => done++);
    await notes.settled("ann", "read", "other");
    await new Promise(setImmediate);
    expect(done).toBe(0);
    one.answer(OK);
    await eventually("all are answered", () => done === 3);
    expect(one.seqs).toEqual([7]);
  });

  it("what could not be written is UNKNOWN_OUTCOME to who asked, and is written again under the same id", async () => {
    const { notes, batch } = marks();
    const refused = notes.moved("ann", "read", "r", 1);
    const one = await batch(0);
    one.answer(AWAY);
    await expect(refused).rejects.toMatchObject({ type: "UNKNOWN_OUTCOME" });
    const again = notes.settled("ann", "read", "r");
    const two = await batch(1);
    expect(two.written).toEqual(one.written);
    two.answer(OK);
    await again;
    await notes.settled("ann", "read", "r");
  });

  it("a newer mark takes the place of one that could not be written", async () => {
    const { notes, batch } = marks();
    const refused = notes.moved("ann", "read", "r", 1);
    const one = await batch(0);
    const newer = notes.moved("ann", "read", "r", 2);
    one.answer(AWAY);
    await expect(refused).rejects.toThrow();
    const two = await batch(1);
    expect(two.seqs).toEqual([2]);
    two.answer(OK);
    await newer;
  });

  it("users do not wait for each other, and beyond 10,000 of them a mark is UNAVAILABLE before it moves", async () => {
    const { notes, batches } = marks();
    const moved = Array.from({ length: 10_000 }, (_, n) => notes.moved(`u-${n}`, "read", "r", 1));
    expect(() => notes.check()).toThrow(expect.objectContaining({ type: "UNAVAILABLE" }));
    await eventually("all are under way", () => batches.length === 10_000);
    for (const { answer } of batches) answer(OK);
    await Promise.all(moved);
    notes.check();
  });
});

describe.each(stores)("the length of a user's feed on %s", (_name, open) => {
  const opened = once(open);

  it("stays between 1,000 notes and a few more, the newest; numbers go on", async () => {
    const { store } = await opened();
    const user = newId();
    const { log } = ground(store, user);
    const failed: unknown[] = [];
    const trimmer = new FeedTrimmer(store, error => failed.push(error));
    const request = (seq: number): AppendRequest => ({
      room: user,
      entry: { op: "user", changeId: newId(), note: { kind: "read", data: { roomId: "r", seq } } },
    });
    for (let n = 0; n < 10; n++) {
      const requests = Array.from({ length: 250 }, (_, at) => request(n * 250 + at + 1));
      const answers = await log.append(requests);
      expect(answers.filter(({ ok }) => ok)).toHaveLength(250);
      trimmer.appended(requests, answers);
    }
    await eventually(
      "the oldest have left",
      async () => (await store.heads([user])).get(user)?.floor,
      f => f === 1_501,
    );
    expect((await store.heads([user])).get(user)).toMatchObject({ offset: 2_500, floor: 1_501 });
    const kept = await store.events(user, 1_500, 2_000, 1e7);
    expect(kept.map(({ offset }) => offset)).toEqual(Array.from({ length: 1_000 }, (_, at) => 1_501 + at));
    expect((JSON.parse(kept[0]?.data as string) as Mark).data.seq).toBe(1_501);
    const [next] = await log.append([request(1)]);
    expect(next).toMatchObject({ ok: true, offset: 2_501 });
    expect(failed).toEqual([]);
  });

  it("a note has one effect, whoever repeats it", async () => {
    const { store } = await opened();
    const user = newId();
    const { log, seen } = ground(store, user);
    const request: AppendRequest = {
      room: user,
      entry: { op: "user", changeId: newId(), note: { kind: "member", data: { roomId: "r", change: "leave" } } },
    };
    const [first] = await log.append([request]);
    const again = await ground(store, user).log.append([request, request]);
    expect(first).toMatchObject({ ok: true, offset: 1, seq: 0 });
    for (const answer of again) expect(answer).toMatchObject({ ok: true, offset: 1, duplicate: true });
    expect(seen).toMatchObject([
      { offset: 1, kind: "user", data: JSON.stringify({ kind: "member", data: { roomId: "r", change: "leave" } }) },
    ]);
  });
});
