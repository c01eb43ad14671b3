import type { AppendAnswer, AppendRequest } from "../../../services/core/contract";
import { publicError, RookeryError } from "../../../services/core/errors";
import { newId } from "../../../services/core/ids";
import { LIMITS } from "../../../services/core/limits";
import { MemoryRoomBus } from "../../../services/core/room-bus";
import type { MessageStore } from "../../../services/messages/message.store";
import { Messages } from "../../../services/messages/messages";
import { FeedTrimmer, MarkNotes } from "../../../services/messages/user-feed";
import { eventually } from "../../support/eventually";
import { messageEntries } from "./entries";
import { ground } from "./ground";
import { once, stores } from "./stores";

interface Mark {
  kind: string;
  data: { roomId: string; seq: number };
}

const OK: AppendAnswer = { ok: true, offset: 1, seq: 0, data: "null" };
const AWAY: AppendAnswer = { ok: false, error: publicError(new RookeryError("UNAVAILABLE")) };
const DOUBT: AppendAnswer = { ok: false, error: publicError(new RookeryError("UNKNOWN_OUTCOME")) };

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
    const first = notes.write("ann", "read", "r", 1);
    const one = await batch(0);
    const later = [2, 3, 4].map(seq => notes.write("ann", "read", "r", seq));
    const others = [notes.write("ann", "delivered", "r", 4), notes.write("ann", "read", "s", 9)];
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

  it("is answered only when the note, or a later one, is stored", async () => {
    const { notes, batch } = marks();
    let done = 0;
    void notes.write("ann", "read", "r", 7).then(() => done++);
    const one = await batch(0);
    // An older mark whose call came late says nothing new, but waits like the newer.
    void notes.write("ann", "read", "r", 5).then(() => done++);
    await new Promise(setImmediate);
    expect(done).toBe(0);
    one.answer(OK);
    await eventually("all are answered", () => done === 2);
    expect(one.seqs).toEqual([7]);
  });

  it("what could not be written is UNAVAILABLE to who asked only where it surely is not; others of the user go on", async () => {
    const { notes, batch } = marks();
    for (const [n, [answer, type]] of (
      [
        [AWAY, "UNAVAILABLE"],
        [DOUBT, "UNKNOWN_OUTCOME"],
      ] as const
    ).entries()) {
      const refused = notes.write("ann", "read", "r", 1);
      const one = await batch(2 * n);
      const newer = notes.write("ann", "read", "r", 2);
      one.answer(answer);
      await expect(refused).rejects.toMatchObject({ type });
      const two = await batch(2 * n + 1);
      expect(two.seqs).toEqual([2]);
      two.answer(OK);
      await newer;
    }
  });

  it("users do not wait for each other, and beyond 10,000 of them a note is UNAVAILABLE", async () => {
    const { notes, batches } = marks();
    const written = Array.from({ length: 10_000 }, (_, n) => notes.write(`u-${n}`, "read", "r", 1));
    await expect(notes.write("one more", "read", "r", 1)).rejects.toMatchObject({ type: "UNAVAILABLE" });
    await eventually("all are under way", () => batches.length === 10_000);
    for (const { answer } of batches) answer(OK);
    await Promise.all(written);
    const last = notes.write("one more", "read", "r", 1);
    await eventually("it is under way", () => batches.length === 10_001);
    batches.at(-1)?.answer(OK);
    await last;
  });
});

describe.each(stores)("a mark and its note on %s", (_name, open) => {
  const opened = once(open);

  it("whoever dies between the two leaves a mark that moves, with its note, when it is asked for again", async () => {
    const { store } = await opened();
    const [room, user] = [newId(), newId()];
    const { log } = ground(store, user);
    await store.append(room, messageEntries(2));
    const access = { room, role: "member" as const, visibleFrom: 0 };
    const rooms = { access: async () => access, memberIds: async () => [user], memberships: async () => [] };
    let dead = "";
    const steps: string[] = [];
    const step = (name: string): void => {
      steps.push(name);
      if (dead === name) throw new Error("dead");
    };
    const dying = Object.create(store, {
      mark: {
        value: async (...args: Parameters<MessageStore["mark"]>) => {
          step("mark");
          return store.mark(...args);
        },
      },
    }) as MessageStore;
    const notes = new MarkNotes(async requests => {
      if (dead === "note") return requests.map(() => DOUBT);
      const answers = await log.append(requests);
      steps.push("note");
      return answers;
    });
    const messages = new Messages(dying, log, notes, new MemoryRoomBus(), LIMITS);
    const noted = async () =>
      (await store.events(user, 0, 100, 1e6)).map(({ data }) => (JSON.parse(data) as Mark).data.seq);
    for (dead of ["note", "mark"])
      await expect(messages.mark(rooms, user, room, "read", 2)).rejects.toMatchObject({ type: "UNKNOWN_OUTCOME" });
    expect(await store.markOf(room, user)).toEqual({ read: 0, delivered: 0 });
    dead = "";
    await messages.mark(rooms, user, room, "read", 2);
    expect(await store.markOf(room, user)).toEqual({ read: 2, delivered: 2 });
    // Told again is harmless, not told is not.
    expect(await noted()).toEqual([2, 2]);
    expect(steps).toEqual(["note", "mark", "note", "mark"]);
    // Nor is anything told that is not new.
    await messages.mark(rooms, user, room, "read", 1);
    await messages.mark(rooms, user, room, "delivered", 2);
    expect(await noted()).toEqual([2, 2]);
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
