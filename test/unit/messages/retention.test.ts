import { newId } from "../../../services/core/ids";
import type { RoomRetention } from "../../../services/core/contract";
import type { Message } from "../../../services/core/model";
import type { MessageStore } from "../../../services/messages/message.store";
import {
  cutOf,
  leaving,
  Retention,
  roundEvery,
  type RetentionDependencies,
} from "../../../services/messages/retention";
import { TestClock } from "../../support/broker";
import { ground, person } from "./ground";
import { once, stores } from "./stores";

const DAY = 86_400_000;
const kept = (more: Partial<RoomRetention> = {}): RoomRetention => ({
  ...{ room: newId(), days: null, hold: false, deletedAt: null },
  ...more,
});

describe("how long a room keeps its messages", () => {
  const now = Date.UTC(2026, 5, 1);
  const ago = (days: number) => now - days * DAY;
  const deletedAt = (days: number) => new Date(ago(days)).toISOString();

  it.each<[string, Partial<RoomRetention>, number, number | null]>([
    ["as everywhere", {}, 365, ago(365)],
    ["as it says itself", { days: 30 }, 365, ago(30)],
    ["for ever, where it says so", { days: 0 }, 365, null],
    ["for ever, where all do", {}, 0, null],
    ["as it says, where all others keep for ever", { days: 7 }, 0, ago(7)],
    ["on hold", { days: 1, hold: true }, 1, null],
    ["deleted lately", { days: 30, deletedAt: deletedAt(29) }, 365, ago(30)],
    ["deleted longer ago than it keeps", { days: 30, deletedAt: deletedAt(30) }, 365, Infinity],
    ["deleted longer ago than others keep", { days: 3_000, deletedAt: deletedAt(365) }, 365, Infinity],
    ["kept for ever until deleted", { days: 0, deletedAt: deletedAt(400) }, 365, Infinity],
    ["deleted, and everything is for ever", { deletedAt: deletedAt(9_000) }, 0, null],
    ["deleted and on hold", { hold: true, deletedAt: deletedAt(9_000) }, 365, null],
  ])("%s", (_what, says, everywhere, cut) => {
    expect(cutOf(kept(says), everywhere, now)).toBe(cut);
  });

  it("looks a hundred times in that time, at least every ten minutes and at most every second", () => {
    expect([365, 0.1, 0.00001, 0].map(roundEvery)).toEqual([600_000, 86_400, 1_000, 600_000]);
  });

  it("lets go what is older, in a row from the front: never what stands behind a younger message", () => {
    const entries = (...ats: (number | null | { join: number })[]) =>
      ats.map((at, n) =>
        typeof at === "object" && at !== null
          ? { offset: n + 1, kind: "member" as const, id: null, at: at.join, files: [] }
          : { offset: n + 1, kind: "message" as const, id: null, at, files: [] },
      );
    expect(leaving(entries(1, 2, 3, 4), 3)).toBe(2);
    expect(leaving(entries(1, 9, 1, 1), 5)).toBe(1);
    expect(leaving(entries(1, null, 9, null), 5)).toBe(2);
    expect(leaving(entries(null, -Infinity, 9), 5)).toBe(2);
    expect(leaving(entries(8, 9), 5)).toBe(0);
    expect(leaving(entries(8, 9), Infinity)).toBe(2);
    expect(leaving([], 5)).toBe(0);
    // Others go with the messages around them, and stay behind the last that goes.
    expect(leaving(entries({ join: 9 }, { join: 9 }, 1, 2, { join: 9 }, 9), 5)).toBe(4);
    expect(leaving(entries({ join: 9 }, { join: 1 }, { join: 9 }), 5)).toBe(2);
    expect(leaving(entries({ join: 9 }, 9, 1), 5)).toBe(0);
  });
});

describe.each(stores)("retention over %s", (_name, open) => {
  const opened = once(open);
  const ann = person();

  /** One room, and a worker that keeps what is younger than a day. */
  async function scene(more: Partial<RoomRetention> = {}, through?: (store: MessageStore) => MessageStore) {
    const { store } = await opened();
    const clock = new TestClock(Date.now() - 10 * DAY);
    const freed: string[][] = [];
    const { log, room, send, op, seen } = ground(store, newId(), {
      clock: { now: () => clock.now(), monotonic: () => performance.now() },
      attach: async (_owner, _room, ids) =>
        ids.map(id => ({ id, url: `/api/files/${id}`, mimeType: "text/plain", size: 1 })),
      freed: files => freed.push([...files]),
      held: async () => says.hold,
    });
    const says = kept({ room, ...more });
    const released: string[] = [];
    const floors: number[] = [];
    const pauses: number[] = [];
    const failed: unknown[] = [];
    const worker = (with_: Partial<RetentionDependencies> = {}) =>
      new Retention({
        store: through?.(store) ?? store,
        clock: { now: () => clock.now(), monotonic: () => performance.now() },
        days: 1,
        rooms: async after => (after < room ? [{ ...says }] : []),
        room: async () => says,
        expire: async (where, id) => {
          const [answer] = await log.append([{ room: where, entry: { op: "expire", changeId: newId(), id } }]);
          if (!answer?.ok) throw new Error("refused");
        },
        told: (_room, floor) => floors.push(floor),
        release: async files => released.push(...files),
        pause: async ms => void pauses.push(ms),
        going: () => true,
        failed: error => failed.push(error),
        ...with_,
      });
    const sendAll = async (...texts: string[]) => {
      for (const text of texts) await send(ann, text, { attachments: [`file of ${text}`] });
    };
    const texts = async () =>
      (await store.window(room, { limit: 100, visibleFrom: 0 })).map(({ data }) => (JSON.parse(data) as Message).text);
    return {
      store,
      clock,
      room,
      says,
      op,
      send,
      seen,
      freed,
      floors,
      released,
      pauses,
      failed,
      worker,
      sendAll,
      texts,
    };
  }

  it("removes what is older than the room keeps it, files told after; rests nine times as long as it works", async () => {
    const { store, clock, room, worker, sendAll, texts, released, pauses, floors } = await scene();
    await sendAll("a", "b", "c");
    clock.advance(DAY + 1);
    await sendAll("d", "e");
    await store.advance([{ room, user: "bob", read: 2, delivered: 3 }]);
    await store.advance([{ room, user: "cid", read: 2, delivered: 4 }]);
    const retention = worker();
    expect(await retention.round()).toBe(3);
    expect(await texts()).toEqual(["d", "e"]);
    expect(released).toEqual(["file of a", "file of b", "file of c"]);
    expect(retention.now).toMatchObject({
      rounds: 1,
      removed: 3,
      overdue: 0,
      since: null,
      last: { removed: 3, failed: 0 },
    });
    expect(floors).toEqual([4]);
    expect(pauses.length).toBeGreaterThan(1);
    // A mark below the floor says nothing any more; whoever left it stands at the floor.
    expect((await store.marks(room)).map(({ user }) => user).sort()).toEqual([ann.id, "cid"].sort());
    expect(await store.markOf(room, "bob")).toMatchObject({ read: 3, delivered: 3 });
    expect(await store.markOf(room, "cid")).toMatchObject({ read: 3, delivered: 4 });
    expect(await store.unread("bob", [{ room, visibleFrom: 0 }])).toMatchObject([
      { readSeq: 3, unread: 2, lastSeq: 5 },
    ]);
    expect(await retention.round()).toBe(0);
  });

  it("empties a last message that is too old, tells its readers, and removes it, once", async () => {
    const { store, clock, room, worker, sendAll, seen, released } = await scene();
    await sendAll("a", "b");
    clock.advance(2 * DAY);
    const retention = worker();
    await retention.round();
    expect(seen.at(-1)).toMatchObject({ kind: "delete", offset: 3 });
    expect(JSON.parse((seen.at(-1) as { data: string }).data)).toMatchObject({ text: "", attachments: [], seq: 2 });
    expect(new Set(released)).toEqual(new Set(["file of a", "file of b"]));
    expect((await store.heads([room])).get(room)).toEqual({ offset: 3, seq: 2, floor: 3 });
    expect(await store.window(room, { limit: 9, visibleFrom: 0 })).toEqual([]);
    clock.advance(5 * DAY);
    expect(await retention.round()).toBe(0);
    expect((await store.heads([room])).get(room)?.offset).toBe(3);
  });

  it("keeps everything of a room on hold, also one that is deleted; a hold that comes meanwhile keeps what is left", async () => {
    let asked = 0;
    const all = () => store.front(room, 1_000);
    const { store, room, clock, says, worker, sendAll } = await scene({
      hold: true,
      deletedAt: "2020-01-01T00:00:00Z",
    });
    const many = Array.from({ length: 300 }, (_, n) => `${n}`);
    await sendAll(...many);
    clock.advance(2 * DAY);
    await worker().round();
    expect(await all()).toHaveLength(300);
    Object.assign(says, { hold: false, deletedAt: null });
    const removed = await worker({ room: async () => ({ ...says, hold: asked++ > 0 }) }).round();
    expect([removed > 0, removed < 300, (await all()).length]).toEqual([true, true, 300 - removed]);
  });

  it("what is deleted in a room on hold is kept until the hold ends, in steps", async () => {
    const { store, room, says, op, send, worker, failed } = await scene({ hold: true, days: 0 });
    const { id, offset } = JSON.parse(((await send(ann, "first")) as { data: string }).data) as Message;
    await op(ann, { op: "edit", id, text: "second" });
    await op(ann, { op: "delete", id });
    expect((await store.byIds([id]))[0]).toMatchObject({ deleted: true });
    const texts = async () =>
      (await store.versions(room, offset, 9)).map(text => (JSON.parse(text) as { text: string }).text);
    await worker().round();
    expect(await texts()).toEqual(["first", "second"]);
    says.hold = false;
    let fails = 1;
    const failing: MessageStore = Object.create(store);
    failing.dropKept = async (id, limit) => {
      if (fails-- > 0) throw new Error("the store fails");
      return store.dropKept(id, limit);
    };
    const ended = worker({ store: failing });
    await ended.round();
    expect(failed).toHaveLength(1);
    await ended.round();
    expect(await texts()).toEqual([]);
  });

  it("a last message is not emptied for its age once the room is on hold, whatever the worker believes", async () => {
    const { store, clock, room, says, send, worker } = await scene({ hold: true });
    const last = JSON.parse(((await send(ann, "last")) as { data: string }).data) as Message;
    clock.advance(3 * DAY);
    const believed = { ...says, hold: false };
    const rooms = async (after: string) => (after < room ? [believed] : []);
    await worker({ room: async () => believed, rooms }).round();
    expect((await store.byIds([last.id]))[0]).toMatchObject({ deleted: false });
  });

  it("takes a deleted room's log away but for its last entry, and all marks", async () => {
    const { store, clock, room, says, op, send, worker, sendAll } = await scene();
    await sendAll("a", "b");
    await op(ann, { op: "react", id: (await store.front(room, 1))[0]?.id as string, emoji: "👍", on: true });
    await send(person(), "c");
    says.deletedAt = new Date(clock.now()).toISOString();
    clock.advance(DAY - 1);
    expect(await worker().round()).toBe(0);
    clock.advance(1);
    await worker().round();
    expect((await store.events(room, 0, 9, 1e6)).map(({ kind }) => kind)).toEqual(["delete"]);
    expect(await store.marks(room)).toEqual([]);
    expect(await store.reactions(room, 1)).toEqual([]);
  });

  it.each(["front", "trim"] as const)("goes on after a store that failed in %s, at any of its calls", async method => {
    for (let survives = 0; survives < 4; survives++) {
      let calls = 0;
      const failing = (store: MessageStore): MessageStore => {
        const through: MessageStore = Object.create(store);
        through[method] = (async (...given: [string, number]) => {
          if (calls++ === survives) throw new Error("the store fails");
          return store[method](...given);
        }) as never;
        return through;
      };
      const { clock, worker, sendAll, texts, failed } = await scene({}, failing);
      await sendAll("a", "b", "c");
      clock.advance(2 * DAY);
      await sendAll("d");
      const retention = worker();
      await retention.round();
      await retention.round();
      expect([await texts(), failed.length <= 1]).toEqual([["d"], true]);
    }
  });

  it("knows of every kind of entry when it was made: messages say so, all else by its id", async () => {
    const { store, clock, room, op, send } = await scene();
    const answer = await send(ann, "a");
    const { id } = JSON.parse((answer as { data: string }).data) as Message;
    await op(ann, { op: "edit", id, text: "b" });
    await op(ann, { op: "react", id, emoji: "👍", on: true });
    const front = await store.front(room, 9);
    expect(front.map(({ kind }) => kind)).toEqual(["message", "edit", "reaction"]);
    expect(front[0]?.at).toBe(clock.now());
    for (const { at } of front.slice(1)) expect(Math.abs((at as number) - Date.now())).toBeLessThan(60_000);
  });

  it("two workers at once remove the same, and nothing else", async () => {
    const { clock, worker, sendAll, texts } = await scene();
    await sendAll(...Array.from({ length: 80 }, (_, n) => `${n}`));
    clock.advance(2 * DAY);
    await sendAll("young");
    await Promise.all([worker().round(), worker().round(), sendAll("younger")]);
    expect(await texts()).toEqual(["young", "younger"]);
  });

  it("tells of the files of a message that somebody deletes", async () => {
    const { op, send, freed } = await scene();
    const answer = await send(ann, "a", { attachments: ["one", "two"] });
    const { id } = JSON.parse((answer as { data: string }).data) as Message;
    await op(ann, { op: "delete", id });
    await op(ann, { op: "delete", id });
    expect(freed).toEqual([["one", "two"]]);
  });
});
