import type { AppendAnswer, UserOperation } from "../../../services/core/contract";
import { newId } from "../../../services/core/ids";
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
  }, 30_000);
});
