import type { RoomEvent } from "../../../services/core/room-bus";
import { PendingRights } from "../../../services/ws-gateway/rights";
import { eventually } from "../../support/eventually";
import { cut, event, gate, ground } from "./ground";

/** A change of a message as the log has it: replay shows what it is now. */
const change = (offset: number, kind: RoomEvent["kind"], target: number | null): RoomEvent => ({
  ...event(offset, `"of ${target}"`),
  kind,
  ...(target !== null && { target: { offset: target, data: `"of ${target}"` } }),
});

const member = (offset: number, user: string, rest: Omit<NonNullable<RoomEvent["member"]>, "user">): RoomEvent => ({
  ...event(offset, JSON.stringify({ userId: user, ...rest })),
  kind: "member",
  member: { user, ...rest },
});

/** "late" came at 10, "later" at 20, "first" sees all; the room is at 30. All are live. */
async function field() {
  const all = ground(30);
  const { access, connect, join, room } = all;
  access.set("late", { open: false, visibleFrom: 10 });
  access.set("later", { open: false, visibleFrom: 20 });
  const [late, later, first] = [connect("late"), connect("later"), connect("first")];
  await join(late.connection, "late");
  await join(later.connection, "later");
  await join(first.connection, "first");
  const isLive = ({ socket }: typeof late) => socket.topics.has(room);
  return { ...all, late, later, first, isLive };
}
type Reader = Awaited<ReturnType<typeof field>>["late"];

/** What somebody was told, by offset. */
const told = ({ socket }: Reader) =>
  socket.frames.map(frame => {
    const { t, offset, kind, data } = frame as typeof frame & { kind?: string; data?: unknown };
    if (t !== "event") return t;
    return kind === "hidden" ? `${offset} hidden ${JSON.stringify(data)}` : `${offset} ${kind} ${data as string}`;
  });

describe("a reader who does not see what was said before he came", () => {
  it.each(["edit", "delete", "reaction", "pin"] as const)(
    "is told no more of a change by %s than its offset",
    async kind => {
      const { late, later, first, append, isLive } = await field();
      append(change(31, kind, 10));
      append(change(32, kind, 20));
      append(change(33, kind, 21));
      const shown = (offset: number, target: number) => `${offset} ${kind} of ${target}`;
      await eventually("he has all", () => later.socket.frames.length === 3);
      expect(told(first)).toEqual([shown(31, 10), shown(32, 20), shown(33, 21)]);
      expect(told(late)).toEqual(["31 hidden {}", shown(32, 20), shown(33, 21)]);
      expect(told(later)).toEqual(["31 hidden {}", "32 hidden {}", shown(33, 21)]);
      expect([late, later, first].every(isLive)).toBe(true);
    },
  );

  it("gets with everybody by the same publish what is for him: also replies in a thread that began before", async () => {
    const { late, first, append, published, connect, join, room } = await field();
    const wanted: string[] = [];
    const unsubscribe = late.socket.unsubscribe.bind(late.socket);
    late.socket.unsubscribe = topic => void (wanted.push(topic), unsubscribe(topic));
    append(event(31), change(32, "edit", 31), { ...event(33), target: { offset: 2, data: '"a thread"' } });
    expect(told(late)).toEqual(told(first));
    expect(wanted).toEqual([]);
    expect(new Set(published.map(({ topic }) => topic))).toEqual(new Set([room]));
    // The same for who resumes.
    const again = connect("late");
    await join(again.connection, "late", 30);
    expect(told(again)).toEqual(told(first));
  });

  it("costs the others nothing: of a batch that he gets apart they get one frame", async () => {
    const { late, later, first, append } = await field();
    append(event(31), change(32, "edit", 5), event(33), change(34, "edit", 15));
    expect(first.socket.sent).toHaveLength(1);
    expect(told(first)).toEqual(["31 message 31", "32 edit of 5", "33 message 33", "34 edit of 15"]);
    expect(told(late)).toEqual(["31 message 31", "32 hidden {}", "33 message 33", "34 edit of 15"]);
    expect(told(later)).toEqual(["31 message 31", "32 hidden {}", "33 message 33", "34 hidden {}"]);
  });

  it.each([
    ["memory", 0],
    ["the log", 300],
  ])("who was away gets the same by a replay from %s", async (_, more) => {
    const { late, append, log, connect, join } = await field();
    append(change(31, "edit", 5), change(32, "reaction", 12), change(33, "pin", null));
    for (let left = more; left > 0; left--) append(event(log.length + 1));
    const again = connect("late");
    expect(await join(again.connection, "late", 30)).toMatchObject({ state: "replayed" });
    await eventually("he has all", () => again.socket.frames.length === 3 + more);
    // Of what has left the log nobody knows any more where it stood.
    expect(told(again).slice(0, 3)).toEqual(["31 hidden {}", "32 reaction of 12", "33 hidden {}"]);
    expect(told(again)).toEqual(told(late));
    append(change(log.length + 1, "edit", 5));
    expect(told(again).at(-1)).toMatch(/hidden/);
  });

  it("gets it when his socket takes something again, if it was slow", async () => {
    const { late, first, append, hub, isLive } = await field();
    late.socket.buffered = 1_000_000;
    append(change(31, "edit", 5));
    append(event(32));
    expect([told(late), told(first).length]).toEqual([[], 2]);
    late.socket.buffered = 0;
    hub.drained(late.connection);
    await eventually("he is live", () => isLive(late));
    expect(told(late)).toEqual(["31 hidden {}", "32 message 32"]);
  });

  it("stays live however soon one such change follows another", async () => {
    const { late, append, isLive } = await field();
    const offsets = Array.from({ length: 30 }, (_, n) => 31 + n);
    for (const offset of offsets) {
      append(change(offset, "edit", 5));
      for (let turns = offset % 5; turns > 0; turns--) await Promise.resolve();
    }
    await eventually("he is live", () => isLive(late));
    expect(late.socket.offsets).toEqual(offsets);
  });

  it("gets all up to the entry that takes him out, where that comes with such a change", async () => {
    const { late, later, append, hub, room } = await field();
    append(change(31, "edit", 5), cut(32, "late"), event(33));
    await eventually("he is out", () => told(late).at(-1) === "unsub");
    expect(told(late).slice(0, 2)).toEqual(["31 hidden {}", expect.stringContaining("32 member")]);
    expect(told(late)).toHaveLength(3);
    expect(later.socket.offsets).toEqual([31, 32, 33]);
    expect(hub.readers(room)).toEqual({ readers: 2, replaying: 0 });
  });
});

describe("what a reader sees changes while he reads", () => {
  it("when a guest becomes a member: nothing that passes until that is known is left out or kept from him", async () => {
    const { late, append, access, whileAsking, isLive } = await field();
    const asked = gate();
    whileAsking(asked.pass);
    append(change(31, "edit", 5));
    access.set("late", { open: false, visibleFrom: 0 });
    append(member(32, "late", { change: "role", role: "member" }), change(33, "edit", 5));
    append(event(34));
    await eventually("it is asked for", () => asked.reached() === 1);
    expect(late.socket.offsets).toEqual([31]);
    asked.open();
    await eventually("he is live", () => isLive(late));
    append(change(35, "edit", 5));
    const [hidden, , ...rest] = told(late);
    expect(hidden).toBe("31 hidden {}");
    expect(rest).toEqual(["33 edit of 5", "34 message 34", "35 edit of 5"]);
  });

  it("not when he has another role in a room where he sees no more by it", async () => {
    const { late, append, isLive } = await field();
    append(member(31, "late", { change: "role", role: "moderator" }));
    await eventually("he is live", () => isLive(late));
    append(change(32, "edit", 5));
    expect(told(late).slice(1)).toEqual(["32 hidden {}"]);
  });

  it("is asked for again where an answer may be older than what he has become since", async () => {
    const { late, append, access, whileAsking, isLive } = await field();
    const asked = [gate(), gate()] as const;
    let round = 0;
    whileAsking(() => (asked[round++] ?? asked[1]).pass());
    append(member(31, "late", { change: "role", role: "moderator" }));
    await eventually("it is asked for", () => asked[0].reached() === 1);
    access.set("late", { open: false, visibleFrom: 0 });
    append(member(32, "late", { change: "role", role: "owner" }), change(33, "edit", 5));
    asked[0].open();
    await eventually("it is asked for again", () => asked[1].reached() === 1);
    expect(isLive(late)).toBe(false);
    asked[1].open();
    await eventually("he is live", () => isLive(late));
    expect(told(late).slice(2)).toEqual(["33 edit of 5"]);
  });

  it("when one who read it as everybody may becomes a guest, from that entry on, and until he leaves", async () => {
    const { first, append, isLive } = await field();
    append(change(31, "edit", 5), member(32, "first", { change: "join", role: "guest" }), change(33, "edit", 5));
    append(change(34, "edit", 30), event(35), change(36, "edit", 35));
    await eventually("he is live", () => isLive(first));
    append(cut(37, "first", "leave"));
    append(change(38, "edit", 5));
    expect(told(first).filter(text => !text.includes("member"))).toEqual([
      "31 edit of 5",
      ...["33 hidden {}", "34 hidden {}", "35 message of 35", "36 edit of 35"],
      "38 edit of 5",
    ]);
    expect(first.socket.offsets).toEqual([31, 32, 33, 34, 35, 36, 37, 38]);
  });

  it("when entries were skipped, as he is told then", async () => {
    const { late, first, append, access, skip, log } = await field();
    access.set("late", { open: false, visibleFrom: 0 });
    access.set("first", { open: false, visibleFrom: 2_000 });
    skip();
    await eventually(
      "both go on",
      () => [late, first].every(reader => told(reader).at(-1) === "reset"),
      undefined,
      9_000,
    );
    append(change(log.length + 1, "edit", 5));
    expect(told(late).at(-1)).toMatch(/edit of 5/);
    expect(told(first).at(-1)).toMatch(/hidden/);
  });
});

describe("from where on somebody sees who comes while it is asked", () => {
  const room = "r";
  const answer = (role: "member" | "guest" | null, visibleFrom = 0, open = false) => ({
    room,
    role,
    visibleFrom,
    open,
  });
  const came = (offset: number, role?: string) =>
    [offset, { user: "u", change: "join", ...(role && { role }) }] as const;
  const left = (offset: number) => [offset, { user: "u", change: "leave" }] as const;

  it.each([
    ["nothing passed", [], answer("member", 7), 7],
    ["an answer that knows of it", [came(9)], answer("member", 0), 0],
    ["an older answer, a private room", [came(9)], { ...answer(null), open: false }, 9],
    ["an older answer, a public one", [came(9)], answer(null, 0, true), 0],
    ["an older answer, a guest of a public one", [came(9, "guest")], answer(null, 0, true), 9],
    ["who was there before, by an answer of that time", [left(8), came(9)], answer("member", 0), 9],
    ["who has left what everybody may read", [left(8)], answer("guest", 5, true), 0],
  ] as const)("%s", (_, entries, access, visibleFrom) => {
    const pending = new PendingRights();
    for (const [offset, member] of entries) pending.changed(offset, member);
    expect(pending.settle(access).visibleFrom).toBe(visibleFrom);
  });
});
