import { newId } from "../../../services/core/ids";
import type { UserNote } from "../../../services/core/model";
import { EVERYBODY, type Entry, type MessageStore } from "../../../services/messages/message.store";
import { changeEntry, messageEntry, noted } from "./entries";
import { once, stores } from "./stores";

type Reply = Partial<Pick<Entry, "sender" | "mentions">>;

/** A room in which ann has begun a thread, and others go on. */
class Talk {
  readonly room = newId();
  private offset = 0;
  seq = 0;
  private readonly offsets = new Map<number, number>();

  constructor(private readonly store: MessageStore) {}

  async say(sender = "ann", text?: string): Promise<number> {
    await this.store.append(this.room, [messageEntry({ ...this.next(), sender }, text)]);
    return this.seq;
  }

  /** In the thread that began with a message of ann's. */
  async reply(root: number, { sender = "bob", mentions = [] }: Reply = {}, text?: string): Promise<number> {
    const thread = { root, starter: "ann" };
    const change = { offset: this.offsets.get(root) as number, data: JSON.stringify({ text: `text ${root}` }) };
    await this.store.append(this.room, [messageEntry({ ...this.next(), sender, thread, mentions, change }, text)]);
    return this.seq;
  }

  async remove(seq: number): Promise<void> {
    const offset = this.offsets.get(seq) as number;
    const at = { offset: ++this.offset, seq: this.seq };
    await this.store.append(this.room, [changeEntry("delete", at, { offset, data: "{}", deleted: true })]);
  }

  async call(reply: number, root: number, ...users: string[]): Promise<void> {
    const at = { offset: ++this.offset, seq: this.seq, sender: "bob", calls: { root, users } };
    const offset = this.offsets.get(reply) as number;
    await this.store.append(this.room, [changeEntry("edit", at, { offset, data: "{}", mentions: users })]);
  }

  async come(user: string): Promise<void> {
    const data = JSON.stringify({ userId: user, change: "join" });
    const at = { offset: ++this.offset, seq: this.seq, sender: "rooms" };
    await this.store.append(this.room, [{ ...messageEntry(at), kind: "member", id: null, data }]);
  }

  /** The row of a user, and his threads: by what they began with, unread, those that name him, and the mark. */
  async of(user: string, visibleFrom = 0) {
    const [row] = await this.store.unread(user, [{ room: this.room, visibleFrom }]);
    const { items, total } = await this.store.threads(this.room, user, { skip: 0, limit: 10, visibleFrom });
    expect(items).toHaveLength(total);
    const threads = items.map(({ root, unread, mentions, readSeq }) => {
      return [(JSON.parse(root) as { text: string }).text, unread, mentions, readSeq];
    });
    const { unread, mentions, threads: count } = row ?? {};
    return { unread, mentions, count, threads };
  }

  private next() {
    this.offsets.set(++this.seq, ++this.offset);
    return { offset: this.offset, seq: this.seq };
  }
}

describe.each(stores)("threads in %s", (_name, open) => {
  const opened = once(open);
  const talk = async () => new Talk((await opened()).store);
  const readNote = (roomId: string, root: number, seq: number): UserNote => ({
    kind: "thread",
    data: { roomId, threadId: "t", root, seq },
  });
  const allNote = (roomId: string, seq: number, alone = false): UserNote => ({
    kind: "readAll",
    data: { marks: [{ roomId, seq }], ...(alone && { private: true as const }) },
  });
  const hideNote = (roomId: string, seq: number): UserNote => ({
    kind: "hide",
    data: { roomId, messageId: `m-${seq}`, seq },
  });

  it("a reply, and whom it names, counts in its thread alone, for those who have part in it", async () => {
    const { store } = await opened();
    const [room, me] = [await talk(), newId()];
    await room.say();
    await room.reply(1, { mentions: [me] });
    await room.reply(1, { mentions: [EVERYBODY] });
    await room.reply(1);
    expect(await room.of(me)).toEqual({ unread: 1, mentions: 0, count: 1, threads: [["text 1", 3, 2, 0]] });
    expect(await room.of("cid")).toEqual({
      unread: 1,
      mentions: 0,
      count: undefined,
      threads: [["text 1", 0, 0, null]],
    });
    await noted(store, me, readNote(room.room, 1, 2));
    expect(await room.of(me)).toMatchObject({ mentions: 0, count: 1, threads: [["text 1", 2, 1, 2]] });
    await noted(store, me, readNote(room.room, 1, 4));
    expect(await room.of(me)).toMatchObject({ count: undefined, threads: [["text 1", 0, 0, 4]] });
    // A message that is hidden takes no mention with it that was not counted.
    await noted(store, me, hideNote(room.room, 2));
    expect(await room.of(me)).toMatchObject({ unread: 1, mentions: 0 });
  });

  it("what is new in them is neither one's own nor deleted nor hidden, and a thread goes with what it began with", async () => {
    const { store } = await opened();
    const [room, me] = [await talk(), newId()];
    await room.say();
    await room.say();
    for (const root of [1, 2]) await room.reply(root, { sender: me });
    const first = await room.reply(1);
    const second = await room.reply(1, { mentions: [me] });
    expect(await room.of(me)).toMatchObject({ count: 1 });
    await noted(store, me, hideNote(room.room, second));
    expect(await room.of(me)).toMatchObject({ count: 1, threads: [["text 1", 1, 0, 3], expect.anything()] });
    await room.remove(first);
    expect(await room.of(me)).toMatchObject({ count: undefined, threads: [["text 1", 0, 0, 3], expect.anything()] });
    await room.reply(1);
    await room.reply(2);
    expect(await room.of(me)).toMatchObject({ count: 2 });
    await noted(store, me, hideNote(room.room, 1));
    expect(await room.of(me)).toMatchObject({ count: 1, threads: [["text 2", 1, 0, 4]] });
    expect(await room.of("ann")).toMatchObject({ count: 2 });
    // Nor is it there for who may not see what it began with.
    expect(await room.of(me, 2)).toMatchObject({ count: undefined, threads: [] });
  });

  it("all of a room are read by one note, whatever comes first; what one does for himself alone others do not see", async () => {
    const { store } = await opened();
    const room = await talk();
    const [early, late, alone] = [newId(), newId(), newId()];
    await room.say();
    await room.say();
    await noted(store, late, allNote(room.room, 4));
    for (const root of [1, 2]) await room.reply(root, { mentions: [early, late, alone] });
    await noted(store, early, allNote(room.room, 4));
    await noted(store, alone, allNote(room.room, 4, true));
    const read = [
      ["text 2", 0, 0, 4],
      ["text 1", 0, 0, 4],
    ];
    for (const user of [early, late, alone])
      expect(await room.of(user)).toEqual({ unread: 0, mentions: 0, count: undefined, threads: read });
    const marks = await store.threadMarks(room.room, 1);
    expect(new Map(marks.map(mark => [mark.user, mark.read]))).toEqual(
      new Map([
        ["ann", 0],
        ["bob", 3],
        [early, 4],
        [late, 4],
        [alone, 0],
      ]),
    );
    await room.reply(1);
    for (const user of [early, late, alone]) expect(await room.of(user)).toMatchObject({ count: 1 });
    await noted(store, early, allNote(room.room, 1));
    expect(await room.of(early)).toMatchObject({ count: 1, threads: [["text 1", 1, 0, 4], expect.anything()] });
  });

  it("they count from the last joining on", async () => {
    const { store } = await opened();
    const [room, me] = [await talk(), newId()];
    await room.say();
    await room.reply(1, { sender: me });
    await room.reply(1);
    await room.come(me);
    expect(await room.of(me)).toMatchObject({ count: undefined, threads: [["text 1", 0, 0, 3]] });
    await room.reply(1);
    expect(await room.of(me)).toMatchObject({ count: 1, threads: [["text 1", 1, 0, 3]] });
    // Also where what he came behind has left.
    await store.trim(room.room, 5);
    const root = await room.say();
    await room.reply(root, { mentions: [me] });
    expect(await room.of(me)).toMatchObject({ count: 1, threads: [["text 5", 1, 1, 3]] });
    // Who came late and is named has nothing unread that was before.
    const late = newId();
    await room.come(late);
    await room.reply(root, { mentions: [late] });
    expect(await room.of(late)).toMatchObject({ count: 1, threads: [["text 5", 1, 1, 6]] });
  });

  it("who is named by an edit of a reply has part as by a reply", async () => {
    const { store } = await opened();
    const [room, me] = [await talk(), newId()];
    await room.say();
    const reply = await room.reply(1);
    await room.call(reply, 1, me, EVERYBODY);
    expect(await room.of(me)).toMatchObject({ mentions: 0, count: 1, threads: [["text 1", 1, 1, 0]] });
    expect((await store.threadMarks(room.room, 1)).map(({ user }) => user).sort()).toEqual(["ann", "bob", me].sort());
    expect(await store.threadMark(room.room, "bob", 1)).toBe(2);
  });

  it("the last message of the main line that one has not hidden is found, so far back and no further", async () => {
    const { store } = await opened();
    const [room, other, me] = [await talk(), await talk(), newId()];
    for (let n = 0; n < 3; n++) await room.say();
    for (let n = 0; n < 3; n++) await room.reply(1);
    await other.say("ann", "elsewhere");
    await noted(store, me, hideNote(room.room, 3));
    const last = async (user: string, back: number) => {
      const places = [room, other, await talk()].map(({ room: id, seq }) => ({ room: id, seq: seq + 1 }));
      const found = await store.lastBefore(user, places, back);
      return [room, other].map(({ room: id }) => (JSON.parse(found.get(id) ?? "{}") as { text?: string }).text);
    };
    expect(await last("cid", 10)).toEqual(["text 3", "elsewhere"]);
    expect(await last(me, 10)).toEqual(["text 2", "elsewhere"]);
    expect(await last(me, 5)).toEqual(["text 2", "elsewhere"]);
    expect(await last(me, 4)).toEqual([undefined, "elsewhere"]);
  });

  it("one goes on when what it began with has left: its replies and who has read them are there, and it is in no list", async () => {
    const { store } = await opened();
    const [room, me] = [await talk(), newId()];
    await room.say();
    await room.reply(1, { mentions: [me] });
    const second = await room.reply(1, {}, "young");
    await noted(store, me, readNote(room.room, 1, second));
    await room.reply(1, {}, "younger");
    await store.trim(room.room, 3);
    const replies = async (bounds: object) =>
      (await store.replies(room.room, 1, { limit: 5, visibleFrom: 0, ...bounds })).map(({ seq }) => seq);
    expect(await replies({})).toEqual([3, 4]);
    expect(await replies({ before: 4 })).toEqual([3]);
    expect(await replies({ after: 3 })).toEqual([4]);
    for (const bounds of [{}, { after: 0 }]) expect(await replies({ ...bounds, visibleFrom: 3 })).toEqual([4]);
    expect(await room.of(me)).toEqual({ unread: 0, mentions: 0, count: undefined, threads: [] });
    expect(await store.threadMarks(room.room, 1)).toContainEqual({ user: me, read: 3 });
    await store.trim(room.room, 4);
    expect((await store.threadMarks(room.room, 1)).map(({ user }) => user)).not.toContain("ann");
  });
});
