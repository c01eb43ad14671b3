import { spawn } from "node:child_process";
import { once as nextOf } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";
import { MongoClient, type Collection, type CommandStartedEvent, type CommandSucceededEvent } from "mongodb";
import { MongoConnection } from "../../../mixins/mongo/connection";
import { DuplicateKeyError, StorageError } from "../../../mixins/storage-errors";
import { newId } from "../../../services/core/ids";
import type { UserNote } from "../../../services/core/model";
import type { EntryDocument } from "../../../services/messages/message.entries.mongo";
import { MongoFloors } from "../../../services/messages/message.floors.mongo";
import { MongoMessageStore } from "../../../services/messages/message.store.mongo";
import { afterFile } from "../../support/cleanup";
import { eventually } from "../../support/eventually";
import { describeMongo, mongoUrl } from "../../support/servers";
import { changeEntry, messageEntries, messageEntry, noted, noteEntry, readAloneNote, readNote } from "./entries";
import { ground, message, person } from "./ground";
import { once, openMongo } from "./stores";

const url = once(mongoUrl);
const opened = once(async () => openMongo(await url()));
/** What really stands in the database. */
const stored = once(async (): Promise<Collection<EntryDocument>> => {
  const client = await MongoClient.connect(await url());
  afterFile(() => client.close());
  return client.db().collection<EntryDocument>("entries");
});

describeMongo("the room log in MongoDB", () => {
  const text = (data: string) => (JSON.parse(data) as { text: string }).text;
  const edited = (offset: number, to: string) =>
    changeEntry("edit", { offset, seq: 1 }, { offset: 1, data: JSON.stringify({ text: to }) });
  const shown = async (room: string) => {
    const [row] = await (await opened()).window(room, { limit: 1, visibleFrom: 0 });
    return text(row?.data as string);
  };

  it("is opened by many nodes at once on an empty database: one epoch, and every index", async () => {
    const empty = await mongoUrl();
    const stores = await Promise.all(Array.from({ length: 5 }, () => openMongo(empty)));
    expect(new Set(stores.map(({ epoch }) => epoch)).size).toBe(1);
    const room = newId();
    const [first, again] = [messageEntry({ offset: 1, seq: 1 }), messageEntry({ offset: 2, seq: 1 })];
    expect(await stores[0]?.append(room, [first])).toEqual({ stored: 1 });
    expect(await stores[1]?.append(room, [again])).toEqual({ stored: 0 });
  });

  describe("one insert for many rooms", () => {
    const batchOf = (offset: number) => messageEntries(3).map(entry => ({ ...entry, offset: offset + entry.offset }));
    /** Rooms of which the second and the fourth have an entry already that stands in the way of the second of a batch. */
    const rooms = async (store: MongoMessageStore): Promise<string[]> => {
      const ids = Array.from({ length: 5 }, () => newId());
      for (const room of [ids[1], ids[3]])
        await store.append(room as string, [messageEntry({ offset: 2, seq: 2, clientId: "taken" })]);
      return ids;
    };

    it("an entry that is refused ends the batch of its room, and of no other", async () => {
      const store = await opened();
      const inserts = jest.spyOn(Object.getPrototypeOf(await stored()) as Collection, "insertMany");
      const ids = await rooms(store);
      inserts.mockClear();
      const results = await Promise.all(ids.map(room => store.append(room, batchOf(0))));
      expect(results.map(result => result.stored)).toEqual([3, 1, 3, 1, 3]);
      for (const room of ids) {
        const offsets = (await store.events(room, 0, 10, 10_000)).map(({ offset }) => offset);
        expect(offsets).toEqual(ids.indexOf(room) % 2 === 0 ? [1, 2, 3] : [1, 2]);
      }
      // One for all, then each behind the one that was refused.
      expect(inserts.mock.calls.map(([documents]) => documents.length)).toEqual([15, 3, 3, 3]);
      inserts.mockRestore();
    });

    it("what fails behind a refused entry says nothing of what is stored", async () => {
      const connection = await MongoConnection.open(await url());
      afterFile(() => connection.close());
      const store = await MongoMessageStore.open(connection);
      afterFile(() => store.close());
      const ids = await rooms(store);
      const write = connection.write.bind(connection);
      let writes = 0;
      connection.write = (work, timeout) =>
        // Of the inserts, which alone have so short a time, the third: of the fourth room.
        timeout === 4_000 && ++writes === 3
          ? Promise.reject(new StorageError("unknown", "timeout"))
          : write(work, timeout);
      const results = await Promise.all(
        ids.map(room =>
          store.insert(room, batchOf(0)).then(
            result => result.stored,
            (error: StorageError) => error.outcome,
          ),
        ),
      );
      expect(results).toEqual([3, 1, 3, "unknown", 3]);
    });
  });

  it("shows a change that was stored but not applied to whoever replays the room", async () => {
    const store = await opened();
    const room = newId();
    await store.append(room, [messageEntry({ offset: 1, seq: 1 }, "old")]);
    await store.insert(room, [edited(2, "newer"), edited(3, "newest")]);
    const events = await store.events(room, 0, 10, 10_000);
    expect(events.map(({ data }) => text(data))).toEqual(["newest", "newest", "newest"]);
    expect(events.at(-1)?.target).toEqual({ offset: 1, data: '{"text":"newest"}' });
  });

  it("finishes a batch whose writer died after storing it when the room is taken over: changes and read marks", async () => {
    const store = await opened();
    const room = newId();
    await store.append(room, [messageEntry({ offset: 1, seq: 1 }, "old")]);
    const reaction = { emoji: "👍", user: "bob", on: true };
    await store.insert(room, [
      { ...edited(2, "new"), batch: 2 },
      { ...messageEntry({ offset: 3, seq: 2, sender: "eve" }), batch: 2 },
      {
        ...changeEntry("reaction", { offset: 4, seq: 2 }, { offset: 1, data: '{"text":"new"}', reaction }, "{}"),
        batch: 2,
      },
    ]);
    expect((await store.takeOver(room)).head).toEqual({ offset: 4, seq: 2 });
    expect(text((await store.window(room, { before: 2, limit: 1, visibleFrom: 0 }))[0]?.data as string)).toBe("new");
    expect(await store.reactions(room, 1)).toEqual([{ emoji: "👍", user: "bob" }]);
    await eventually(
      "the read mark has moved",
      async () => (await store.marks(room)).find(({ user }) => user === "eve"),
      mark => mark?.read === 2,
    );
  });

  it("finishes by itself what a writer that died left, so that history is right without another send", async () => {
    const store = await opened();
    const room = newId();
    await store.append(room, [messageEntry({ offset: 1, seq: 1 }, "old")]);
    await store.insert(room, [edited(2, "new")]);
    expect(await shown(room)).toBe("old");
    await eventually(
      "the edit is applied",
      () => shown(room),
      now => now === "new",
    );
  });

  it("finishes by itself what a writer that died left of marks, threads and what is hidden", async () => {
    const store = await opened();
    const [room, user, third] = [newId(), newId(), newId()];
    await store.append(room, messageEntries(5, { sender: "eve" }));
    const notes: UserNote[] = [
      readNote(room, 3),
      readAloneNote(room, 4),
      { kind: "readAll", data: { marks: [{ roomId: third, seq: 2 }] } },
      { kind: "hide", data: { roomId: room, messageId: newId(), seq: 5 } },
    ];
    await store.insert(
      user,
      notes.map((note, at) => noteEntry(at + 1, note)),
    );
    const joined = { kind: "member", id: null, data: JSON.stringify({ userId: "cid", change: "join" }) } as const;
    const reply = { thread: { root: 1, starter: "eve" }, change: { offset: 1, data: '{"text":"root"}' } };
    await store.insert(room, [
      { ...messageEntry({ offset: 6, seq: 5, sender: "rooms" }), ...joined },
      messageEntry({ offset: 7, seq: 6, sender: user, mentions: ["dan"], ...reply }),
    ]);
    expect((await store.unread(user, [{ room, visibleFrom: 0 }]))[0]).toMatchObject({ readSeq: 0 });
    const state = async () => ({
      row: (await store.unread(user, [{ room, visibleFrom: 0 }]))[0],
      third: (await store.markOf(third, user)).read,
      cid: (await store.markOf(room, "cid")).read,
      parts: await Promise.all([user, "eve", "dan"].map(one => store.threadMark(room, one, 1))),
      hidden: await store.hiddenBy(user, room, 1, 9),
      pending: await (await stored()).countDocuments({ room: { $in: [room, user] }, pending: { $exists: true } }),
    });
    const whole = {
      row: { room, unread: 0, mentions: 0, lastSeq: 6, readSeq: 4 },
      ...{ third: 2, cid: 5, parts: [6, 0, 0], hidden: [5], pending: 0 },
    };
    await eventually("all of it is done", state, now => isDeepStrictEqual(now, whole));
  });

  it("takes an entry for unfinished until what it gives users is theirs: a note, and a reply in a thread", async () => {
    const store: MongoMessageStore = Object.create(await opened());
    const own = store as unknown as { own: { advance(): Promise<void> }; readers: { advance(): Promise<void> } };
    const dies = { advance: () => Promise.reject(new StorageError("failed", "away")) };
    Object.assign(own, { own: dies, readers: dies });
    const [room, user] = [newId(), newId()];
    await (await opened()).append(room, [messageEntry({ offset: 1, seq: 1 })]);
    const reply = { thread: { root: 1, starter: "ann" }, change: { offset: 1, data: "{}" } };
    await expect(store.append(user, [noteEntry(1, readNote(room, 1))])).rejects.toMatchObject({ outcome: "unknown" });
    await expect(
      store.append(room, [messageEntry({ offset: 2, seq: 2, sender: user, ...reply })]),
    ).rejects.toMatchObject({ outcome: "unknown" });
    await eventually("others finish both", async () =>
      Promise.all([(await opened()).markOf(room, user), (await opened()).threadMark(room, user, 1)]).then(
        ([{ read }, part]) => read === 1 && part === 2,
      ),
    );
  });

  /** What is asked of the server meanwhile, as `command collection`, and how many documents it gave. */
  async function asked(work: (store: MongoMessageStore) => Promise<unknown>): Promise<[string, number][]> {
    const watched = new URL(await url());
    watched.searchParams.set("monitorCommands", "true");
    const connection = await MongoConnection.open(watched.href);
    afterFile(() => connection.close());
    const store = await MongoMessageStore.open(connection);
    const commands = new Map<number, string>();
    const found: [string, number][] = [];
    const began = ({ requestId, command, commandName }: CommandStartedEvent) =>
      commands.set(requestId, `${commandName} ${String((command as Record<string, unknown>)[commandName])}`);
    const ended = ({ requestId, reply }: CommandSucceededEvent) => {
      const documents = (reply as { cursor?: { firstBatch?: unknown[] } }).cursor?.firstBatch?.length ?? 0;
      found.push([commands.get(requestId) ?? "", documents]);
    };
    // Ends what it does every second by itself, and nothing else.
    await store.close();
    connection.db.client.on("commandStarted", began).on("commandSucceeded", ended);
    await work(store);
    connection.db.client.off("commandStarted", began).off("commandSucceeded", ended);
    return found;
  }

  it("a batch of plain messages takes three commands: insert, marks, floor", async () => {
    const room = newId();
    const batches = 5;
    const commands = await asked(async store => {
      for (let n = 0; n < batches; n++)
        await store.append(
          room,
          [1, 2].map(at => messageEntry({ offset: 2 * n + at, seq: 2 * n + at, batch: 2 * n + 1 })),
        );
    });
    const each = ["insert entries", "find floors", "update marks"];
    expect(commands.map(([what]) => what).toSorted()).toEqual(
      each.flatMap(what => Array(batches).fill(what)).toSorted(),
    );
  });

  it("reads what a user has hidden only of rooms with something unread, and only there", async () => {
    const store = await opened();
    const [user, read, open] = [newId(), newId(), newId()];
    const hide = (roomId: string, seq: number): UserNote => ({
      kind: "hide",
      data: { roomId, messageId: newId(), seq },
    });
    for (const room of [read, open]) await store.append(room, messageEntries(40, { sender: "eve" }));
    const seqs = Array.from({ length: 40 }, (_, n) => n + 1);
    await noted(store, user, ...seqs.map(seq => hide(read, seq)), ...seqs.slice(0, 38).map(seq => hide(open, seq)));
    await noted(store, user, readNote(read, 40), readNote(open, 37));
    const rooms = [read, open].map(room => ({ room, visibleFrom: 0 }));
    let rows: unknown;
    const commands = await asked(async through => (rows = await through.unread(user, rooms)));
    expect(rows).toMatchObject([{ unread: 0 }, { unread: 2 }]);
    expect(commands.filter(([what]) => what === "find hidden")).toEqual([["find hidden", 1]]);
  });

  it("keeps nothing of what was edited away or deleted", async () => {
    const store = await opened();
    const room = newId();
    await store.append(room, [messageEntry({ offset: 1, seq: 1, files: ["file"], mentions: ["bob"] }, "secret 1")]);
    await store.append(room, [edited(2, "secret 2"), edited(3, "secret 3")]);
    const gone = { offset: 1, data: '{"text":""}', deleted: true } as const;
    await store.append(room, [changeEntry("delete", { offset: 4, seq: 1 }, gone)]);
    const documents = await (await stored()).find({ room }).toArray();
    expect(documents).toHaveLength(4);
    expect(JSON.stringify(documents)).not.toContain("secret");
    expect(documents.filter(({ pending, files, mentions }) => pending ?? files ?? mentions)).toEqual([]);
  });

  it("changes nothing when a change is applied twice, late, or by two nodes at once", async () => {
    const [store, other] = [await opened(), await openMongo(await url())];
    const room = newId();
    await store.append(room, [messageEntry({ offset: 1, seq: 1 }, "first")]);
    const reacted = (offset: number, on: boolean) => {
      const change = { offset: 1, data: `{"text":"at ${offset}"}`, reaction: { emoji: "👍", user: "bob", on } };
      return changeEntry("reaction", { offset, seq: 1 }, change, "{}");
    };
    const [on, off, edit] = [reacted(2, true), reacted(3, false), edited(4, "at 4")];
    for (const entry of [on, off, edit]) await store.append(room, [entry]);
    await Promise.all([store, other].flatMap(node => [on, off, edit].map(entry => node.apply(room, [entry]))));
    expect(await shown(room)).toBe("at 4");
    expect(await store.reactions(room, 1)).toEqual([]);
    await Promise.all([store.apply(room, [reacted(6, true)]), other.apply(room, [reacted(6, true)])]);
    await other.apply(room, [off]);
    expect(await store.reactions(room, 1)).toEqual([{ emoji: "👍", user: "bob" }]);
  });

  it("holds nothing below the floor to be of the log, though it stands there still, and removes it when it can", async () => {
    const store = await opened();
    const room = newId();
    const file = newId();
    await store.append(
      room,
      messageEntries(9).map(entry => (entry.offset === 2 ? { ...entry, files: [file] } : entry)),
    );
    const collection = await stored();
    const [left] = await collection.find({ room, offset: 2 }).toArray();
    await store.trim(room, 5);
    // What a writer left that was about to be told that it is too late, and died.
    await collection.insertOne(left as EntryDocument);
    expect((await store.heads([room])).get(room)).toEqual({ offset: 9, seq: 9, floor: 5 });
    expect((await store.events(room, 0, 10, 10_000))[0]?.offset).toBe(5);
    expect((await store.window(room, { after: 0, limit: 1, visibleFrom: 0 }))[0]?.seq).toBe(5);
    expect((await store.page(room, 0, 100, 0)).items).toHaveLength(5);
    expect(await store.byIds([left?.id as string])).toEqual([]);
    expect(await store.shows(file, [{ room, visibleFrom: 0 }])).toBe(false);
    const { sender = "", key = "" } = left ?? {};
    expect(await store.repeats(room, [{ sender, clientId: key.slice(sender.length + 1) }])).toEqual([]);
    expect(await store.front(room, 9)).toMatchObject([
      { offset: 2, at: -Infinity, files: [file] },
      ...[5, 6, 7, 8, 9].map(offset => ({ offset })),
    ]);
    await store.takeOver(room);
    expect(await collection.countDocuments({ room })).toBe(5);
  });

  it("a trim that died at any of its steps is finished by the next: no mark, reaction or entry stays", async () => {
    const database = (await stored()).db;
    for (const dies of ["marks", "reactions", "entries"]) {
      const room = newId();
      const connection = await MongoConnection.open(await url());
      afterFile(() => connection.close());
      const dying = await MongoMessageStore.open(connection);
      afterFile(() => dying.close());
      await dying.append(room, messageEntries(9));
      const reaction = { emoji: "👍", user: "bob", on: true };
      await dying.append(room, [
        changeEntry("reaction", { offset: 10, seq: 9 }, { offset: 2, data: "{}", reaction }, "{}"),
      ]);
      await dying.advance([{ room, user: "bob", read: 3 }]);
      const write = connection.write.bind(connection);
      connection.write = ((work: Parameters<typeof write>[0]) =>
        write(db =>
          work({
            collection(name: string) {
              const collection = db.collection(name);
              if (name === dies) collection.deleteMany = () => Promise.reject(new Error("died"));
              return collection;
            },
          } as never),
        )) as never;
      await expect(dying.trim(room, 5)).rejects.toThrow();
      const store = await opened();
      expect((await store.heads([room])).get(room)?.floor).toBe(5);
      // What it looks at next is what was left.
      const front = await store.front(room, 2);
      expect(front).toMatchObject([
        { offset: 1, at: -Infinity },
        { offset: 2, at: -Infinity },
      ]);
      await store.trim(room, 3);
      expect(await (await stored()).countDocuments({ room })).toBe(6);
      for (const name of ["marks", "reactions"])
        expect([
          name,
          await database
            .collection<{ _id: string }>(name)
            .countDocuments({ _id: { $gt: `${room}:`, $lt: `${room};` } }),
        ]).toEqual([name, name === "marks" ? 1 : 0]);
    }
  });

  it("tells a writer that is too late so, whenever a trim on another node comes between: no number is given twice", async () => {
    const [store, other] = [await opened(), await openMongo(await url())];
    for (let round = 0; round < 4; round++) {
      const room = newId();
      await store.append(room, messageEntries(12));
      let trimming = true;
      const trimmed = other.trim(room, 12).finally(() => (trimming = false));
      const late: Promise<{ stored: number }>[] = [];
      while (trimming) {
        const offset = 2 + (late.length % 10);
        late.push(store.append(room, [messageEntry({ offset, seq: offset })]));
        await Promise.race([trimmed, late.at(-1)]);
      }
      expect(await trimmed).toBe(12);
      expect(late.length).toBeGreaterThan(0);
      expect(new Set((await Promise.all(late)).map(({ stored: count }) => count))).toEqual(new Set([0]));
      expect((await store.events(room, 0, 20, 10_000)).map(({ offset }) => offset)).toEqual([12]);
      expect(await (await stored()).countDocuments({ room })).toBe(1);
    }
  });

  it("asks for the floor after the insert, and joins no look that began before it: that may know of no trim", async () => {
    const connection = await MongoConnection.open(await url());
    afterFile(() => connection.close());
    const slow: MongoConnection = Object.create(connection);
    const held: (() => void)[] = [];
    let holding = false;
    slow.read = async (work, ms) => {
      const answer = await connection.read(work, ms);
      if (holding) await new Promise<void>(resolve => held.push(resolve));
      return answer;
    };
    const store = await MongoMessageStore.open(slow);
    afterFile(() => store.close());
    const room = newId();
    await store.append(room, messageEntries(9));
    holding = true;
    const before = store.heads([room]);
    await eventually("the log and its floor were looked at", () => held.length >= 2);
    holding = false;
    await (await opened()).trim(room, 6);
    const late = store.append(room, [messageEntry({ offset: 3, seq: 3 })]);
    await eventually("it is inserted", async () => (await (await stored()).countDocuments({ room, offset: 3 })) === 1);
    for (const release of held) release();
    expect((await before).get(room)).toEqual({ offset: 9, seq: 9, floor: 1 });
    expect(await late).toEqual({ stored: 0 });
    expect((await store.heads([room])).get(room)).toEqual({ offset: 9, seq: 9, floor: 6 });
  });

  it("message state is derived before append resolves, and so before publish and ack", async () => {
    const store: MongoMessageStore = Object.create(await opened());
    let release = (): void => undefined;
    const held = new Promise<void>(resolve => (release = resolve));
    store.apply = () => held;
    const room = newId();
    let done = false;
    const appended = store.append(room, [messageEntry({ offset: 1, seq: 1 })]).finally(() => (done = true));
    await eventually("it is inserted", async () => (await store.heads([room])).get(room)?.offset === 1);
    // Whatever else is asked for after the insert is answered by now.
    for (let look = 0; look < 5; look++) await store.heads([room]);
    expect(done).toBe(false);
    release();
    expect(await appended).toEqual({ stored: 1 });
  });

  it.each([
    ["away", new StorageError("failed", "away")],
    ["unconfirmed", new DuplicateKeyError("reactions")],
  ])(
    "says unknown (%s), never failed, where what follows from stored entries could not be done",
    async (reason, why) => {
      const store: MongoMessageStore = Object.create(await opened());
      store.apply = () => Promise.reject(why);
      const room = newId();
      const entry = messageEntry({ offset: 1, seq: 1 });
      await expect(store.append(room, [entry])).rejects.toMatchObject({ outcome: "unknown", reason });
      expect(await (await opened()).repeats(room, [entry])).toHaveLength(1);
    },
  );

  it("keeps the floor where it is when it is raised by a trim that began before", async () => {
    const store = await opened();
    const room = newId();
    await store.append(room, messageEntries(9));
    const connection = await MongoConnection.open(await url());
    afterFile(() => connection.close());
    await store.trim(room, 7);
    await new MongoFloors(connection).raise(room, { floor: 4, seq: 3 });
    expect((await store.heads([room])).get(room)).toEqual({ offset: 9, seq: 9, floor: 7 });
  });

  it("lets neither of two busy writers of one room wait until the other is done", async () => {
    const room = newId();
    const writers = [ground(await opened(), room), ground(await openMongo(await url()), room)];
    const sequence: number[] = [];
    let ended = false;
    await Promise.all(
      writers.map(async (writer, w) => {
        const user = person();
        for (let n = 0; n < 40 && !ended; n++) {
          message(await writer.send(user, `${n}`));
          sequence.push(w);
        }
        ended = true;
      }),
    );
    // Whoever is done first has not kept the other out: both have written.
    expect(Math.min(...[0, 1].map(w => sequence.filter(writer => writer === w).length))).toBeGreaterThan(0);
  });

  it("loses no acknowledged edit and leaves none half done when its writer is killed again and again", async () => {
    const store = await opened();
    const { send, room } = ground(store);
    const author = person();
    const { id } = message(await send(author, "version 0"));
    for (let kill = 1; kill <= 5; kill++) {
      const edits = (await store.events(room, 1, 1_000, 1e6)).length;
      const script = join(__dirname, "children", "editor.ts");
      const args = ["--require", require.resolve("tsx/cjs"), script, await url(), room, id, author.id, `${edits + 1}`];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      const acked: string[] = [];
      const lines = createInterface({ input: child.stdout }).on("line", line => acked.push(line));
      while (acked.length < 3 * kill) await nextOf(lines, "line");
      child.kill("SIGKILL");
      await nextOf(child, "close");
      const last = Number(acked.at(-1)?.replace("acked ", ""));
      // Each edit is one entry: so many stand in the log, and the last of them is what the message says.
      const state = async () => {
        const entries = await store.events(room, 1, 1_000, 1e6);
        return { count: entries.length, replayed: text(entries.at(-1)?.data as string), shown: await shown(room) };
      };
      const { count } = await eventually(
        "history and replay show the last edit",
        state,
        now => now.shown === `version ${now.count}` && now.replayed === now.shown,
      );
      expect([last, last + 1]).toContain(count);
    }
    expect(await (await stored()).countDocuments({ room, pending: { $exists: true } })).toBe(0);
  });
});
