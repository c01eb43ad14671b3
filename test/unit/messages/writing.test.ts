import type { AppendAnswer, RoomAccess } from "../../../services/core/contract";
import { systemClock } from "../../../services/core/clock";
import { StorageError } from "../../../mixins/storage-errors";
import { RookeryError } from "../../../services/core/errors";
import { newId } from "../../../services/core/ids";
import type { Message } from "../../../services/core/model";
import { MemoryRoomBus, type RoomHead } from "../../../services/core/room-bus";
import type { Entry, MessageStore } from "../../../services/messages/message.store";
import type { WriterDependencies } from "../../../services/messages/room-writer";
import { eventually } from "../../support/eventually";
import { codeOf, ground, message, person } from "./ground";
import { faulty, once, stores } from "./stores";

/** The log's writing side as the design states it, sentence by sentence; README.md beside this file says where the rest is. */
describe.each(stores)("design 4, on %s", (_name, open) => {
  const opened = once(open);
  const openStore = async () => faulty((await opened()).store);
  const offsetOf = (answer: AppendAnswer | undefined) => (answer?.ok ? answer.offset : answer?.error.code);

  describe("design 4, Writing", () => {
    it("group commit: while one batch is being written the next collects", async () => {
      const { store, batches, held } = gated(await openStore());
      const { send } = ground(store);
      const user = person();
      const first = send(user, "first");
      await eventually("it is being written", () => held.length === 1);
      const others = Array.from({ length: 20 }, (_, n) => send(user, `${n}`));
      held.forEach(release => release());
      await eventually("the next is being written", () => held.length === 2);
      held.forEach(release => release());
      expect((await Promise.all([first, ...others])).map(offsetOf)).toEqual(
        Array.from({ length: 21 }, (_, n) => n + 1),
      );
      expect(batches.map(({ length }) => length)).toEqual([1, 20]);
    });

    it("group commit: what comes while the store is busy with other rooms joins the batch, but for what has waited too long", async () => {
      const { store, batches } = gated(await openStore(), "no room");
      const turns: (() => void)[] = [];
      store.turn = () => new Promise(resolve => turns.push(resolve));
      const time = { now: 0 };
      const { send, log } = ground(store, newId(), { clock: { now: () => Date.now(), monotonic: () => time.now } });
      const user = person();
      const late = send(user, "waits too long");
      await eventually("it waits for its turn", () => turns.length === 1);
      time.now = 4_800;
      expect(codeOf(await late)).toBe("UNAVAILABLE");
      const sent = [send(user, "one")];
      await new Promise(resolve => setImmediate(resolve));
      sent.push(send(user, "two"));
      turns.shift()?.();
      expect((await Promise.all(sent)).map(offsetOf)).toEqual([1, 2]);
      expect(batches.map(({ length }) => length)).toEqual([2]);
      expect(turns).toEqual([]);
      const last = send(user, "once more");
      time.now = 9_600;
      expect(codeOf(await last)).toBe("UNAVAILABLE");
      turns.shift()?.();
      await eventually("nothing is left", () => log.quiet);
      expect(batches).toHaveLength(1);
    });

    it("group commit: no timer on an idle room", async () => {
      const { send } = ground(await openStore());
      const user = person();
      message(await send(user, "the store is at work"));
      jest.useFakeTimers({
        doNotFake: ["setImmediate", "clearImmediate", "nextTick", "queueMicrotask", "performance", "hrtime", "Date"],
      });
      try {
        expect(message(await send(user, "alone")).offset).toBe(2);
      } finally {
        jest.useRealTimers();
      }
    });

    it("on any duplicate the writer answers what is already stored, then renumbers and re-encodes the tail", async () => {
      const store = await openStore();
      const { send, log, room } = ground(store);
      const user = person();
      const first = message(await send(user, "first", { clientId: "c1" }));
      const requests = ["new 1", "first", "new 2"].map((text, n) => ({
        room,
        user,
        entry: { op: "send" as const, text, clientId: `c${n === 1 ? 1 : text}`.replace(" ", "-") },
      }));
      const answers = await log.append(requests);
      expect(answers.map(offsetOf)).toEqual([2, 1, 3]);
      expect(answers[1]).toMatchObject({ duplicate: true, data: JSON.stringify(first) });
      expect(message(answers[2] as AppendAnswer)).toMatchObject({ offset: 3, seq: 3 });
      const last = (await store.window(room, { limit: 1, visibleFrom: 0 }))[0];
      expect(JSON.parse(last?.data as string)).toMatchObject({ text: "new 2", offset: 3, seq: 3 });
    });

    it("on any duplicate the writer checks the rest again against the new state: every decision holds at the offset it got", async () => {
      const store = await openStore();
      const one = ground(store);
      const other = ground(faulty(await (await opened()).beside()), one.room);
      const user = person();
      const [kept, gone] = [message(await one.send(user, "kept")), message(await one.send(user, "gone"))];
      const append = store.append.bind(store);
      // What the other writes stands in the log after all was decided here, and before it is stored.
      store.append = async (id, entries) => {
        if (entries.length === 1) return append(id, entries);
        store.append = append;
        message(await other.op(user, { op: "delete", id: gone.id }));
        message(await other.op(user, { op: "react", id: kept.id, emoji: "👍", on: true }));
        return append(id, entries);
      };
      const { room } = one;
      // While the first is written the others collect.
      const [, ...answers] = await one.log.append([
        { room, user, entry: { op: "send", text: "alone" } },
        { room, user, entry: { op: "send", text: "new" } },
        { room, user, entry: { op: "edit", id: gone.id, text: "too late" } },
        { room, user, entry: { op: "react", id: kept.id, emoji: "👍", on: true } },
        { room, user, entry: { op: "edit", id: kept.id, text: "edited" } },
      ]);
      expect(answers.map(codeOf)).toEqual(["ok", "CONFLICT", "ok", "ok"]);
      expect([offsetOf(answers[0]), offsetOf(answers[3])]).toEqual([6, 7]);
      // The reaction is the other's: there is no second entry of it, and the edit has not lost it.
      const { text, reactions } = message(answers[3] as AppendAnswer);
      expect([text, reactions]).toEqual(["edited", [{ emoji: "👍", count: 1, users: [user.id] }]]);
      expect((await one.log.append([{ room, user, entry: { op: "send", text: "last" } }])).map(offsetOf)).toEqual([8]);
    });

    it("an unknown write is resolved only by writing the same entries again under the same offsets", async () => {
      const store = await openStore();
      const attempts: (readonly Entry[])[] = [];
      const late: (() => Promise<unknown>)[] = [];
      const append = store.append.bind(store);
      store.append = async (room, entries) => {
        attempts.push(structuredClone(entries));
        if (attempts.length === 2) late.push(() => append(room, entries));
        if (attempts.length === 2) throw Object.assign(new RookeryError("UNKNOWN_OUTCOME"), { outcome: "unknown" });
        return append(room, entries);
      };
      const { send, room } = ground(store);
      const user = person();
      message(await send(user, "before"));
      expect(codeOf(await send(user, "doubt", { clientId: "c1" }))).toBe("UNKNOWN_OUTCOME");
      await eventually("it is written again", () => attempts.length === 3);
      expect(attempts[2]).toEqual(attempts[1]);
      // Finding nothing proves nothing: the first attempt may still arrive.
      await late[0]?.();
      const settled = await eventually(
        "it is settled",
        () => send(user, "doubt", { clientId: "c1" }),
        answer => answer.ok,
      );
      expect(settled).toMatchObject({ offset: 2, duplicate: true });
      expect((await store.heads([room])).get(room)).toEqual({ offset: 2, seq: 2, floor: 1 });
    });

    it("until its offset is taken by another entry an unknown write's senders get UNKNOWN_OUTCOME and the room takes nothing new", async () => {
      const store = await openStore();
      const beside = await (await opened()).beside();
      const { send, room } = ground(store);
      const other = ground(beside, room);
      const user = person();
      message(await send(user, "before"));
      store.faults.push("unknown-not-stored", "failed", "unknown-not-stored");
      expect(codeOf(await send(user, "doubt", { clientId: "c1" }))).toBe("UNKNOWN_OUTCOME");
      const meanwhile = [await send(user, "doubt", { clientId: "c1" }), await send(user, "new", { clientId: "c2" })];
      expect(meanwhile.map(codeOf)).toEqual(["UNKNOWN_OUTCOME", "UNAVAILABLE"]);
      expect(store.faults.length).toBeGreaterThan(0);
      expect(message(await other.send(user, "theirs")).offset).toBe(2);
      const settled = await eventually(
        "it is settled",
        () => send(user, "doubt", { clientId: "c1" }),
        answer => answer.ok,
        10_000,
      );
      expect(offsetOf(settled)).toBe(3);
      expect(message(await send(user, "new", { clientId: "c2" })).offset).toBe(4);
      // Nothing stands where it was not decided to stand.
      const events = await store.events(room, 0, 10, 10_000);
      expect(events.map(({ data }) => (JSON.parse(data) as Message).offset)).toEqual([1, 2, 3, 4]);
    });

    it("an unknown write is not resolved by finding nothing: what refuses it may not be shown yet", async () => {
      const store = await openStore();
      const user = person();
      let [attempts, shown] = [0, true];
      const hiding: MessageStore = Object.create(store);
      hiding.append = async (room, entries) => {
        if (++attempts !== 2) return store.append(room, entries);
        await store.append(room, entries);
        shown = false;
        throw Object.assign(new RookeryError("UNKNOWN_OUTCOME"), { outcome: "unknown" });
      };
      hiding.takeOver = async (room, known) => {
        const takeover = await store.takeOver(room, known);
        return shown ? takeover : { head: { offset: 1, seq: 1 }, missed: null };
      };
      hiding.repeats = async (room, keys) => (shown ? store.repeats(room, keys) : []);
      const { send } = ground(hiding);
      message(await send(user, "before"));
      expect(codeOf(await send(user, "doubt", { clientId: "c1" }))).toBe("UNKNOWN_OUTCOME");
      await eventually("it is written again, and again", () => attempts >= 4);
      expect(codeOf(await send(user, "doubt", { clientId: "c1" }))).toBe("UNKNOWN_OUTCOME");
      shown = true;
      const settled = await eventually(
        "it is settled",
        () => send(user, "doubt", { clientId: "c1" }),
        answer => answer.ok,
      );
      expect(settled).toMatchObject({ offset: 2, duplicate: true });
    });

    it("what waits while a write becomes unknown is new, too: the room does not take it, it is surely not stored", async () => {
      const store = await openStore();
      const user = person();
      const attempts: string[][] = [];
      let lose = (): void => undefined;
      const lost = new Promise<void>(resolve => (lose = resolve));
      const append = store.append.bind(store);
      store.append = async (room, entries) => {
        attempts.push(entries.map(({ data }) => (JSON.parse(data as string) as Message).text));
        if (attempts.length > 1) return append(room, entries);
        await lost;
        throw Object.assign(new RookeryError("UNKNOWN_OUTCOME"), { outcome: "unknown" });
      };
      const { send, log } = ground(store);
      const first = send(user, "doubt");
      await eventually("it is being written", () => attempts.length === 1);
      const waiting = send(user, "waits");
      lose();
      expect(codeOf(await first)).toBe("UNKNOWN_OUTCOME");
      expect([codeOf(await send(user, "new")), codeOf(await waiting)]).toEqual(["UNAVAILABLE", "UNAVAILABLE"]);
      await eventually("the doubt is settled", () => log.quiet, Boolean, 15_000);
      expect(attempts).toEqual([["doubt"], ["doubt"]]);
    });

    it.each<[string, Partial<WriterDependencies>, string]>([
      ["membership", { access: access({ denied: "NOT_FOUND", role: null }) }, "NOT_FOUND"],
      ["a ban", { access: access({ denied: "FORBIDDEN", role: null }) }, "FORBIDDEN"],
      ["having left a public room", { access: access({ role: null }) }, "FORBIDDEN"],
      ["rooms that cannot be asked", { access: refusing("UNAVAILABLE") }, "UNAVAILABLE"],
      ["the rate", { throttle: () => 500 }, "RATE_LIMITED"],
      ["its files", { attach: refusing("INVALID") }, "INVALID"],
    ])("the clientId is looked up before every check that can change: %s", async (_what, refusal, code) => {
      const store = await openStore();
      const user = person();
      const attachments = [newId()];
      const before = ground(store, newId(), { attach: async () => [] });
      const { id } = message(await before.send(user, "hello", { clientId: "c1", attachments }));
      const after = ground(store, before.room, { attach: async () => [], ...refusal });
      expect(await after.send(user, "hello", { clientId: "c1", attachments })).toMatchObject({
        ok: true,
        duplicate: true,
      });
      expect(message(await after.send(user, "hello", { clientId: "c1", attachments })).id).toBe(id);
      expect(codeOf(await after.send(user, "hello", { clientId: "c2", attachments }))).toBe(code);
    });

    it("content is compared by a hash of what was first sent, kept through edit and delete", async () => {
      const { send, op } = ground(await openStore());
      const user = person();
      const { id } = message(await send(user, "one", { clientId: "c1" }));
      message(await op(user, { op: "edit", id, text: "two" }));
      expect((await send(user, "one", { clientId: "c1" })).ok).toBe(true);
      message(await op(user, { op: "delete", id }));
      expect(message(await send(user, "one", { clientId: "c1" }))).toMatchObject({ id, text: "" });
      for (const text of ["two", ""])
        expect(codeOf(await send(user, text || "x", { clientId: "c1" }))).toBe("CONFLICT");
    });

    it("message state is derived before publish and ack", async () => {
      const bus = new MemoryRoomBus();
      const store = await openStore();
      const { send, op, room } = ground(store, newId(), { bus });
      const user = person();
      const { id } = message(await send(user, "old"));
      const shown: Promise<string>[] = [];
      const now = async () => (JSON.parse((await store.byIds([id]))[0]?.data ?? "{}") as Message).text;
      await bus.subscribe(room, packet => packet.type === "events" && shown.push(now()));
      message(await op(user, { op: "edit", id, text: "new" }));
      expect(await Promise.all(shown)).toEqual(["new"]);
    });

    describe("what is asked for already by an entry of the same batch", () => {
      /** A batch under way: a message is deleted, deleted again, and another is deleted. */
      async function batch() {
        const plain = await openStore();
        const { store, batches, held } = gated(plain);
        const { send, log, room } = ground(store);
        const user = person();
        const release = async (): Promise<void> => {
          await eventually("it is under way", () => held.length > 0);
          held.shift()?.();
        };
        const stored = async (text: string): Promise<Message> => {
          const [answer] = await Promise.all([send(user, text), release()]);
          return message(answer);
        };
        const [first, second] = [await stored("first"), await stored("second")];
        // What is asked while this is written makes one batch.
        const busy = send(user, "third");
        await eventually("it is under way", () => held.length > 0);
        const answers: string[] = [];
        const asked = [first, first, second].map(({ id }) =>
          log.append([{ room, user, entry: { op: "delete", id } }]).then(all => answers.push(...all.map(codeOf))),
        );
        await release();
        await busy;
        await eventually("it is under way", () => held.length > 0);
        return { plain, held, answers, batches, asked: Promise.all(asked) };
      }

      it("is answered when that is stored, not before", async () => {
        const { held, answers, asked, batches } = await batch();
        await new Promise(resolve => setImmediate(resolve));
        expect(answers).toEqual([]);
        held.shift()?.();
        await asked;
        expect(answers).toEqual(["ok", "ok", "ok"]);
        expect(batches.at(-1)).toHaveLength(2);
      });

      it.each([
        ["unknown", "UNKNOWN_OUTCOME"],
        ["failed", "UNAVAILABLE"],
      ] as const)("is %s with it", async (outcome, code) => {
        const { plain, held, answers, asked } = await batch();
        plain.append = () => Promise.reject(new StorageError(outcome, "away"));
        held.shift()?.();
        await asked;
        expect(answers).toEqual([code, code, code]);
      });
    });

    it("append takes at most 256 entries and 256 KiB", async () => {
      const { store, batches, held } = gated(await openStore());
      held.push = release => (release(), 0);
      const { log, room } = ground(store);
      const user = person();
      const sends = (count: number, text: string) =>
        log.append(Array.from({ length: count }, () => ({ room, user, entry: { op: "send" as const, text } })));
      const many = (await sends(258, "x")).map(codeOf);
      expect([many.slice(0, 256), many.slice(256)]).toEqual([Array(256).fill("ok"), ["UNAVAILABLE", "UNAVAILABLE"]]);
      // Three bytes a character.
      const large = (await sends(30, "€".repeat(4_000))).map(codeOf);
      expect([large.slice(0, 21), large.slice(21)]).toEqual([Array(21).fill("ok"), Array(9).fill("UNAVAILABLE")]);
      const [full, over] = ["x".repeat(4_000), 256 * 1024 - 65 * 4_000];
      const edge = (length: number) =>
        log.append(
          [...Array<string>(65).fill(full), "x".repeat(length)].map(text => ({
            room,
            user,
            entry: { op: "send", text },
          })),
        );
      expect([
        codeOf((await edge(over))[65] as AppendAnswer),
        codeOf((await edge(over + 1))[65] as AppendAnswer),
      ]).toEqual(["ok", "UNAVAILABLE"]);
      await Promise.all([sends(200, "x"), sends(200, "y"), sends(20, "€".repeat(4_000)), sends(20, "€".repeat(4_000))]);
      for (const batch of batches) {
        expect(batch.length).toBeLessThanOrEqual(256);
        const texts = batch.map(({ data }) => (JSON.parse(data as string) as Message).text);
        expect(Buffer.byteLength(texts.join(""))).toBeLessThanOrEqual(256 * 1024);
      }
    });

    it("no room waits for another", async () => {
      const busy = newId();
      const { store, held } = gated(await openStore(), busy);
      const stuck = ground(store, busy);
      const user = person();
      const waiting = stuck.send(user, "waits");
      await eventually("one room is being written", () => held.length === 1);
      const requests = [busy, newId(), newId()].map(room => ({
        room,
        user,
        entry: { op: "send" as const, text: "x" },
      }));
      const others = requests.slice(1).map(request => stuck.log.append([request]));
      expect((await Promise.all(others)).flat().map(offsetOf)).toEqual([1, 1]);
      held.push = release => (release(), 0);
      held.forEach(release => release());
      expect(offsetOf(await waiting)).toBe(1);
    });

    it("one bad entry fails alone", async () => {
      const { log, room, seen } = ground(await openStore(), newId(), {
        attach: (_owner, _room, [id]) =>
          id === "bad" ? Promise.reject(new RookeryError("INVALID")) : Promise.resolve([]),
      });
      const user = person();
      const entries = [
        { op: "send", text: "1" },
        { op: "send", text: "x".repeat(5_000) },
        { op: "send", text: "", attachments: ["bad"] },
        { op: "edit", id: newId(), text: "of nothing" },
        { op: "send", text: "\ud800" },
        { op: "send", text: "x", clientId: "a\0b" },
        { op: "send", text: "2" },
      ] as const;
      const answers = await log.append(entries.map(entry => ({ room, user, entry: entry as never })));
      expect(answers.map(codeOf)).toEqual(["ok", "INVALID", "INVALID", "NOT_FOUND", "INVALID", "INVALID", "ok"]);
      expect(seen.map(({ offset }) => offset)).toEqual([1, 2]);
    });

    it("a bounded number waits for a room, and for all: what is beyond is surely not stored", async () => {
      const { store, held: writing } = gated(await openStore());
      // Nothing expires, and is refused for that.
      const held = ground(store, newId(), { clock: { now: () => Date.now(), monotonic: () => 0 } });
      const user = person();
      const answers: AppendAnswer[] = [];
      const send = (room: string) =>
        void held.log.append([{ room, user, entry: { op: "send", text: "x" } }]).then(all => answers.push(...all));
      const begun = newId();
      send(begun);
      await eventually("the first is begun", () => writing.length === 1);
      for (let n = 0; n < 4_096; n++) send(begun);
      expect(answers).toEqual([]);
      send(begun);
      await eventually("one is too much", () => answers.length === 1);
      expect(codeOf(answers[0] as AppendAnswer)).toBe("UNAVAILABLE");
      for (let room = 0; room < 5; room++) {
        const id = newId();
        for (let n = 0; n < 4_000 && held.log.waiting < 20_000; n++) send(id);
      }
      expect(held.log.waiting).toBe(20_000);
      send(newId());
      await eventually("one is too much for all", () => answers.length === 2);
      expect(answers.map(codeOf)).toEqual(["UNAVAILABLE", "UNAVAILABLE"]);
      writing.push = release => (release(), 0);
      for (const release of writing.splice(0)) release();
      // Twenty thousand writes are much for a machine that has other things to do.
      await eventually("all are answered", () => held.log.waiting === 0, Boolean, 150_000);
    }, 180_000);
  });

  describe("design 1", () => {
    it("one order per room, given by the server; clocks never order", async () => {
      let now = Date.now();
      const store = await openStore();
      const clock = { now: () => (now -= 3_600_000), monotonic: () => systemClock.monotonic() };
      const { send, room } = ground(store, newId(), { clock });
      const texts = ["first", "second", "third"];
      for (const text of texts) message(await send(person(), text));
      const rows = (await store.window(room, { limit: 9, visibleFrom: 0 })).map(
        ({ data }) => JSON.parse(data) as Message,
      );
      expect(rows.map(({ text }) => text)).toEqual(texts);
      expect(rows.map(({ createdAt }) => createdAt).toSorted()).toEqual(rows.map(row => row.createdAt).toReversed());
    });
  });

  describe("design 4, Publishing", () => {
    it("only after commit: publish the encoded event once on the room's subject, then ack", async () => {
      const order: string[] = [];
      const bus = new MemoryRoomBus();
      const store = await openStore();
      const append = store.append.bind(store);
      store.append = async (room, entries) => {
        const result = await append(room, entries);
        order.push(`stored ${entries.map(({ offset }) => offset).join()}`);
        return result;
      };
      const { send, room } = ground(store, newId(), { bus });
      await bus.subscribe(
        room,
        packet => packet.type === "events" && order.push(`told ${packet.events.map(({ offset }) => offset).join()}`),
      );
      const user = person();
      for (let n = 1; n <= 3; n++) order.push(`acked ${String(offsetOf(await send(user, `${n}`)))}`);
      expect(order).toEqual([1, 2, 3].flatMap(n => [`stored ${n}`, `told ${n}`, `acked ${n}`]));
    });

    describe("what is stored while more of the room is being written", () => {
      /** A room whose writes wait for `next`; what it tells, by packet. */
      async function writer() {
        const bus = new MemoryRoomBus();
        const plain = await openStore();
        const { store, batches, held } = gated(plain);
        const clock = { now: () => Date.now(), monotonic: () => time.now };
        const time = { now: 0 };
        const { send, room, log } = ground(store, newId(), { bus, clock });
        const told: number[][] = [];
        await bus.subscribe(
          room,
          packet => packet.type === "events" && told.push(packet.events.map(({ offset }) => offset)),
        );
        const next = async (): Promise<void> => {
          await eventually("it is being written", () => held.length > 0);
          held.shift()?.();
        };
        return { plain, send, log, told, batches, next, held, time };
      }
      const user = person();
      /** Two batches of one message each, of which the first is being written. */
      async function twoBatches() {
        const field = await writer();
        const first = field.send(user, "1");
        await eventually("it is being written", () => field.batches.length === 1);
        return { ...field, first, second: field.send(user, "2") };
      }

      it("is told of together with that, and acknowledged then; never more than two batches", async () => {
        const { send, told, batches, next } = await writer();
        const sent = [send(user, "1")];
        for (const [again, texts] of [
          [1, ["2", "3"]],
          [2, ["4"]],
          [3, ["5", "6"]],
        ] as const) {
          await eventually("it is being written", () => batches.length === again);
          sent.push(...texts.map(text => send(user, text)));
          await next();
        }
        await next();
        expect((await Promise.all(sent)).map(offsetOf)).toEqual([1, 2, 3, 4, 5, 6]);
        expect(told).toEqual([
          [1, 2, 3],
          [4, 5, 6],
        ]);
      });

      it("is told of by itself where the next write takes longer", async () => {
        const { first, second, told, next, batches, time } = await twoBatches();
        await next();
        await eventually("the next is being written", () => batches.length === 2);
        expect(told).toEqual([]);
        time.now = 100;
        expect(offsetOf(await first)).toBe(1);
        expect(told).toEqual([[1]]);
        await next();
        await second;
        expect(told).toEqual([[1], [2]]);
      });

      it("is told of before the next write is in doubt", async () => {
        const { first, second, plain, told, next } = await twoBatches();
        await next();
        const append = plain.append.bind(plain);
        plain.append = () => Promise.reject(new StorageError("unknown", "away"));
        await next();
        expect([codeOf(await first), codeOf(await second)]).toEqual(["ok", "UNKNOWN_OUTCOME"]);
        expect(told[0]).toEqual([1]);
        plain.append = append;
        await next();
      });
    });

    const listening = async (more: Partial<WriterDependencies> = {}) => {
      const bus = new MemoryRoomBus();
      const store = await openStore();
      const writer = ground(store, newId(), { bus, ...more });
      const heads: RoomHead[] = [];
      await bus.subscribe(writer.room, packet => packet.type === "head" && heads.push(packet.head));
      return { ...writer, store, heads };
    };

    it("heads are told again 1 s after a room falls quiet, once", async () => {
      let [now, looks] = [0, 0];
      const clock = { now: () => Date.now(), monotonic: () => (looks++, now) };
      const { send, heads } = await listening({ clock });
      const aFewLooks = async () => {
        const before = looks;
        await eventually("it was looked again", () => looks > before + 4);
      };
      message(await send(person(), "x"));
      now = 999;
      await aFewLooks();
      expect(heads).toEqual([]);
      now = 1_000;
      await eventually("the head is told", () => heads.length === 1);
      await aFewLooks();
      expect(heads).toEqual([{ offset: 1, seq: 1 }]);
    });

    it("heads are told again with every duplicate answer", async () => {
      const { send, heads } = await listening();
      const user = person();
      for (let n = 0; n < 3; n++) message(await send(user, "x", { clientId: "c1" }));
      expect(heads).toEqual([
        { offset: 1, seq: 1 },
        { offset: 1, seq: 1 },
      ]);
    });

    it.each(["failed", "unknown-not-stored"] as const)(
      "heads are told again by a writer after its NATS reconnect for the rooms it wrote since, also where a later write %s",
      async fault => {
        const reports: string[] = [];
        const { send, heads, log, store } = await listening({ report: what => void reports.push(what) });
        const user = person();
        message(await send(user, "stored"));
        store.faults.push(fault);
        expect((await send(user, "in trouble", { clientId: "c1" })).ok).toBe(false);
        if (fault !== "failed") await eventually("it is settled", () => reports.some(what => what.includes("settled")));
        // What was told meanwhile may be what was lost.
        for (let time = 0; time < 2; time++) {
          heads.length = 0;
          log.tellHeads();
          expect(heads).toEqual([fault === "failed" ? { offset: 1, seq: 1 } : { offset: 2, seq: 2 }]);
        }
      },
    );
  });
});

/** The store, which keeps every batch (of one room, if it is given) until it is released. */
function gated(store: MessageStore, only?: string) {
  const batches: (readonly Entry[])[] = [];
  const held: (() => void)[] = [];
  const before: MessageStore = Object.create(store);
  before.append = async (room, entries) => {
    batches.push(entries);
    if (only === undefined || only === room) await new Promise<void>(resolve => held.push(resolve));
    return store.append(room, entries);
  };
  return { store: before, batches, held };
}

function access(answer: Partial<RoomAccess>): WriterDependencies["access"] {
  return async (_user, room) => ({ room, role: "member", visibleFrom: 0, ...answer });
}

function refusing(code: "UNAVAILABLE" | "INVALID"): () => Promise<never> {
  return () => Promise.reject(new RookeryError(code));
}
