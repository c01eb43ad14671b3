import type { AppendAnswer, RoomOperation, UserOperation } from "../../../services/core/contract";
import { newId } from "../../../services/core/ids";
import { LIMITS } from "../../../services/core/limits";
import type { RoomMode, SharedChannel } from "../../../services/core/model";
import type { WriterDependencies } from "../../../services/messages/room-writer";
import { person, codeOf, ground, message, openStore } from "./ground";

/** A service that takes every question and answers none. */
const hang = (): Promise<never> => new Promise(() => undefined);

/** All but setTimeout: the store's thread answers as ever. */
const REAL = ["Date", "nextTick", "performance", "queueMicrotask", "setImmediate", "setInterval"] as const;

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

describe("what a room asks of other services", () => {
  const [ann, bob, stuck] = [person(), person(), person()];
  const file = newId();

  /** A room whose access hangs for `stuck` alone, and knows ann and bob. */
  async function room(more: Partial<WriterDependencies> = {}) {
    const field = ground(await openStore(), newId(), {
      access: (user, id) =>
        user === stuck.id ? hang() : Promise.resolve({ room: id, role: "member", visibleFrom: 0 }),
      ...more,
    });
    for (const user of [ann, bob]) message(await field.send(user, "known"));
    return field;
  }

  const together = (field: Awaited<ReturnType<typeof room>>, ...all: [typeof ann, UserOperation][]) =>
    field.log.append(all.map(([user, entry]) => ({ room: field.room, user, entry })));

  const send = (text: string, attachments?: string[]): UserOperation => ({
    op: "send",
    text,
    ...(attachments && { attachments }),
  });

  it("holds nobody up who is known, where access hangs: only those it is asked for are refused", async () => {
    const field = await room();
    const answers = await together(field, [ann, send("1")], [stuck, send("2")], [bob, send("3")]);
    expect(answers.map(codeOf)).toEqual(["ok", "UNAVAILABLE", "ok"]);
  });

  it("refuses those with files alone, where files hang", async () => {
    const field = await room({ attach: hang });
    const answers = await together(field, [ann, send("1")], [ann, send("2", [file])], [bob, send("3")]);
    expect(answers.map(codeOf)).toEqual(["ok", "UNAVAILABLE", "ok"]);
  });

  it("takes names for text, where users hang", async () => {
    const field = await room({ named: hang });
    const [first, second] = await together(field, [ann, send("hello @bob")], [bob, send("hello")]);
    expect(message(first as AppendAnswer).mentions).toBeUndefined();
    expect(message(second as AppendAnswer).text).toBe("hello");
  });

  it("answers also what waits behind a batch that waited, where all of it hangs one after the other", async () => {
    const slowly = (names: string[]) =>
      new Promise<{ id: string; username: string }[]>(resolve =>
        setTimeout(
          resolve,
          600,
          names.map(username => ({ id: stuck.id, username })),
        ),
      );
    const time = { now: 0 };
    const clock = { now: () => Date.now(), monotonic: () => time.now };
    let asked = 0;
    const named = (names: string[]) => (asked++, slowly(names));
    const field = await room({ named, attach: hang, clock });
    jest.useFakeTimers({ doNotFake: [...REAL] });
    try {
      const answers: string[] = [];
      const send = async (...message: Parameters<typeof field.send>): Promise<unknown> =>
        answers.push(codeOf(await field.send(...message)));
      const sent = [send(ann, "@stuck", { attachments: [file] })];
      while (asked === 0) await turn();
      sent.push(send(ann, "@stuck"), send(bob, "last"));
      for (const answered of [1, 3]) {
        for (let step = 0; step < 20; step++) {
          time.now += 100;
          jest.advanceTimersByTime(100);
          await turn();
        }
        // The store takes its own time, of which the clock knows nothing.
        while (answers.length < answered) await turn();
      }
      await Promise.all(sent);
      expect(answers).toEqual(["UNAVAILABLE", "ok", "ok"]);
      expect(time.now).toBeLessThan(4_800);
    } finally {
      jest.useRealTimers();
    }
  });

  it("ends with the entry that ends it: who was in the same queue behind it is refused, and nobody else", async () => {
    const gone = new Set<string>();
    const field = await room({
      access: async (user, id) => ({ room: id, role: gone.has(user) ? null : "member", visibleFrom: 0 }),
    });
    gone.add(bob.id);
    const answers = await field.log.append([
      { room: field.room, user: bob, entry: send("before") },
      { room: field.room, entry: { op: "member", changeId: newId(), user: bob.id, change: "leave" } },
      { room: field.room, user: ann, entry: send("hers") },
      { room: field.room, user: bob, entry: send("behind") },
      { room: field.room, user: ann, entry: send("hers again") },
    ]);
    expect(answers.map(codeOf)).toEqual(["ok", "ok", "ok", "FORBIDDEN", "ok"]);
    expect(answers.flatMap(answer => (answer.ok ? answer.offset : []))).toEqual([3, 4, 5, 6]);
  });

  it("ends with a change of the room's settings for all who are behind it", async () => {
    let mode: RoomMode = "open";
    const field = await room({ rules: async () => ({ kind: "channel", mode, slowMode: 0 }) });
    mode = "readonly";
    const channel = { id: field.room, name: "r" } as SharedChannel;
    const answers = await field.log.append([
      { room: field.room, user: ann, entry: send("before") },
      { room: field.room, entry: { op: "room", changeId: newId(), room: channel } },
      { room: field.room, user: ann, entry: send("behind") },
    ]);
    expect(answers.map(codeOf)).toEqual(["ok", "ok", "FORBIDDEN"]);
  });

  describe("of a newcomer", () => {
    const rules = { kind: "channel", mode: "open", slowMode: 0 } as const;
    const join = (user: string, role?: "guest"): RoomOperation => ({
      ...{ op: "member", changeId: newId(), user, change: "join" },
      ...(role && { role }),
    });

    /** What becomes of a reply to what was said before he came, in the moment before the owner knows of him. */
    async function reply(role: "guest" | undefined, fromJoin: boolean): Promise<string[]> {
      const field = await room({ rules: async () => ({ ...rules, ...(fromJoin && { fromJoin }) }) });
      const before = message(await field.send(ann, "before"));
      const comer = person();
      field.access.set(comer.id, { role: null });
      const answers = await field.log.append([
        { room: field.room, entry: join(comer.id, role) },
        { room: field.room, user: ann, entry: send("after") },
      ]);
      const after = message(answers[1] as AppendAnswer);
      const about = (id: string): UserOperation[] => [
        { op: "send", text: "so", replyTo: id },
        { op: "react", id, emoji: "👍", on: true },
      ];
      return (
        await together(field, ...[before, after].flatMap(({ id }) => about(id).map(op => [comer, op] as never)))
      ).map(codeOf);
    }

    const hidden = ["INVALID", "NOT_FOUND", "ok", "ok"];
    it.each([
      ["sees all where newcomers do", undefined, false, ["ok", "ok", "ok", "ok"]],
      ["sees nothing of before where they do not", undefined, true, hidden],
      ["sees nothing of before as a guest", "guest" as const, false, hidden],
    ])("%s, also before it can be asked for", async (_what, role, fromJoin, codes) => {
      expect(await reply(role, fromJoin)).toEqual(codes);
    });

    it("asks for him where it is not known what newcomers see", async () => {
      const field = ground(await openStore());
      const comer = person();
      field.access.set(comer.id, { role: null });
      await field.log.append([{ room: field.room, entry: join(comer.id) }]);
      expect(codeOf(await field.send(comer, "hello"))).toBe("FORBIDDEN");
      field.access.delete(comer.id);
      expect(codeOf(await field.send(comer, "hello"))).toBe("ok");
    });
  });

  it("is not told of files by who may not send", async () => {
    const attached: string[] = [];
    const field = await room({
      access: async (user, id) => ({ room: id, role: user === stuck.id ? null : "member", visibleFrom: 0 }),
      attach: async owner => (attached.push(owner), []),
    });
    const answers = await together(field, [stuck, send("no", [file])], [ann, send("yes", [file])]);
    expect(answers.map(codeOf)).toEqual(["FORBIDDEN", "ok"]);
    expect(attached).toEqual([ann.id]);
  });

  it("is asked who is there only for those who may call them", async () => {
    let asked = 0;
    const field = await room({ online: async () => (asked++, [bob.id]) });
    expect(message(await field.send(ann, "@here come")).mentions).toBeUndefined();
    expect(asked).toBe(0);
    const runs = await room({
      access: async (_user, id) => ({ room: id, role: "moderator", visibleFrom: 0 }),
      online: async () => (asked++, [bob.id]),
    });
    expect(message(await runs.send(ann, "@here come")).mentions).toEqual([bob.id]);
    expect(asked).toBe(1);
  });

  it("keeps in an edit whom @here named, and whom it cannot ask for", async () => {
    let users: WriterDependencies["named"] = async () => [{ id: bob.id, username: "bob" }];
    let there: readonly string[] = [stuck.id];
    const field = await room({
      access: async (_user, id) => ({ room: id, role: "owner", visibleFrom: 0 }),
      named: names => users(names),
      online: async () => there,
    });
    const { id } = message(await field.send(ann, "@here meting"));
    there = [];
    const edit = async (what: string, text: string) =>
      message(await field.op(ann, { op: "edit", id: what, text })).mentions ?? [];
    expect(await edit(id, "@here meeting")).toEqual([stuck.id]);
    expect(await edit(id, "meeting")).toEqual([]);

    const named = message(await field.send(ann, "@bob meting"));
    users = async () => Promise.reject(new Error("away"));
    expect(await edit(named.id, "@bob meeting")).toEqual([bob.id]);
    expect(await edit(named.id, "meeting")).toEqual([]);
  });

  it("counts the pins of one batch", async () => {
    const rules = { kind: "group", mode: "open", slowMode: 0 } as const;
    const small = await room({ limits: { ...LIMITS, pins: 2 }, rules: async () => rules });
    const own = await Promise.all([1, 2, 3, 4].map(async n => message(await small.send(ann, `${n}`)).id));
    const pin = (at: number, on = true): [typeof ann, UserOperation] => [ann, { op: "pin", id: own[at] as string, on }];
    expect((await together(small, pin(0), pin(1), pin(2))).map(codeOf)).toEqual(["ok", "ok", "CONFLICT"]);
    const remove: [typeof ann, UserOperation] = [ann, { op: "delete", id: own[1] as string }];
    expect((await together(small, pin(0, false), pin(2), pin(3), remove, pin(3))).map(codeOf)).toEqual([
      "ok",
      "ok",
      "CONFLICT",
      "ok",
      "ok",
    ]);
  });

  it("finds who must wait in slow mode behind any number of messages of others", async () => {
    const store = await openStore();
    const rules = { kind: "channel", mode: "open", slowMode: 3_600 } as const;
    const more: Partial<WriterDependencies> = {
      rules: async () => rules,
      access: async (user, id) => ({ room: id, role: user === ann.id ? "owner" : "member", visibleFrom: 0 }),
    };
    const id = newId();
    const field = ground(store, id, more);
    expect(codeOf(await field.send(bob, "mine"))).toBe("ok");
    const others = Array.from({ length: 500 }, (_, n): [typeof ann, UserOperation] => [ann, send(`${n}`)]);
    for (let from = 0; from < others.length; from += 250) await together(field, ...others.slice(from, from + 250));
    const again = ground(store, id, more);
    expect(codeOf(await again.send(bob, "mine again"))).toBe("RATE_LIMITED");
    expect(codeOf(await again.send(person(), "my first"))).toBe("ok");
  });

  it("is remembered for 10,000 people of a room, and asked for again beyond", async () => {
    const asked: string[] = [];
    const field = ground(await openStore(), newId(), {
      access: async (user, id) => {
        asked.push(user);
        return { room: id, role: "member", visibleFrom: 0 };
      },
    });
    const react = { op: "react" as const, id: newId(), emoji: "👍", on: true };
    const people = Array.from({ length: 10_001 }, () => person());
    for (let from = 0; from < people.length; from += 256)
      await together(
        field,
        ...people.slice(from, from + 256).map((user): [typeof ann, UserOperation] => [user, react]),
      );
    expect(asked).toHaveLength(10_001);
    const [first, second, third] = people as [typeof ann, typeof ann, typeof ann];
    await field.op(third, react);
    expect(asked).toHaveLength(10_001);
    await field.op(first, react);
    expect(asked.slice(10_001)).toEqual([first.id]);
    await field.op(second, react);
    expect(asked.slice(10_001)).toEqual([first.id, second.id]);
  });
});
