import fc from "fast-check";
import type { AppendAnswer, UserOperation } from "../../../services/core/contract";
import { newId } from "../../../services/core/ids";
import type { Message } from "../../../services/core/model";
import type { RoomEvent } from "../../../services/core/room-bus";
import type { MessageStore } from "../../../services/messages/message.store";
import { codeOf, ground, message, person, type Ground } from "./ground";
import { once, stores } from "./stores";

const wholeLog = async (store: MessageStore, room: string): Promise<RoomEvent[]> => {
  const events: RoomEvent[] = [];
  for (;;) {
    const more = await store.events(room, events.length, 1_000, 1e7);
    if (more.length === 0) return events;
    events.push(...more);
  }
};

describe.each(stores)("two writers of one room in %s", (_name, open) => {
  const opened = once(async () => {
    const { store, beside } = await open();
    return [store, await beside()] as const;
  });

  it("answer every request, and keep one order without holes", async () => {
    const both = await opened();
    const room = newId();
    const writers = both.map(store => ground(store, room));
    const rounds = 25;
    const answers = await Promise.all(
      writers.flatMap((writer, w) =>
        // Many senders of each node, each with one message under way at a time: both writers always have a next batch.
        Array.from({ length: 8 }, async (_, sender) => {
          const user = person();
          const own: AppendAnswer[] = [];
          for (let n = 0; n < rounds; n++)
            own.push(await writer.send(user, `${w} ${sender} ${n}`, { clientId: `${n}` }));
          return own;
        }),
      ),
    );
    expect(answers.flat().map(codeOf)).toEqual(answers.flat().map(() => "ok"));
    const log = await wholeLog(both[0], room);
    expect(log.map(({ offset }) => offset)).toEqual(Array.from({ length: 16 * rounds }, (_, n) => n + 1));
    for (const own of answers) {
      const offsets = own.map(answer => message(answer).offset);
      expect(offsets).toEqual(offsets.toSorted((one, other) => one - other));
      for (const answer of own) expect(log[message(answer).offset - 1]?.data).toBe(answer.ok && answer.data);
    }
  });

  it("find the head again when the other is further ahead than a replay goes", async () => {
    const both = await opened();
    const room = newId();
    const [one, other] = both.map(store => ground(store, room));
    const user = person();
    message((await one?.send(user, "first")) as AppendAnswer);
    await Promise.all(Array.from({ length: 1_200 }, (_, n) => other?.send(user, `${n}`)));
    expect(message((await one?.send(user, "last")) as AppendAnswer)).toMatchObject({ offset: 1_202, seq: 1_202 });
  });

  it.each([1, 300])("learn from the log who belongs to the room no more (%i entries of the other)", async missed => {
    const room = newId();
    const [one, other] = (await opened()).map(store => ground(store, room)) as [Ground, Ground];
    const user = person();
    message(await one.send(user, "known as a member"));
    await other.log.append([{ room, entry: { op: "member", changeId: newId(), user: user.id, change: "remove" } }]);
    await Promise.all(Array.from({ length: missed }, (_, n) => other.send(person(), `${n}`)));
    one.access.set(user.id, { denied: "NOT_FOUND", role: null });
    expect(codeOf(await one.send(user, "too late"))).toBe("NOT_FOUND");
  });

  const step = fc.record({
    writer: fc.nat(1),
    user: fc.nat(1),
    wait: fc.boolean(),
    what: fc.oneof(
      { weight: 4, arbitrary: fc.record({ op: fc.constant("send" as const), client: fc.nat(6), text: fc.nat(1) }) },
      fc.record({ op: fc.constant("edit" as const), nth: fc.nat(5), text: fc.string({ minLength: 1, maxLength: 5 }) }),
      fc.record({ op: fc.constant("react" as const), nth: fc.nat(5), on: fc.boolean() }),
      fc.record({ op: fc.constant("delete" as const), nth: fc.nat(5) }),
    ),
  });

  it("obey the rules of the log in every order of sends, repeats, edits, reactions and deletions", async () => {
    const both = await opened();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async steps => {
        const room = newId();
        const writers = both.map(store => ground(store, room));
        const users = [person(), person()];
        // Something to change from the start.
        const known: string[] = [message((await writers[0]?.send(users[0] as never, "0")) as AppendAnswer).id];
        const asked: { entry: UserOperation; user: number; answer: Promise<AppendAnswer> }[] = [];
        for (const { writer, user, wait, what } of steps) {
          const id = known["nth" in what ? what.nth % known.length : 0] as string;
          const entry: UserOperation =
            what.op === "send"
              ? { op: "send", text: `text ${what.text}`, clientId: `c${what.client}` }
              : what.op === "edit"
                ? { op: "edit", id, text: what.text }
                : what.op === "react"
                  ? { op: "react", id, emoji: "👍", on: what.on }
                  : { op: "delete", id };
          const answer = writers[writer]?.op(users[user] as never, entry) as Promise<AppendAnswer>;
          asked.push({ entry, user, answer });
          if (!wait) continue;
          const got = await answer;
          if (got.ok && entry.op === "send") known.push(message(got).id);
        }
        await Promise.all(asked.map(({ answer }) => answer));

        const log = await wholeLog(both[1], room);
        const messages = new Map(
          log.flatMap(event => (event.kind === "message" ? [[event.offset, JSON.parse(event.data) as Message]] : [])),
        );
        expect(log.map(({ offset }) => offset)).toEqual(log.map((_, n) => n + 1));
        expect(log.map(({ seq }) => seq)).toEqual(log.map((_, n) => log.slice(0, n + 1).filter(isMessage).length));
        const effects = new Map<string, number>();
        for (const { offset, senderId, clientId } of messages.values())
          if (clientId !== undefined) {
            expect(effects.has(`${senderId} ${clientId}`)).toBe(false);
            effects.set(`${senderId} ${clientId}`, offset);
          }
        for (const { entry, user, answer } of asked) {
          const got = await answer;
          if (!got.ok) expect(["CONFLICT", "FORBIDDEN", "INVALID"]).toContain(got.error.code);
          else if (entry.op === "send") expect(effects.get(`${users[user]?.id} ${entry.clientId}`)).toBe(got.offset);
        }
        // What a message is now follows from the log alone: deleted once, and then nothing more happened to it.
        for (const [offset, current] of messages) {
          const changes = log.filter(({ target }) => target?.offset === offset);
          const deletions = changes.filter(({ kind }) => kind === "delete");
          expect(deletions.length).toBe(current.deletedAt === undefined ? 0 : 1);
          if (deletions.length > 0) expect(changes.at(-1)?.kind).toBe("delete");
          const reactions = await both[0].reactions(room, offset);
          expect((current.reactions ?? []).flatMap(({ users: all }) => all).sort()).toEqual(
            reactions.map(({ user }) => user).sort(),
          );
        }
      }),
      { numRuns: 30 },
    );
  }, 120_000);
});

const isMessage = ({ kind }: RoomEvent): boolean => kind === "message";
