import { eventually } from "../../support/eventually";
import { cut, event, ground, OUT, PRIVATE } from "./ground";

/** A large room with somebody who reads it passively. */
async function large(entries = 3) {
  const all = ground(entries);
  all.access.set("u", { large: true });
  const { socket, connection } = all.connect("u");
  const passively = (from: number | null = null) => all.join(connection, "u", from, true, true);
  const actively = (from: number | null = null) => all.join(connection, "u", from);
  const state = await passively();
  const append = (count: number) => {
    const from = all.log.length + 1;
    all.append(...Array.from({ length: count }, (_, n) => event(from + n)));
  };
  return { ...all, socket, connection, state, passively, actively, append };
}

const typing = (user: string, on: boolean) => ({ type: "typing", user, on }) as const;

describe("passive readers of large rooms", () => {
  it("get one bump for all that happens, encoded once, and no entry", async () => {
    const { room, socket, state, append, connect, access, join, hub, published } = await large();
    expect(state).toEqual({ offset: 3, seq: 3, state: "live", mode: "passive" });
    access.set("v", { large: true });
    const other = connect("v");
    await join(other.connection, "v", null, true, true);
    append(1);
    append(2);
    append(1);
    expect(socket.frames).toEqual([{ t: "bump", room, offset: 4, seq: 4 }]);
    expect(published).toHaveLength(1);
    hub.sweep();
    hub.sweep();
    hub.sweep();
    expect(socket.frames.slice(1)).toEqual([{ t: "bump", room, offset: 7, seq: 7 }]);
    expect(other.socket.frames).toEqual(socket.frames);
    expect(published).toHaveLength(2);
    // After a quiet second news come at once again.
    append(1);
    expect(socket.frames.at(-1)).toEqual({ t: "bump", room, offset: 8, seq: 8 });
  });

  it("are live at the head wherever they were", async () => {
    const { passively } = await large(3_000);
    for (const from of [null, 0, 2_990, 9_999])
      expect(await passively(from)).toEqual({ offset: 3_000, seq: 3_000, state: "live", mode: "passive" });
  });

  it("become active after their last offset without a hole, and passive again", async () => {
    const { socket, actively, passively, append, hub, room } = await large();
    append(3);
    expect(await actively(3)).toEqual({ offset: 6, seq: 6, state: "replayed" });
    append(2);
    hub.sweep();
    expect(socket.offsets).toEqual([4, 5, 6, 7, 8]);
    expect([...socket.topics]).toEqual([room]);
    await passively();
    append(2);
    expect(socket.offsets).toEqual([4, 5, 6, 7, 8]);
    expect(socket.frames.at(-1)).toEqual({ t: "bump", room, offset: 10, seq: 10 });
    expect(hub.readers(room)).toEqual({ readers: 1, replaying: 0 });
  });

  it("stay passive, and others active, whatever becomes of the room's size", async () => {
    const { connect, access, join, append, socket } = await large();
    access.set("u", {});
    access.set("v", {});
    const early = connect("v");
    expect(await join(early.connection, "v", null, true, true)).toEqual({ offset: 3, seq: 3, state: "live" });
    access.set("v", { large: true });
    await join(connect("v").connection, "v");
    append(1);
    expect(early.socket.offsets).toEqual([4]);
    expect(socket.frames.map(({ t }) => t)).toEqual(["bump"]);
  });

  it("are told when they may read no more, and get nothing from there on", async () => {
    const { room, socket, append, connection, hub, log, bus, published } = await large();
    const out = cut(4, "u");
    log.push(out);
    bus.publish({ type: "events", room, events: [out] });
    connection.flush();
    append(1);
    hub.sweep();
    expect(socket.frames).toEqual([{ t: "unsub", room, code: "FORBIDDEN" }]);
    expect([socket.topics.size, published.length]).toEqual([0, 0]);
  });

  it("end with a room that is deleted", async () => {
    const { room, socket, connection, bus } = await large();
    const data = JSON.stringify({ isPrivate: false, deletedAt: "now" });
    bus.publish({ type: "events", room, events: [{ offset: 4, seq: 3, kind: "room", data }] });
    connection.flush();
    expect(socket.frames).toEqual([{ t: "unsub", room, code: "NOT_FOUND" }]);
  });

  it.each([true, false])("are looked at again where entries were skipped (still allowed: %s)", async allowed => {
    const { room, socket, connection, access, skip, append, hub } = await large();
    access.set("u", allowed ? { large: true, ...PRIVATE } : OUT);
    jest.useFakeTimers();
    skip();
    await jest.advanceTimersByTimeAsync(10_000);
    jest.useRealTimers();
    connection.flush();
    append(1);
    hub.sweep();
    if (allowed) {
      expect(socket.frames[0]).toEqual({ t: "bump", room, offset: 2_003, seq: 2_003 });
      expect(socket.frames.at(-1)).toEqual({ t: "bump", room, offset: 2_004, seq: 2_004 });
      expect(socket.frames.every(({ t }) => t === "bump")).toBe(true);
    } else expect(socket.frames).toEqual([{ t: "unsub", room, code: "NOT_FOUND" }]);
  });

  it("leave, and with the last of them the room", async () => {
    const { room, connection, socket, hub, append, pass, published } = await large();
    hub.leave(connection, room);
    append(1);
    expect([socket.frames.length, socket.topics.size, published.length]).toEqual([0, 0, 0]);
    pass(60_000);
    hub.sweep();
    expect(hub.size).toBe(0);
  });

  it("stay passive when they type from another socket", async () => {
    const { room, socket, bus, access, connect, join, append } = await large();
    // Small again by now: typing is shown.
    access.set("v", {});
    const other = connect("v");
    await join(other.connection, "v");
    bus.publish({ type: "signal", room, signal: typing("u", true) });
    append(1);
    expect(other.socket.frames.map(({ t }) => t)).toEqual(["typing", "event"]);
    expect(socket.frames.map(({ t }) => t)).toEqual(["bump"]);
  });
});

test("receipts and typing are silent in a large room", async () => {
  const { room, bus, connect, access, join, published } = await large();
  access.set("v", { large: true });
  const other = connect("v");
  await join(other.connection, "v");
  bus.publish({ type: "signal", room, signal: typing("u", true) });
  bus.publish({ type: "signal", room, signal: { type: "read", user: "u", seq: 3 } });
  bus.publish({ type: "signal", room, signal: { type: "delivered", user: "u", seq: 3 } });
  expect([other.socket.frames, published]).toEqual([[], []]);
});

test("a channel that becomes private keeps those who joined without an entry, and nobody else gets more of it", async () => {
  const { room, bus, connect, access, join } = ground(3);
  const [member, stranger, passive] = [connect("u"), connect("v"), connect("w")];
  for (const user of ["u", "v", "w"]) access.set(user, { role: null, large: true });
  await join(member.connection, "u");
  await join(stranger.connection, "v");
  await join(passive.connection, "w", null, true, true);
  access.set("u", { large: true, ...PRIVATE });
  access.set("v", OUT);
  access.set("w", OUT);
  const data = JSON.stringify({ isPrivate: true });
  bus.publish({
    type: "events",
    room,
    events: [
      { offset: 4, seq: 3, kind: "room", data },
      { ...event(5), seq: 4 },
    ],
  });
  const all = [member, stranger, passive];
  await eventually("all are looked at", () => {
    for (const { connection } of all) connection.flush();
    return all.every(({ socket }) => socket.frames.some(({ t }) => t === "reset" || t === "unsub"));
  });
  bus.publish({ type: "events", room, events: [{ ...event(6), seq: 5 }] });
  const shown = all.map(({ socket }) => socket.frames.map(({ t, offset, code }) => `${t} ${offset ?? code}`));
  expect(shown).toEqual([["event 4", "reset 5", "event 6"], ["event 4", "unsub NOT_FOUND"], ["unsub NOT_FOUND"]]);
});

describe("typing", () => {
  it("that nobody ends is ended by each gateway that shows it, once", async () => {
    const { room, bus, connect, join, hub, pass } = ground(3);
    const { socket, connection } = connect("v");
    await join(connection, "v");
    const shown = () => socket.frames.map(frame => (frame as unknown as { on: boolean }).on);
    bus.publish({ type: "signal", room, signal: typing("u", true) });
    pass(3_500);
    // Told again: from here it lasts 6 s more.
    bus.publish({ type: "signal", room, signal: typing("u", true) });
    pass(3_500);
    hub.sweep();
    expect(shown()).toEqual([true, true]);
    pass(2_500);
    hub.sweep();
    hub.sweep();
    bus.publish({ type: "signal", room, signal: typing("u", false) });
    expect(shown()).toEqual([true, true, false]);
  });
});
