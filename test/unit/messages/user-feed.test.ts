import type { AppendAnswer, AppendRequest } from "../../../services/core/contract";
import { publicError, RookeryError } from "../../../services/core/errors";
import { newId } from "../../../services/core/ids";
import { LIMITS } from "../../../services/core/limits";
import { MemoryRoomBus, type RoomSignal } from "../../../services/core/room-bus";
import type { Rooms } from "../../../services/messages/access";
import type { MessageStore } from "../../../services/messages/message.store";
import { Reading } from "../../../services/messages/reading";
import { FeedTrimmer, MarkNotes, type MarkNote } from "../../../services/messages/user-feed";
import { eventually } from "../../support/eventually";
import { deliveredNote, messageEntries, readAloneNote, readNote, unreadNote } from "./entries";
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
      if (entry.op !== "user") throw new Error("no note");
      return { ...entry.note, changeId: entry.changeId };
    });
    return { answer, written, seqs: written.map(({ data }) => (data as Mark["data"]).seq) };
  };
  return { notes, batches, batch };
}

describe("notes of a user's marks", () => {
  it("one append is under way; what moves meanwhile goes together, of a room only the newest mark", async () => {
    const { notes, batches, batch } = marks();
    const first = notes.write("ann", readNote("r", 1));
    const one = await batch(0);
    const later = [2, 3, 4].map(seq => notes.write("ann", readNote("r", seq)));
    const others = [notes.write("ann", deliveredNote("r", 4)), notes.write("ann", readNote("s", 9))];
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

  it("of a thread only the newest mark goes on, whatever moves in others and in its room", async () => {
    const { notes, batches, batch } = marks();
    const note = (root: number, seq: number): MarkNote => ({
      kind: "thread",
      data: { roomId: "r", threadId: `t-${root}`, root, seq },
    });
    const first = notes.write("ann", note(1, 2));
    const one = await batch(0);
    const later = Array.from({ length: 49 }, (_, n) => [note(1, n + 3), note(2, n + 3), readNote("r", n + 3)]).flat();
    const written = later.map(each => notes.write("ann", each));
    one.answer(OK);
    await first;
    const two = await batch(1);
    expect(two.written).toMatchObject([note(1, 51), note(2, 51), readNote("r", 51)]);
    two.answer(OK);
    await Promise.all(written);
    expect(batches).toHaveLength(2);
  });

  it("reading all clears whatever a room shows: mentions or threads alone, too", async () => {
    const rows = [{ unread: 1 }, { mentions: 1 }, { threads: 1 }, { unreadFrom: 1 }, {}].map((more, at) => ({
      ...{ room: `r-${at}`, unread: 0, mentions: 0, lastSeq: 3, readSeq: 3 },
      ...more,
    }));
    const store = { unread: async () => rows } as unknown as MessageStore;
    const { notes, batch } = marks();
    const rooms = { memberships: async () => [], blocked: async () => [] } as unknown as Rooms;
    const read = new Reading(store, notes, new MemoryRoomBus(), LIMITS).readAll(rooms, "ann");
    const { written, answer } = await batch(0);
    const all = [0, 1, 2, 3].map(at => ({ roomId: `r-${at}`, seq: 3 }));
    expect(written).toMatchObject([{ kind: "readAll", data: { marks: all } }]);
    answer(OK);
    await read;
  });

  it("is answered only when the note, or a later one, is stored", async () => {
    const { notes, batch } = marks();
    let done = 0;
    void notes.write("ann", readNote("r", 7)).then(() => done++);
    const one = await batch(0);
    // An older mark whose call came late says nothing new, but waits like the newer.
    void notes.write("ann", readNote("r", 5)).then(() => done++);
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
      const refused = notes.write("ann", readNote("r", 1));
      const one = await batch(2 * n);
      const newer = notes.write("ann", readNote("r", 2));
      one.answer(answer);
      await expect(refused).rejects.toMatchObject({ type });
      const two = await batch(2 * n + 1);
      expect(two.seqs).toEqual([2]);
      two.answer(OK);
      await newer;
    }
  });

  it("what was marked as unread keeps its place among what is read: nothing joins what came before it", async () => {
    const { notes, batches, batch } = marks();
    const first = notes.write("ann", readNote("r", 9));
    const one = await batch(0);
    // It knows of what was marked as unread elsewhere, so the one under way does not do.
    const ending = notes.write("ann", readNote("r", 5), { ends: true });
    const later = [unreadNote("r", 3, 9), readNote("s", 1), readNote("r", 4), readAloneNote("r", 8), readNote("r", 7)];
    const all: MarkNote = { kind: "readAll", data: { marks: [] } };
    const written = [...later, unreadNote("r", 2, 9), all, unreadNote("r", 1, 9), readNote("s", 1)].map(note =>
      notes.write("ann", note),
    );
    one.answer(OK);
    await first;
    const two = await batch(1);
    two.answer(OK);
    await Promise.all([ending, ...written]);
    const told = batches[1]?.requests.map(({ entry }) => entry.op === "user" && entry.note);
    expect(told?.map(note => note && `${note.kind} ${JSON.stringify(Object.values(note.data))}`)).toEqual([
      'read ["r",5]',
      'unread ["r",3,9]',
      'read ["s",1]',
      'read ["r",4]',
      'read ["r",8,true]',
      'read ["r",7]',
      'unread ["r",2,9]',
      "readAll [[]]",
      'unread ["r",1,9]',
      'read ["s",1]',
    ]);
  });

  it("others are told once of what is stored: of a burst of 500 marks of a room, by two", async () => {
    const { notes, batches, batch } = marks();
    const told: number[] = [];
    const write = (seq: number) => notes.write("ann", readNote("r", seq), { told: () => void told.push(seq) });
    const first = write(1);
    const one = await batch(0);
    const burst = Array.from({ length: 499 }, (_, n) => write(n + 2));
    expect(told).toEqual([]);
    one.answer(OK);
    (await batch(1)).answer(OK);
    await Promise.all([first, ...burst]);
    expect([told, batches.length]).toEqual([[1, 500], 2]);
  });

  it("users do not wait for each other, and beyond 10,000 of them a note is UNAVAILABLE", async () => {
    const { notes, batches } = marks();
    const written = Array.from({ length: 10_000 }, (_, n) => notes.write(`u-${n}`, readNote("r", 1)));
    await expect(notes.write("one more", readNote("r", 1))).rejects.toMatchObject({ type: "UNAVAILABLE" });
    await eventually("all are under way", () => batches.length === 10_000);
    for (const { answer } of batches) answer(OK);
    await Promise.all(written);
    const last = notes.write("one more", readNote("r", 1));
    await eventually("it is under way", () => batches.length === 10_001);
    batches.at(-1)?.answer(OK);
    await last;
  });
});

describe.each(stores)("a mark and its note on %s", (_name, open) => {
  const opened = once(open);

  it("are stored together: what was not told has not moved, and moves with its note when it is asked for again", async () => {
    const { store } = await opened();
    const [room, user] = [newId(), newId()];
    const { log } = ground(store, user);
    await store.append(room, messageEntries(2));
    const rooms = { access: async () => ({ room, role: "member" as const, visibleFrom: 0 }) } as unknown as Rooms;
    let dead = true;
    const notes = new MarkNotes(async requests => (dead ? requests.map(() => DOUBT) : log.append(requests)));
    const bus = new MemoryRoomBus();
    const signals: RoomSignal[] = [];
    await bus.subscribe(room, packet => void (packet.type === "signal" && signals.push(packet.signal)));
    const reading = new Reading(store, notes, bus, LIMITS);
    const noted = async () =>
      (await store.events(user, 0, 100, 1e6)).map(({ data }) => (JSON.parse(data) as Mark).data.seq);
    await expect(reading.read(rooms, user, room, 2)).rejects.toMatchObject({ type: "UNKNOWN_OUTCOME" });
    expect(await store.markOf(room, user)).toMatchObject({ read: 0, delivered: 0 });
    expect(signals).toEqual([]);
    dead = false;
    await reading.read(rooms, user, room, 9);
    expect(await store.markOf(room, user)).toEqual({ read: 2, delivered: 2, private: 0, again: 0 });
    expect(await noted()).toEqual([2]);
    expect(signals).toEqual([{ type: "read", user, seq: 2 }]);
    // Nor is anything told that is not new.
    await reading.read(rooms, user, room, 1);
    await reading.read(rooms, user, room, 2, true);
    await reading.delivered(rooms, user, room, 2);
    expect(await noted()).toEqual([2]);
    // But for what ends what was marked as unread: his devices learn it, and others nothing.
    await reading.unreadFrom(rooms, user, room, 1);
    await reading.unreadFrom(rooms, user, room, 1);
    await reading.read(rooms, user, room, 1);
    expect(await noted()).toEqual([2, 1, 1]);
    expect(await store.markOf(room, user)).toMatchObject({ read: 2, again: 0 });
    expect(signals).toHaveLength(1);
    for (const seq of [3, LIMITS.markUnread + 3])
      await expect(reading.unreadFrom(rooms, user, room, seq)).rejects.toMatchObject({ type: "INVALID" });
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
