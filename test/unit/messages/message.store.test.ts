import { join } from "node:path";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import type { Aside, AsideEntry } from "../../../services/core/contract";
import { newId } from "../../../services/core/ids";
import type { UserNote } from "../../../services/core/model";
import type { Entry, MessageStore, OwnSlice } from "../../../services/messages/message.store";
import { SqliteMessageStore } from "../../../services/messages/message.store.sqlite";
import { afterFile } from "../../support/cleanup";
import { temporaryFolder } from "../../support/temp";
import {
  changeEntry,
  deliveredNote,
  messageEntries,
  messageEntry,
  noted,
  noteEntry,
  readAloneNote,
  readNote,
  unreadNote,
} from "./entries";
import { once, stores } from "./stores";

describe.each(stores)("the message store in %s", (_name, open) => {
  const opened = once(open);
  const texts = (rows: readonly { data: string }[]) =>
    rows.map(({ data }) => (JSON.parse(data) as { text: string }).text);
  const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => `text ${from + n}`);

  it.each<[string, (first: Entry) => Partial<Entry>]>([
    ["offset", () => ({ offset: 1 })],
    ["seq", () => ({ seq: 1 })],
    ["clientId of its sender", ({ sender, clientId }) => ({ sender, clientId })],
    ["message id", ({ id }) => ({ id })],
  ])("stores a batch up to the entry whose %s is taken, and nothing after it", async (_what, taken) => {
    const { store } = await opened();
    const room = newId();
    const first = messageEntry({ offset: 1, seq: 1 });
    expect(await store.append(room, [first])).toEqual({ stored: 1 });
    const batch = [2, 3, 4, 5].map(n => messageEntry({ offset: n, seq: n, batch: 2 }));
    Object.assign(batch[2] as Entry, taken(first));
    expect(await store.append(room, batch)).toEqual({ stored: 2 });
    expect((await store.events(room, 0, 10, 10_000)).map(({ offset }) => offset)).toEqual([1, 2, 3]);
    expect((await store.heads([room])).get(room)).toEqual({ offset: 3, seq: 3, floor: 1 });
  });

  it("takes the same clientId from another sender and in another room", async () => {
    const { store } = await opened();
    const [room, other] = [newId(), newId()];
    const first = messageEntry({ offset: 1, seq: 1, clientId: "same" });
    await store.append(room, [first]);
    const ofBob = messageEntry({ offset: 2, seq: 2, sender: "bob", clientId: "same" });
    expect(await store.append(room, [ofBob])).toEqual({ stored: 1 });
    expect(await store.append(other, [{ ...first, id: newId() }])).toEqual({ stored: 1 });
    const keys = [first, ofBob].map(({ sender, clientId }) => ({ sender, clientId }));
    const repeats = await store.repeats(room, [...keys, { sender: "bob", clientId: "unknown" }]);
    expect(repeats.map(({ sender, offset }) => [sender, offset]).sort()).toEqual([
      ["ann", 1],
      ["bob", 2],
    ]);
  });

  it("gives the heads of many rooms, also of empty ones", async () => {
    const { store } = await opened();
    const rooms = Array.from({ length: 40 }, () => newId());
    await Promise.all(rooms.slice(1).map((room, n) => store.append(room, messageEntries(n + 1))));
    const heads = await store.heads(rooms);
    expect(heads.get(rooms[0] as string)).toEqual({ offset: 0, seq: 0, floor: 1 });
    for (const [n, room] of rooms.entries()) expect(heads.get(room)).toMatchObject({ offset: n, seq: n });
    expect((await store.takeOver(rooms[7] as string)).head).toEqual({ offset: 7, seq: 7 });
    expect((await store.takeOver(newId())).head).toEqual({ offset: 0, seq: 0 });
  });

  it("shows windows and pages of messages, cut where the reader may see nothing older", async () => {
    const { store } = await opened();
    const room = newId();
    // Entries that are no messages stand between them: offsets and seqs differ.
    const entries = Array.from({ length: 20 }, (_, n) => [
      { ...messageEntry({ offset: 2 * n + 1, seq: n + 1 }, `text ${n + 1}`), batch: 1 },
      { ...messageEntry({ offset: 2 * n + 2, seq: n + 1 }), kind: "room" as const, id: null, batch: 1 },
    ]).flat();
    await store.append(room, entries);
    const window = async (bounds: object, visibleFrom = 0) =>
      texts(await store.window(room, { limit: 5, visibleFrom, ...bounds }));
    expect(await window({})).toEqual(numbered(16, 20));
    expect(await window({ before: 9 })).toEqual(numbered(4, 8));
    expect(await window({ before: 3 })).toEqual(numbered(1, 2));
    expect(await window({ before: 1 })).toEqual([]);
    expect(await window({ before: 1_000 })).toEqual(numbered(16, 20));
    expect(await window({ after: 9 })).toEqual(numbered(10, 14));
    expect(await window({ after: 18 })).toEqual(numbered(19, 20));
    expect(await window({ after: 0 }, 10)).toEqual(numbered(6, 10));
    expect(await window({ before: 8 }, 10)).toEqual(numbered(6, 7));
    expect(await window({ before: 8 }, 11)).toEqual(numbered(7, 7));
    expect(await window({}, 40)).toEqual([]);
    const page = async (skip: number, visibleFrom = 0) => {
      const { items, total } = await store.page(room, skip, 5, visibleFrom);
      return [texts(items.map(data => ({ data }))), total];
    };
    expect(await page(0)).toEqual([numbered(16, 20), 20]);
    expect(await page(18)).toEqual([numbered(1, 2), 20]);
    expect(await page(25)).toEqual([[], 20]);
    expect(await page(10, 12)).toEqual([numbered(7, 10), 14]);
    expect(await page(0, 40)).toEqual([[], 0]);
    expect(await store.page(newId(), 0, 5, 0)).toEqual({ items: [], total: 0 });
  });

  it("replays at least one event, then as many as fit into the bytes and the limit", async () => {
    const { store } = await opened();
    const room = newId();
    await store.append(room, messageEntries(10, { data: "x".repeat(100) }));
    const offsets = async (...bounds: [after: number, limit: number, bytes: number]) =>
      (await store.events(room, ...bounds)).map(({ offset }) => offset);
    expect(await offsets(3, 4, 10_000)).toEqual([4, 5, 6, 7]);
    expect(await offsets(3, 4, 250)).toEqual([4, 5]);
    expect(await offsets(0, 10, 1)).toEqual([1]);
    expect(await offsets(10, 10, 10_000)).toEqual([]);
  });

  it("shows an edited or deleted message as it is now, wherever it is read", async () => {
    const { store } = await opened();
    const room = newId();
    const message = messageEntry({ offset: 1, seq: 1 }, "first");
    const id = message.id as string;
    await store.append(room, [message]);
    const edit = changeEntry("edit", { offset: 2, seq: 1 }, { offset: 1, data: '{"text":"second"}' });
    await store.append(room, [edit]);
    const [shown] = await store.byIds([id]);
    expect(shown).toMatchObject({ room, offset: 1, seq: 1, sender: "ann", deleted: false, data: '{"text":"second"}' });
    const gone = { offset: 1, data: '{"text":""}', deleted: true } as const;
    await store.append(room, [changeEntry("delete", { offset: 3, seq: 1 }, gone)]);
    expect((await store.byIds([id]))[0]).toMatchObject({ deleted: true, data: '{"text":""}' });
    expect(texts(await store.window(room, { limit: 5, visibleFrom: 0 }))).toEqual([""]);
    const target = { offset: 1, data: '{"text":""}' };
    expect(await store.events(room, 0, 10, 10_000)).toEqual([
      { offset: 1, seq: 1, kind: "message", data: '{"text":""}' },
      { offset: 2, seq: 1, kind: "edit", data: '{"text":""}', target },
      { offset: 3, seq: 1, kind: "delete", data: '{"text":""}', target },
    ]);
    // The own earlier entry, found again, answers with the message it changed.
    expect(await store.repeats(room, [edit])).toMatchObject([{ offset: 2, data: '{"text":""}' }]);
  });

  it("finds what a user wrote in a room, and the reactions of his that stand, slice by slice", async () => {
    const { store } = await opened();
    const room = newId();
    const by = (offset: number, sender: string) => messageEntry({ offset, seq: offset, sender });
    // Whose name begins like another's is somebody else.
    const said = [by(1, "ann"), by(2, "anna"), by(3, "ann"), by(4, "bob")];
    const react = (offset: number, emoji: string, on: boolean) =>
      changeEntry(
        "reaction",
        { offset, seq: 4 },
        { offset: 4, data: "{}", reaction: { emoji, user: "ann", on } },
        JSON.stringify({ messageId: "m4", emoji, on }),
      );
    const changes = [react(5, "👍", true), react(6, "🎉", true), react(7, "👍", false), react(8, "👍", true)];
    const gone = react(9, "🎉", false);
    await store.append(newId(), [by(1, "ann")]);
    for (const entry of [...said, ...changes, gone]) await store.append(room, [entry]);
    const found: unknown[] = [];
    for (let after: string | null = ""; after !== null;) {
      const slice: OwnSlice = await store.ownEntries(room, "ann", after, 2);
      found.push(...slice.entries.map(({ data }) => JSON.parse(data) as { text?: string; emoji?: string }));
      after = slice.next;
    }
    expect(found).toEqual([
      expect.objectContaining({ text: "text 1" }),
      expect.objectContaining({ text: "text 3" }),
      { messageId: "m4", emoji: "👍", on: true },
    ]);
    await store.trim(room, 3);
    expect((await store.ownEntries(room, "ann", "", 10)).entries).toHaveLength(2);
  });

  it("finds what a user has of single messages of all rooms, slice by slice; what has left the log is gone", async () => {
    const { store } = await opened();
    const [user, other] = [newId(), newId()];
    const rooms = [newId(), newId()].sort() as [string, string];
    const ids = new Map<string, (string | null)[]>();
    for (const room of rooms) {
      const thread = { root: 2, starter: user, named: [other] };
      const entries = messageEntries(3);
      await store.append(room, entries);
      await store.append(room, [messageEntry({ offset: 4, seq: 4, thread, change: { offset: 2, data: "{}" } })]);
      ids.set(
        room,
        entries.map(({ id }) => id),
      );
    }
    const hide = (roomId: string, seq: number): UserNote => ({ kind: "hide", data: { roomId, messageId: "m", seq } });
    await noted(store, user, hide(rooms[1], 3), hide(rooms[1], 1), hide(rooms[0], 3));
    await noted(store, other, hide(rooms[0], 2));
    const all = async (who: string, what: Aside): Promise<AsideEntry[]> => {
      const found: AsideEntry[] = [];
      for (;;) {
        const slice = await store.aside(who, what, found.at(-1), 1);
        if (slice.length === 0) return found;
        found.push(...slice);
      }
    };
    const at = (room: string, seq: number) => ({ room, seq, id: ids.get(room)?.[seq - 1] });
    const hidden = [at(rooms[0], 3), at(rooms[1], 1), at(rooms[1], 3)];
    expect(await all(user, "hidden")).toEqual(hidden);
    expect(await all(other, "threads")).toEqual(rooms.map(room => ({ ...at(room, 2), read: 0 })));
    for (const threads of [4, 3]) await store.advance([{ room: rooms[1], user, threads }]);
    expect(await all(user, "threads")).toEqual([
      { ...at(rooms[0], 2), read: 0 },
      { ...at(rooms[1], 2), read: 4 },
    ]);
    await store.trim(rooms[1], 3);
    expect(await all(user, "hidden")).toEqual([hidden[0], hidden[2]]);
    expect(await all(user, "threads")).toHaveLength(1);
  });

  it("keeps what was deleted in a room on hold, and what it said before, until that is dropped, in steps", async () => {
    const { store, beside } = await opened();
    const [room, other, plain] = [newId(), newId(), newId()].toSorted() as [string, string, string];
    const said = (text: string) => JSON.stringify({ text, at: "then" });
    for (const id of [room, other, plain]) {
      const held = id !== plain;
      await store.append(id, messageEntries(2));
      for (const [n, text] of ["one", "two", "three"].entries()) {
        const edit = { offset: 1, data: "{}", version: said(text) };
        await store.append(id, [changeEntry("edit", { offset: 3 + n, seq: 2 }, edit)]);
      }
      const gone = { offset: 1, data: '{"text":""}', deleted: true, ...(held && { version: said("four") }) } as const;
      await store.append(id, [changeEntry("delete", { offset: 6, seq: 2 }, gone)]);
      const edit = { offset: 2, data: "{}", version: said("of another") };
      await store.append(id, [changeEntry("edit", { offset: 7, seq: 2 }, edit)]);
    }
    const versions = async (id: string, offset = 1) =>
      texts((await store.versions(id, offset, 9)).map(data => ({ data })));
    expect(await versions(room)).toEqual(["one", "two", "three", "four"]);
    expect(await versions(plain)).toEqual([]);
    // Readers of the log are told of none of it.
    expect(JSON.stringify(await store.events(room, 0, 9, 1e6))).not.toMatch(/one|four/);
    const before = (id: string): string => id.slice(0, -1);
    expect(await store.nextKeeping(before(room))).toBe(room);
    let steps = 1;
    for (; await (await beside()).dropKept(room, 1); steps++) expect(steps).toBeLessThan(9);
    expect(steps).toBeGreaterThan(2);
    expect(await versions(room)).toEqual([]);
    expect(await versions(room, 2)).toEqual(["of another"]);
    expect(await versions(other)).toEqual(["one", "two", "three", "four"]);
    expect(await store.dropKept(room, 9)).toBe(false);
    expect(await store.nextKeeping(before(room))).not.toBe(room);
    await store.dropKept(other, 9);
    await store.dropKept(other, 9);
    expect(await versions(other)).toEqual([]);
  });

  it("keeps reactions in the order they came, each once", async () => {
    const { store } = await opened();
    const room = newId();
    let offset = 1;
    await store.append(room, [messageEntry({ offset, seq: 1 })]);
    const react = (user: string, emoji: string, on = true) => {
      const change = { offset: 1, data: "{}", reaction: { emoji, user, on } };
      return store.append(room, [changeEntry("reaction", { offset: ++offset, seq: 1 }, change, "{}")]);
    };
    await react("bob", "👍");
    await react("ann", "🎉");
    await react("ann", "👍");
    await react("bob", "👍", false);
    await react("bob", "👍");
    expect(await store.reactions(room, 1)).toEqual([
      { user: "ann", emoji: "🎉" },
      { user: "ann", emoji: "👍" },
      { user: "bob", emoji: "👍" },
    ]);
    await store.append(room, [
      changeEntry("delete", { offset: ++offset, seq: 1 }, { offset: 1, data: "{}", deleted: true }),
    ]);
    expect(await store.reactions(room, 1)).toEqual([]);
  });

  it("moves marks forward only, with the notes of them", async () => {
    const { store } = await opened();
    const [room, user] = [newId(), newId()];
    await noted(
      store,
      user,
      readNote(room, 5),
      readNote(room, 3),
      deliveredNote(room, 8),
      deliveredNote(room, 7),
      readAloneNote(room, 6),
    );
    expect(await store.marks(room)).toEqual([{ user, read: 5, delivered: 8, joined: 0 }]);
    expect(await store.markOf(room, user)).toEqual({ read: 5, delivered: 8, private: 6, again: 0 });
    const rooms = Array.from({ length: 3 }, newId);
    const marks = rooms.map((roomId, at) => ({ roomId, seq: at + 1 }));
    await noted(store, user, { kind: "readAll", data: { marks } });
    for (const [at, id] of rooms.entries())
      expect(await store.marks(id, [user, newId()])).toEqual([{ user, read: at + 1, delivered: at + 1, joined: 0 }]);
    expect(await store.marks(newId())).toEqual([]);
  });

  it("moves the read mark of who sends with what was stored, where a later entry of his is refused", async () => {
    const { store } = await opened();
    const room = newId();
    const first = messageEntry({ offset: 1, seq: 1 });
    await store.append(room, [first]);
    const batch = [2, 3].map(n => messageEntry({ offset: n, seq: n, batch: 2 }));
    Object.assign(batch[1] as Entry, { clientId: first.clientId });
    expect(await store.append(room, batch)).toEqual({ stored: 1 });
    expect(await store.unread(first.sender, [{ room, visibleFrom: 0 }])).toMatchObject([{ unread: 0, readSeq: 2 }]);
  });

  it("moves the read mark of who joined with what was stored, where a later entry of his is refused", async () => {
    const { store } = await opened();
    const room = newId();
    const first = messageEntry({ offset: 1, seq: 1 });
    await store.append(room, [first]);
    const joined = { kind: "member", id: null, data: JSON.stringify({ userId: "eve", change: "join" }) } as const;
    const batch = [
      { ...messageEntry({ offset: 2, seq: 1, batch: 2, sender: "rooms" }), ...joined },
      messageEntry({ offset: 3, seq: 2, batch: 2, sender: "eve", id: first.id }),
    ];
    expect(await store.append(room, batch)).toEqual({ stored: 1 });
    expect((await store.marks(room)).map(({ user, read }) => [user, read]).sort()).toEqual([
      ["ann", 1],
      ["eve", 1],
    ]);
  });

  it("has done all there is to do with the commit of a batch, where a later entry of it is refused", async () => {
    const database = await SqliteDatabase.open(join(temporaryFolder(), "log.db"));
    afterFile(() => database.close());
    const store = await SqliteMessageStore.open(database);
    const room = newId();
    const first = messageEntry({ offset: 1, seq: 1 });
    await store.append(room, [first]);
    const write = jest.spyOn(database, "write");
    const [second, repeat] = [messageEntry({ offset: 2, seq: 2 }), messageEntry({ offset: 3, seq: 3 })];
    Object.assign(repeat, { clientId: first.clientId });
    expect(await store.append(room, [second, repeat])).toEqual({ stored: 1 });
    // A second write could fail, and what is stored would be told not to be.
    expect(write).toHaveBeenCalledTimes(1);
  });

  it("keeps nothing of what has left a log, in the file", async () => {
    const database = await SqliteDatabase.open(join(temporaryFolder(), "log.db"));
    afterFile(() => database.close());
    const store = await SqliteMessageStore.open(database);
    const [room, file, user] = [newId(), newId(), newId()];
    await store.append(room, [
      messageEntry({ offset: 1, seq: 1, files: [file], mentions: [user] }),
      messageEntry({ offset: 2, seq: 2 }),
    ]);
    const reaction = { emoji: "👍", user, on: true };
    await store.append(room, [changeEntry("reaction", { offset: 3, seq: 2 }, { offset: 1, data: "{}", reaction })]);
    await store.trim(room, 2);
    for (const table of ["attachments", "mentions", "reactions"])
      expect([table, await database.all(`SELECT * FROM ${table} WHERE room = ?`, [room])]).toEqual([table, []]);
  });

  it("moves the read mark of who sends and of who joins", async () => {
    const { store } = await opened();
    const room = newId();
    const joined = { kind: "member", id: null, data: JSON.stringify({ userId: "eve", change: "join" }) } as const;
    await store.append(room, [
      messageEntry({ offset: 1, seq: 1, batch: 1, sender: "ann" }),
      messageEntry({ offset: 2, seq: 2, batch: 1, sender: "bob" }),
      { ...messageEntry({ offset: 3, seq: 2, batch: 1, sender: "rooms" }), ...joined },
      messageEntry({ offset: 4, seq: 3, batch: 1, sender: "ann" }),
    ]);
    expect((await store.marks(room)).map(({ user, read }) => [user, read]).sort()).toEqual([
      ["ann", 3],
      ["bob", 2],
      ["eve", 2],
    ]);
  });

  it("forgets of a user what he has read and hidden, and that others name him; these keep theirs", async () => {
    const { store } = await opened();
    const [room, user] = [newId(), newId()];
    const entries = messageEntries(4, { sender: "bob" });
    for (const at of [0, 2]) Object.assign(entries[at] as Entry, { mentions: [user, "carl"] });
    await store.append(room, entries);
    const counts = async (whom: string) => (await store.unread(whom, [{ room, visibleFrom: 0 }]))[0];
    await store.advance([{ room, user, read: 1 }]);
    expect(await counts(user)).toMatchObject({ mentions: 1, readSeq: 1 });
    for (let again = 0; again < 2; again++) await store.forget(room, user);
    expect(await counts(user)).toMatchObject({ mentions: 0, readSeq: 0 });
    expect(await counts("carl")).toMatchObject({ mentions: 2 });
  });

  it("counts unread messages and mentions of all rooms of a user", async () => {
    const { store } = await opened();
    const [busy, empty, joined] = [newId(), newId(), newId()];
    const user = newId();
    for (const room of [busy, joined]) {
      const entries = messageEntries(6);
      Object.assign(entries[1] as Entry, { mentions: [user, "bob"] });
      Object.assign(entries[4] as Entry, { mentions: [user] });
      await store.append(room, entries);
    }
    await store.append(busy, [
      changeEntry("delete", { offset: 7, seq: 6 }, { offset: 5, data: "{}", deleted: true }),
      messageEntry({ offset: 8, seq: 7 }),
    ]);
    await noted(store, user, readNote(busy, 1));
    const rows = await store.unread(user, [
      { room: busy, visibleFrom: 0 },
      { room: empty, visibleFrom: 0 },
      { room: joined, visibleFrom: 3 },
    ]);
    expect(rows).toEqual([
      { room: busy, unread: 5, mentions: 1, lastSeq: 7, readSeq: 1 },
      { room: empty, unread: 0, mentions: 0, lastSeq: 0, readSeq: 0 },
      { room: joined, unread: 3, mentions: 1, lastSeq: 6, readSeq: 0 },
    ]);
  });

  it("knows who may see a file: members of a room that shows it, from where they see", async () => {
    const { store } = await opened();
    const [room, other, file] = [newId(), newId(), newId()];
    await store.append(room, [messageEntry({ offset: 1, seq: 1, files: [newId(), file] })]);
    await store.append(room, [messageEntry({ offset: 2, seq: 2 })]);
    const shows = (id: string, visibleFrom = 0) =>
      store.shows(file, [
        { room: other, visibleFrom: 0 },
        { room: id, visibleFrom },
      ]);
    expect(await shows(room)).toBe(true);
    expect(await shows(room, 1)).toBe(false);
    expect(await shows(other)).toBe(false);
    expect(await store.shows(newId(), [{ room, visibleFrom: 0 }])).toBe(false);
    await store.append(room, [changeEntry("delete", { offset: 3, seq: 2 }, { offset: 1, data: "{}", deleted: true })]);
    expect(await shows(room)).toBe(false);
  });

  it("is the same store with the same epoch for all who open it", async () => {
    const { store, beside } = await opened();
    const others = await Promise.all([beside(), beside(), beside()]);
    expect(store.epoch).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(others.map(({ epoch }) => epoch))).toEqual(new Set([store.epoch]));
  });

  describe("design 4, Entries", () => {
    const taken: [string, (first: Entry) => Partial<Entry>][] = [
      ["(room, offset)", () => ({ offset: 1 })],
      ["(room, seq) among messages", () => ({ seq: 1 })],
      ["(room, sender, clientId)", ({ sender, clientId }) => ({ sender, clientId })],
    ];
    const places = [
      ["first", 0],
      ["middle", 2],
      ["last", 4],
    ] as const;

    it.each(taken.flatMap(key => places.map(place => [key[0], place[0], key[1], place[1]] as const)))(
      "%s is unique: the %s entry of a batch is refused, what is before it stays, nothing after it does",
      async (_key, _place, fields, at) => {
        const { store } = await opened();
        const room = newId();
        const first = messageEntry({ offset: 1, seq: 1 });
        await store.append(room, [first]);
        const batch = [2, 3, 4, 5, 6].map(n => messageEntry({ offset: n, seq: n, batch: 2 }));
        Object.assign(batch[at] as Entry, fields(first));
        expect(await store.append(room, batch)).toEqual({ stored: at });
        expect((await store.heads([room])).get(room)).toEqual({ offset: 1 + at, seq: 1 + at, floor: 1 });
        // What was not stored has left nothing behind: under the next offsets it goes in.
        const rest = batch.slice(at).map(({ id, clientId }, n) => {
          const next = 2 + at + n;
          const again = n === 0 ? { clientId: newId() } : { clientId };
          return messageEntry({ offset: next, seq: next, id, ...again });
        });
        expect(await store.append(room, rest)).toEqual({ stored: rest.length });
        const marks = await store.marks(room);
        expect(marks).toEqual([{ user: "ann", read: 6, delivered: 6, joined: 0 }]);
      },
    );

    it("several entries of a batch that are taken count as the first of them", async () => {
      const { store } = await opened();
      const room = newId();
      const first = messageEntry({ offset: 1, seq: 1 });
      await store.append(room, [first]);
      const batch = [2, 3, 4, 5].map(n => messageEntry({ offset: n, seq: n, batch: 2 }));
      for (const [at, [, fields]] of taken.entries()) Object.assign(batch[at + 1] as Entry, fields(first));
      expect(await store.append(room, batch)).toEqual({ stored: 1 });
      expect(await store.append(room, [first, ...batch])).toEqual({ stored: 0 });
      // And within one batch.
      const twins = [3, 4].map(n => messageEntry({ offset: n, seq: n, batch: 3, clientId: "twin" }));
      expect(await store.append(room, twins)).toEqual({ stored: 1 });
    });

    it("each offset is stored by one of many writers at once, whole batches without a hole", async () => {
      const { store, beside } = await opened();
      const other = await beside();
      const room = newId();
      const written: Entry[] = [];
      await Promise.all(
        Array.from({ length: 8 }, async (_, w) => {
          const [one, sender] = [w % 2 ? store : other, `writer ${w}`];
          for (let n = 0; n < 5;) {
            const { head } = await one.takeOver(room);
            const batch = [1, 2, 3].map(k =>
              messageEntry({ offset: head.offset + k, seq: head.seq + k, batch: head.offset + 1, sender }),
            );
            const { stored } = await one.append(room, batch);
            written.push(...batch.slice(0, stored));
            if (stored > 0) n++;
          }
        }),
      );
      const ids = (await store.window(room, { limit: 1_000, visibleFrom: 0 })).map(
        ({ data }) => (JSON.parse(data) as { id: string }).id,
      );
      expect(ids).toEqual(written.toSorted((a, b) => a.offset - b.offset).map(({ id }) => id));
      expect((await store.heads([room])).get(room)).toMatchObject({ offset: written.length, seq: written.length });
    });

    it("a range is what is after an offset, by number and bytes, in order, and empty at and beyond the head", async () => {
      const { store } = await opened();
      const room = newId();
      const offsets = async (...bounds: [after: number, limit: number, bytes: number]) =>
        (await store.events(room, ...bounds)).map(({ offset }) => offset);
      expect(await offsets(0, 10, 1_000)).toEqual([]);
      await store.append(room, messageEntries(4, { data: "x".repeat(100) }));
      expect(await offsets(0, 1, 1_000)).toEqual([1]);
      expect(await offsets(0, 9, 1_000)).toEqual([1, 2, 3, 4]);
      expect(await offsets(1, 9, 200)).toEqual([2, 3]);
      expect(await offsets(1, 9, 199)).toEqual([2]);
      expect(await offsets(3, 9, 1_000)).toEqual([4]);
      expect(await offsets(4, 9, 1_000)).toEqual([]);
      expect(await offsets(1_000, 9, 1_000)).toEqual([]);
    });

    it("who takes a room over learns what he has missed, one by one, or that it was too much", async () => {
      const { store } = await opened();
      const room = newId();
      for (let from = 0; from < 300; from += 100)
        await store.append(
          room,
          Array.from({ length: 100 }, (_, n) =>
            messageEntry({ offset: from + n + 1, seq: from + n + 1, batch: from + 1 }),
          ),
        );
      const head = { offset: 300, seq: 300 };
      const missed = async (offset: number) => (await store.takeOver(room, { offset, seq: offset })).missed?.length;
      expect(await store.takeOver(room)).toEqual({ head, missed: null });
      expect(await store.takeOver(room, head)).toEqual({ head, missed: [] });
      expect([await missed(299), await missed(44), await missed(43)]).toEqual([1, 256, undefined]);
      expect((await store.takeOver(room, { offset: 43, seq: 43 })).head).toEqual(head);
    });

    it("repeats are found by sender and clientId, however many are asked, each with its hash and message of now", async () => {
      const { store } = await opened();
      const room = newId();
      const entries = messageEntries(250).map((entry, n) => ({ ...entry, sender: `user-${n % 3}`, hash: `hash ${n}` }));
      await store.append(room, entries);
      const edit = changeEntry("edit", { offset: 251, seq: 250 }, { offset: 1, data: '{"text":"now"}' });
      await store.append(room, [edit]);
      const found = await store.repeats(room, [...entries, ...messageEntries(50)]);
      expect(found).toHaveLength(250);
      const first = found.find(({ offset }) => offset === 1);
      const { sender, clientId } = entries[0] as Entry;
      expect(first).toEqual({ sender, clientId, offset: 1, seq: 1, hash: "hash 0", data: '{"text":"now"}' });
      expect(await store.repeats(room, [])).toEqual([]);
      expect(await store.repeats(newId(), entries)).toEqual([]);
      expect(await store.repeats(room, [{ sender: "user-1", clientId }])).toEqual([]);
    });

    const hostile = [
      ["__proto__", "constructor", "toString"],
      ["$where", "$set", "a.b.c", "$"],
      ["\u0000", "a\u0000b", "\u001f", "\u007f"],
      ["'; DROP TABLE entries; --", '"', "\\", "`", "%", "_", "*"],
      ["\u{1f469}\u200d\u{1f469}\u200d\u{1f467}", "\u202e", "\ufeff", "e\u0301", "\uffff", "\u{10ffff}"],
    ].flat();

    it("hostile keys and every character come back as they went in, and are nobody else's", async () => {
      const { store } = await opened();
      const room = newId();
      // No id and no emoji has a NUL; what is said may.
      const names = hostile.map(text => text.replaceAll("\0", "NUL"));
      const entries = hostile.map((text, n) => {
        const metadata = JSON.parse(`{${JSON.stringify(text)}:${n}}`) as object;
        const data = JSON.stringify({ id: newId(), text, metadata });
        const key = { sender: `sender ${names[n]}`, clientId: names[n] as string };
        return messageEntry({ offset: n + 1, seq: n + 1, batch: 1, hash: names[n] as string, data, ...key });
      });
      expect(await store.append(room, entries)).toEqual({ stored: entries.length });
      const events = await store.events(room, 0, 100, 1e6);
      expect(events.map(({ data }) => data)).toEqual(entries.map(({ data }) => data));
      const repeats = (await store.repeats(room, entries)).toSorted((a, b) => a.offset - b.offset);
      expect(repeats.map(({ hash }) => hash)).toEqual(names);
      const users = names.map(text => `sender ${text}`);
      expect((await store.marks(room)).map(({ user }) => user).toSorted()).toEqual(users.toSorted());
      let offset = entries.length;
      for (const [n, emoji] of names.entries()) {
        const change = { offset: 1, data: "{}", reaction: { emoji, user: users[n] as string, on: true } };
        await store.append(room, [changeEntry("reaction", { offset: ++offset, seq: entries.length }, change, "{}")]);
      }
      expect(await store.reactions(room, 1)).toEqual(names.map((emoji, n) => ({ emoji, user: users[n] })));
      expect(await store.unread("$where", [{ room, visibleFrom: 0 }])).toMatchObject([{ unread: hostile.length }]);
      expect(({} as Record<string, unknown>)["0"]).toBeUndefined();
    });

    it("the longest texts in every script are stored whole, as many as an append takes", async () => {
      const { store } = await opened();
      const room = newId();
      const longest = ["a", "\u00e9", "\u20ac", "\u{1f600}"].map(character => character.repeat(4_000));
      const texts = Array.from({ length: 20 }, (_, n) => longest[n % 4] as string);
      const entries = texts.map((text, n) => messageEntry({ offset: n + 1, seq: n + 1, batch: 1 }, text));
      expect(await store.append(room, entries)).toEqual({ stored: 20 });
      const found = await store.window(room, { limit: 20, visibleFrom: 0 });
      expect(found.map(({ data }) => (JSON.parse(data) as { text: string }).text)).toEqual(texts);
    });

    it("whoever opens the store again finds all of it, under the same epoch", async () => {
      const { store, beside } = await opened();
      const room = newId();
      await store.append(room, messageEntries(7));
      await store.append(room, [changeEntry("edit", { offset: 8, seq: 7 }, { offset: 7, data: '{"text":"now"}' })]);
      const bob = newId();
      await noted(store, bob, readNote(room, 3), deliveredNote(room, 5));
      await store.trim(room, 3);
      const again = await beside();
      expect(again.epoch).toBe(store.epoch);
      expect((await again.heads([room])).get(room)).toEqual({ offset: 8, seq: 7, floor: 3 });
      expect(texts(await again.window(room, { limit: 9, visibleFrom: 0 }))).toEqual([...numbered(3, 6), "now"]);
      expect(await again.marks(room)).toContainEqual({ user: bob, read: 3, delivered: 5, joined: 0 });
      expect(await again.append(room, [messageEntry({ offset: 8, seq: 8 })])).toEqual({ stored: 0 });
    });
  });

  describe("design 4, Marks", () => {
    it("delivered and read only grow, whoever moves them at once on whichever node", async () => {
      const { store, beside } = await opened();
      const nodes = [store, await beside()];
      const room = newId();
      const [ann, bob, cid] = [newId(), newId(), newId()];
      const values = Array.from({ length: 60 }, (_, n) => ((n * 37) % 60) + 1);
      const tell = (value: number, user: string, n: number, note: UserNote) =>
        nodes[value % 2]?.append(user, [noteEntry(n, note)]);
      // Also when the highest comes first, and each of its own.
      for (const [at, value] of [...values].reverse().entries()) await tell(value, bob, at + 1, readNote(room, value));
      await store.append(
        cid,
        values.flatMap((value, at) => [
          noteEntry(2 * at + 1, deliveredNote(room, value)),
          noteEntry(2 * at + 2, readNote(room, Math.max(1, 41 - value))),
        ]),
      );
      let highest = 0;
      let watching = true;
      const watch = (async () => {
        while (watching) {
          const now = (await nodes[1]?.marks(room))?.find(({ user }) => user === ann)?.read ?? 0;
          expect(now).toBeGreaterThanOrEqual(highest);
          highest = now;
        }
      })();
      await Promise.all(values.map((value, at) => tell(value, ann, at + 1, readNote(room, value))));
      watching = false;
      await watch;
      expect(await store.marks(room)).toEqual(
        expect.arrayContaining([
          { user: ann, read: 60, delivered: 60, joined: 0 },
          { user: bob, read: 60, delivered: 60, joined: 0 },
          { user: cid, read: 40, delivered: 60, joined: 0 },
        ]),
      );
    });

    it("what was marked as unread is what the last note says of it, in whatever order they are stored", async () => {
      const { store, beside } = await opened();
      const nodes = [store, await beside()];
      const room = newId();
      await store.append(room, messageEntries(20));
      const notes = [
        readNote(room, 9),
        unreadNote(room, 4, 20),
        readAloneNote(room, 2),
        unreadNote(room, 7, 20),
        deliveredNote(room, 20),
      ];
      const orders = Array.from({ length: 8 }, (_, turn) =>
        notes.map((_, at) => (at * (turn < 4 ? 1 : 4) + turn) % notes.length),
      );
      for (const order of orders) {
        const user = newId();
        await Promise.all(
          order.map((at, place) => nodes[place % 2]?.append(user, [noteEntry(at + 1, notes[at] as UserNote)])),
        );
        expect(await store.markOf(room, user)).toEqual({ read: 9, delivered: 20, private: 2, again: 7 });
        await nodes[1]?.append(user, [noteEntry(6, readNote(room, 1))]);
        expect(await store.markOf(room, user)).toMatchObject({ read: 9, again: 0 });
      }
    });

    it("what counts as unread again leaves out one's own and the deleted, and ends with one's next message or joining", async () => {
      const { store } = await opened();
      const [room, user] = [newId(), newId()];
      // Every third is his own; 2, 3 and 8 are deleted, of which 3 was his.
      const entries = messageEntries(10, { sender: "bob", mentions: [user] });
      for (const at of [2, 5, 8]) Object.assign(entries[at] as Entry, { sender: user, mentions: [] });
      await store.append(room, entries);
      for (const [n, target] of [2, 3, 8].entries())
        await store.append(room, [
          changeEntry("delete", { offset: 11 + n, seq: 10 }, { offset: target, data: "{}", deleted: true }),
        ]);
      const row = async (visibleFrom = 0) => (await store.unread(user, [{ room, visibleFrom }]))[0];
      expect(await row()).toEqual({ room, unread: 1, mentions: 1, lastSeq: 10, readSeq: 9 });
      await noted(store, user, unreadNote(room, 1, 13));
      // 1, 4, 5, 7, 10
      expect(await row()).toEqual({ room, unread: 5, mentions: 5, lastSeq: 10, readSeq: 9, unreadFrom: 1 });
      expect(await row(4)).toEqual({ room, unread: 3, mentions: 3, lastSeq: 10, readSeq: 9, unreadFrom: 5 });
      await noted(store, user, unreadNote(room, 10, 13));
      expect(await row()).toEqual({ room, unread: 1, mentions: 1, lastSeq: 10, readSeq: 9 });
      await noted(store, user, unreadNote(room, 7, 13), readAloneNote(room, 10));
      expect(await row()).toEqual({ room, unread: 0, mentions: 0, lastSeq: 10, readSeq: 10 });
      const joined = { kind: "member", id: null, data: JSON.stringify({ userId: user, change: "join" }) } as const;
      const ends = [
        messageEntry({ offset: 14, seq: 11, sender: user }),
        { ...messageEntry({ offset: 15, seq: 11, sender: "rooms" }), ...joined },
      ];
      for (const [at, entry] of ends.entries()) {
        await noted(store, user, unreadNote(room, 10, entry.offset - 1));
        expect(await row()).toMatchObject({ unread: 1, unreadFrom: 10 });
        await store.append(room, [entry]);
        expect(await row()).toEqual({ room, unread: 0, mentions: 0, lastSeq: 11, readSeq: 11 });
        expect((await store.marks(room, [user]))[0]).toMatchObject({ joined: at === 1 ? 15 : 0 });
      }
    });

    it("unread is derived: from the marks, what is deleted and what is visible, and never counts one's own", async () => {
      const { store } = await opened();
      const [room, user] = [newId(), newId()];
      const entries = messageEntries(10, { sender: "bob" });
      await store.append(room, entries);
      const unread = async (visibleFrom = 0) => (await store.unread(user, [{ room, visibleFrom }]))[0]?.unread;
      expect([await unread(), await unread(4), await unread(10)]).toEqual([10, 6, 0]);
      for (const [n, target] of [2, 8, 9].entries())
        await store.append(room, [
          changeEntry("delete", { offset: 11 + n, seq: 10 }, { offset: target, data: "{}", deleted: true }),
        ]);
      expect([await unread(), await unread(4), await unread(8)]).toEqual([7, 4, 1]);
      await noted(store, user, readNote(room, 8));
      expect([await unread(), await unread(4), await unread(9)]).toEqual([1, 1, 1]);
      await store.append(room, [messageEntry({ offset: 14, seq: 11, sender: user })]);
      expect(await unread()).toBe(0);
    });
  });

  describe("design 4, Leaving", () => {
    /** Messages 1 to 9 with a settings entry at 4: offsets 5 to 9 are messages 4 to 8. */
    const filled = async (store: MessageStore, room: string) => {
      const entries = messageEntries(9).map((entry, n) => (n < 3 ? entry : { ...entry, seq: n }));
      entries[3] = { ...(entries[3] as Entry), kind: "room", id: null, seq: 3 };
      await store.append(room, entries);
      return entries;
    };
    const offsets = async (store: MessageStore, room: string, after = 0) =>
      (await store.events(room, after, 100, 1e6)).map(({ offset }) => offset);

    it("entries leave a log only from its front, and the floor never falls", async () => {
      const { store } = await opened();
      const room = newId();
      await filled(store, room);
      expect(await store.trim(room, 1)).toBe(1);
      expect((await store.heads([room])).get(room)).toEqual({ offset: 9, seq: 8, floor: 1 });
      expect(await store.trim(room, 6)).toBe(6);
      expect(await store.trim(room, 3)).toBe(6);
      expect((await store.heads([room])).get(room)).toEqual({ offset: 9, seq: 8, floor: 6 });
      expect(await offsets(store, room)).toEqual([6, 7, 8, 9]);
      expect(await offsets(store, room, 7)).toEqual([8, 9]);
      expect(await store.trim(newId(), 5)).toBe(1);
    });

    it("the last entry always stays, so that no number is given twice", async () => {
      const { store } = await opened();
      const room = newId();
      const entries = await filled(store, room);
      expect(await store.trim(room, Infinity)).toBe(9);
      expect((await store.heads([room])).get(room)).toEqual({ offset: 9, seq: 8, floor: 9 });
      expect((await store.takeOver(room)).head).toEqual({ offset: 9, seq: 8 });
      // A writer that has slept, and knows the log as it was, gets no number that was given before.
      const late = [2, 3].map(n => messageEntry({ offset: n, seq: n, batch: 2 }));
      expect(await store.append(room, late)).toEqual({ stored: 0 });
      expect(await store.append(room, [{ ...(entries[1] as Entry), id: newId() }])).toEqual({ stored: 0 });
      expect(await offsets(store, room)).toEqual([9]);
      expect((await store.takeOver(room, { offset: 1, seq: 1 })).missed).toBeNull();
      expect((await store.takeOver(room, { offset: 8, seq: 7 })).missed).toHaveLength(1);
      expect(await store.append(room, [messageEntry({ offset: 10, seq: 9 })])).toEqual({ stored: 1 });
    });

    it("history, pages and unread begin at the floor", async () => {
      const { store } = await opened();
      const [room, user] = [newId(), newId()];
      await filled(store, room);
      await store.trim(room, 6);
      const seqs = async (bounds: object, visibleFrom = 0) =>
        (await store.window(room, { limit: 3, visibleFrom, ...bounds })).map(({ seq }) => seq);
      expect(await seqs({ after: 0 })).toEqual([5, 6, 7]);
      expect(await seqs({ before: 7 })).toEqual([5, 6]);
      expect(await seqs({ before: 5 })).toEqual([]);
      expect(await seqs({}, 3)).toEqual([6, 7, 8]);
      expect(await seqs({ after: 0 }, 7)).toEqual([7, 8]);
      const { items, total } = await store.page(room, 2, 5, 0);
      expect([texts(items.map(data => ({ data }))), total]).toEqual([["text 6", "text 7"], 4]);
      const unread = async (visibleFrom: number) => (await store.unread(user, [{ room, visibleFrom }]))[0]?.unread;
      expect([await unread(0), await unread(5), await unread(7), await unread(9)]).toEqual([4, 4, 2, 0]);
    });

    it("with a message leave its reactions, files, mentions and clientId; what changed it stays an entry", async () => {
      const { store } = await opened();
      const [room, file, user] = [newId(), newId(), newId()];
      const first = messageEntry({ offset: 1, seq: 1, files: [file], mentions: [user] });
      await store.append(room, [first]);
      const reaction = { emoji: "👍", user, on: true };
      await store.append(room, [
        changeEntry("reaction", { offset: 2, seq: 1 }, { offset: 1, data: "{}", reaction }, '{"on":true}'),
        changeEntry("edit", { offset: 3, seq: 1, batch: 2 }, { offset: 1, data: "{}" }),
      ]);
      await store.trim(room, 2);
      expect(await store.byIds([first.id as string])).toEqual([]);
      expect(await store.reactions(room, 1)).toEqual([]);
      expect(await store.shows(file, [{ room, visibleFrom: 0 }])).toBe(false);
      expect(await store.unread(user, [{ room, visibleFrom: 0 }])).toMatchObject([{ unread: 0, mentions: 0 }]);
      expect(await store.repeats(room, [first])).toEqual([]);
      expect((await store.events(room, 0, 9, 1e6)).map(({ kind, data }) => [kind, data])).toEqual([
        ["reaction", '{"on":true}'],
        ["edit", "{}"],
      ]);
      const again = messageEntry({ offset: 4, seq: 2, clientId: first.clientId });
      expect(await store.append(room, [again])).toEqual({ stored: 1 });
    });

    it("with a message leave its earlier versions, which stand at later entries; also of an edit that comes too late", async () => {
      const { store } = await opened();
      const room = newId();
      await store.append(room, messageEntries(3));
      const edit = (offset: number, target: number) => {
        const change = { offset: target, data: "{}", version: JSON.stringify({ text: `text ${target}`, at: "then" }) };
        return store.append(room, [changeEntry("edit", { offset, seq: 3 }, change)]);
      };
      await edit(4, 1);
      await edit(5, 3);
      await store.trim(room, 3);
      const versions = async (offset: number) => (await store.versions(room, offset, 9)).length;
      expect([await versions(1), await versions(3)]).toEqual([0, 1]);
      expect(await edit(6, 2)).toEqual({ stored: 1 });
      expect([await versions(2), await versions(3)]).toEqual([0, 1]);
    });

    it("a long log leaves in slices, while others write to it", async () => {
      const { store, beside } = await opened();
      const room = newId();
      const batch = (n: number) =>
        Array.from({ length: 250 }, (_, i) => messageEntry({ offset: n * 250 + i + 1, seq: n * 250 + i + 1 }, ""));
      for (let n = 0; n < 10; n++) await store.append(room, batch(n));
      const other = await beside();
      const [floor] = await Promise.all([
        store.trim(room, 2_300),
        other.append(room, batch(10)),
        other.trim(room, 1_500),
      ]);
      expect(floor).toBe(2_300);
      expect((await other.heads([room])).get(room)).toEqual({ offset: 2_750, seq: 2_750, floor: 2_300 });
      expect((await offsets(other, room))[0]).toBe(2_300);
    });
  });
});
