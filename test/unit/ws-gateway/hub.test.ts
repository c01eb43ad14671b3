import { newId } from "../../../services/core/ids";
import type { RoomEvent } from "../../../services/core/room-bus";
import { eventually } from "../../support/eventually";
import { cut, event, gate, ground, OUT, PRIVATE } from "./ground";

describe("the hub", () => {
  it("lets a reader in at the head and gives everything after it once", async () => {
    const { connect, join, append } = ground(3);
    const { socket, connection } = connect("u");
    expect(await join(connection, "u")).toEqual({ offset: 3, seq: 3, state: "live" });
    append(event(4), event(5));
    expect(socket.offsets).toEqual([4, 5]);
  });

  it("replays exactly what was missed, from memory and from the log, then goes on live", async () => {
    const { connect, join, append } = ground(30);
    const { socket, connection } = connect("u");
    expect(await join(connection, "u", 4)).toEqual({ offset: 30, seq: 30, state: "replayed" });
    append(event(31));
    await eventually("it came", () => socket.topics.size === 1);
    append(event(32));
    expect(socket.offsets).toEqual(Array.from({ length: 28 }, (_, n) => n + 5));
  });

  it.each([
    ["beyond the head", 31, true],
    ["too far behind", 0, true],
    ["of another epoch", 29, false],
  ])("says reset for an offset %s, and replays nothing", async (_what, from, sameEpoch) => {
    const { connect, join, append, log } = ground(30);
    if (from === 0) for (let n = 31; n <= 1_200; n++) log.push(event(n));
    const { socket, connection } = connect("u");
    expect(await join(connection, "u", from, sameEpoch)).toMatchObject({ offset: log.length, state: "reset" });
    append(event(log.length + 1));
    expect(socket.offsets).toEqual([log.length]);
  });

  it("waits with a replay until the socket has taken what it was sent", async () => {
    const { connect, join, hub } = ground(25);
    const { socket, connection } = connect("u");
    socket.buffered = 1_000_000;
    await join(connection, "u", 0);
    expect(socket.offsets).toEqual([]);
    socket.buffered = 0;
    hub.drained(connection);
    await eventually("it came", () => socket.offsets.length === 25);
  });

  it("cuts the removed one at the entry that removes him: he gets it and nothing after it", async () => {
    const { connect, join, append } = ground();
    const [one, two] = [connect("u"), connect("v")];
    await join(one.connection, "u");
    await join(two.connection, "v");
    append(event(1), cut(2, "u"), event(3));
    expect(one.socket.offsets).toEqual([1, 2]);
    expect(one.socket.frames.at(-1)).toMatchObject({ t: "unsub", code: "FORBIDDEN" });
    expect(two.socket.offsets).toEqual([1, 2, 3]);
  });

  it("lets who leaves a public room read on, as one who may not write", async () => {
    const { connect, join, append, room } = ground();
    const { socket, connection } = connect("u");
    await join(connection, "u");
    append(cut(1, "u", "leave"), event(2));
    expect(socket.offsets).toEqual([1, 2]);
    expect(connection.rooms.get(room)?.member).toBe(false);
  });

  it("changes what it knows of one reader for nobody else, whoever shares it", async () => {
    const { connect, join, append, room, skip, access } = ground();
    const [one, two] = [connect("u"), connect("v")];
    for (const { connection } of [one, two]) await join(connection, connection.user ?? "");
    const membership = () => [one, two].map(({ connection }) => connection.rooms.get(room)?.member);
    expect(one.connection.rooms.get(room)).toBe(two.connection.rooms.get(room));
    append(cut(1, "u", "leave"));
    expect(membership()).toEqual([false, true]);
    append({ ...cut(2, "u"), member: { user: "u", change: "join" } });
    append(cut(3, "v", "leave"));
    expect(membership()).toEqual([true, false]);
    access.set("u", { role: "member" });
    access.set("v", { role: null });
    skip();
    await eventually("both go on", () => [one, two].every(({ socket }) => socket.topics.has(room)), Boolean, 10_000);
    expect(membership()).toEqual([true, false]);
    // Who comes now shares nothing that was changed.
    const three = connect("w");
    await join(three.connection, "w");
    expect(three.connection.rooms.get(room)).toMatchObject({ member: true, open: true, cursor: null, pending: null });
  });

  it("does not let in who is removed while his access is being looked up", async () => {
    const { connect, join, append, whileAsking } = ground();
    const first = connect("v");
    await join(first.connection, "v");
    const { socket, connection } = connect("u");
    whileAsking(async () => append(cut(1, "u")));
    expect(await join(connection, "u")).toEqual({ state: "denied", code: "FORBIDDEN" });
    expect(socket.topics.size).toBe(0);
  });

  it("ends an earlier subscription when the room is denied now", async () => {
    const { connect, join, append, access } = ground();
    const { socket, connection } = connect("u");
    await join(connection, "u");
    access.set("u", { denied: "NOT_FOUND", role: null });
    expect(await join(connection, "u")).toEqual({ state: "denied", code: "NOT_FOUND" });
    append(event(1));
    expect(socket.offsets).toEqual([]);
  });

  it("does not let a stranger in to a room that becomes private while his access is being looked up", async () => {
    const { connect, join, append, access, whileAsking } = ground();
    const first = connect("v");
    await join(first.connection, "v");
    const { connection } = connect("u");
    access.set("u", { role: null });
    const closes: RoomEvent = { ...event(1), kind: "room", data: JSON.stringify({ isPrivate: true }) };
    whileAsking(async () => append(closes));
    expect(await join(connection, "u")).toEqual({ state: "denied", code: "NOT_FOUND" });
  });

  it("denies what access denies, and what is no id, without keeping anything of it", async () => {
    const { connect, hub, access } = ground();
    const { connection } = connect("u");
    access.set("u", { denied: "NOT_FOUND", role: null });
    const rooms = [newId(), "__proto__", "nonsense"];
    const states = hub.admit(connection, rooms, await hub.prepare(connection, "u", rooms), new Map(), true);
    expect(rooms.map(room => Object.getOwnPropertyDescriptor(states, room)?.value)).toEqual(
      rooms.map(() => ({ state: "denied", code: "NOT_FOUND" })),
    );
    expect(hub.size).toBe(0);
  });

  it("shows typing to the others, not to one's own sockets, and these still get what follows", async () => {
    const { connect, join, bus, room, append } = ground();
    const [one, two] = [connect("u"), connect("v")];
    await join(one.connection, "u");
    await join(two.connection, "v");
    bus.publish({ type: "signal", room, signal: { type: "typing", user: "u", on: true } });
    expect(two.socket.frames).toEqual([{ t: "typing", room, user: "u", on: true }]);
    append(event(1));
    expect(one.socket.frames.map(({ t }) => t)).toEqual(["event"]);
  });

  it("shows typing no more of whom it shows taken out", async () => {
    const { connect, join, bus, room, append } = ground();
    const { connection, socket } = connect("v");
    await join(connection, "v");
    bus.publish({ type: "signal", room, signal: { type: "typing", user: "u", on: true } });
    append({ ...event(1), kind: "member", member: { user: "u", change: "remove" } });
    expect(socket.frames.filter(({ t }) => t === "typing")).toEqual([
      { t: "typing", room, user: "u", on: true },
      { t: "typing", room, user: "u", on: false },
    ]);
  });

  it("believes for a minute what it was told of a room's size", async () => {
    const { connect, join, hub, room, pass } = ground();
    expect(hub.silent(room)).toBeNull();
    await join(connect("v").connection, "v");
    expect(hub.silent(room)).toBe(false);
    hub.learn(room, "v", { room, large: true, role: "member", visibleFrom: 0 });
    pass(50_000);
    expect(hub.silent(room)).toBe(true);
    pass(10_000);
    expect(hub.silent(room)).toBeNull();
  });

  it("marks told by two nodes in either order never fall, each user's and kind's for itself", async () => {
    const { connect, join, bus, room } = ground();
    const { connection, socket } = connect("u");
    await join(connection, "u");
    const tell = (user: string, type: "read" | "delivered", seq: number) =>
      bus.publish({ type: "signal", room, signal: { type, user, seq } });
    tell("v", "delivered", 257);
    tell("v", "delivered", 254);
    tell("v", "delivered", 257);
    tell("v", "read", 250);
    tell("w", "delivered", 200);
    // Whoever moves is remembered, however many others move, too.
    for (let n = 0; n < 1_000; n += 1) {
      tell(`user ${n}`, "read", 1);
      tell("v", "delivered", 258 + n);
    }
    tell("v", "delivered", 1_256);
    const told = socket.frames.map(frame => frame as { t: string; user?: string; seq?: number });
    expect(told.filter(({ user }) => user === "v" || user === "w").map(({ t, seq }) => [t, seq])).toEqual([
      ["delivered", 257],
      ["read", 250],
      ["delivered", 200],
      ...Array.from({ length: 1_000 }, (_, n) => ["delivered", 258 + n]),
    ]);
  });

  it("does not let in who is removed before the head is read that another has asked for", async () => {
    const { connect, join, append, access, whileAsking, whileReadingHeads } = ground(1);
    const heads = gate();
    whileReadingHeads(heads.pass);
    const asked = new Set<string>();
    whileAsking(async user => void asked.add(user));
    const [one, two] = [connect("v"), connect("u")];
    access.set("u", PRIVATE);
    const first = join(one.connection, "v");
    await eventually("the head is being read", () => heads.reached() === 1);
    const second = join(two.connection, "u");
    await eventually("it waits for the head", () => asked.has("u"));
    access.set("u", OUT);
    append(cut(2, "u"));
    heads.open();
    expect(await first).toMatchObject({ offset: 2, state: "live" });
    expect(await second).toEqual({ state: "denied", code: "NOT_FOUND" });
    expect(two.connection.rooms.size).toBe(0);
  });

  it("keeps a room that nobody reads while somebody's access to it is being looked up", async () => {
    const { connect, join, append, access, whileAsking, hub, room, pass } = ground(1);
    const [one, two] = [connect("v"), connect("u")];
    await join(one.connection, "v");
    hub.leave(one.connection, room);
    pass(61_000);
    access.set("u", PRIVATE);
    whileAsking(async () => {
      hub.sweep();
      access.set("u", OUT);
      append(cut(2, "u"));
    });
    expect(await join(two.connection, "u")).toEqual({ state: "denied", code: "NOT_FOUND" });
    hub.leave(two.connection, room);
    hub.sweep();
    expect(hub.size).toBe(0);
  });

  it("does not let in by what was found out before the room was opened anew", async () => {
    const { connect, join, append, access, hub, room, whileReadingHeads } = ground(1);
    const [one, two] = [connect("u"), connect("v")];
    whileReadingHeads(() => Promise.reject(new Error("away")));
    const prepared = await hub.prepare(one.connection, "u", [room]);
    access.set("u", OUT);
    append(cut(2, "u"));
    whileReadingHeads(async () => undefined);
    await join(two.connection, "v");
    const states = hub.admit(one.connection, [room], prepared, new Map(), true);
    expect(states[room]).toEqual({ state: "denied", code: "UNAVAILABLE" });
  });

  it("does not let in who leaves a private room while his access is being looked up", async () => {
    const { connect, join, append, access, whileAsking } = ground();
    await join(connect("v").connection, "v");
    access.set("u", PRIVATE);
    whileAsking(async () => append(cut(1, "u", "leave")));
    expect(await join(connect("u").connection, "u")).toEqual({ state: "denied", code: "NOT_FOUND" });
  });

  it("does not let in by an answer that may be older than entries that were skipped", async () => {
    const { connect, join, skip, hub, room, whileAsking } = ground();
    await join(connect("v").connection, "v");
    const { connection } = connect("u");
    whileAsking(async user => {
      if (user !== "u") return;
      skip();
      await eventually("it has skipped", () => hub.feed(room)?.head.offset === 2_000);
    });
    expect(await join(connection, "u")).toEqual({ state: "denied", code: "UNAVAILABLE" });
    whileAsking(async () => undefined);
    expect(await join(connection, "u")).toMatchObject({ state: "live", offset: 2_000 });
  });

  it("gives nothing after a skip until rights are looked at again: then a reset, and what follows it once, or the end", async () => {
    const { connect, join, append, access, skip, hub, room, whileAsking } = ground();
    const [one, two] = [connect("u"), connect("v")];
    await join(one.connection, "u");
    await join(two.connection, "v");
    const asked = gate();
    whileAsking(asked.pass);
    access.set("u", { denied: "FORBIDDEN", role: null });
    skip(cut(1, "u"));
    await eventually("both are looked at", () => asked.reached() === 2);
    append(event(2_001), event(2_002));
    expect(hub.feed(room)?.head.offset).toBe(2_002);
    expect([one, two].map(({ socket }) => socket.frames)).toEqual([[], []]);
    asked.open();
    await eventually("they are answered", () => one.socket.frames.length + two.socket.frames.length === 2);
    append(event(2_003), event(2_004));
    expect(one.socket.frames).toEqual([{ t: "unsub", room, code: "FORBIDDEN" }]);
    expect(two.socket.frames[0]).toEqual({ t: "reset", room, offset: 2_002 });
    expect(two.socket.offsets).toEqual([2_003, 2_004]);
  });

  it("asks again while rights cannot be found out, and cuts nobody for it", async () => {
    const { connect, join, append, skip, room, whileAsking } = ground();
    const { socket, connection } = connect("u");
    await join(connection, "u");
    let failures = 2;
    whileAsking(async () => {
      if (failures-- > 0) throw new Error("the store is away");
    });
    skip();
    await eventually("it is told", () => socket.frames.length > 0);
    append(event(2_001));
    expect(failures).toBe(-1);
    expect(socket.frames[0]).toEqual({ t: "reset", room, offset: 2_000 });
    expect(socket.offsets).toEqual([2_001]);
  });

  it("goes by what entries tell while rights are looked at again", async () => {
    const { connect, join, append, access, skip, room, whileAsking } = ground();
    const [leaver, stranger, member] = [connect("u"), connect("v"), connect("w")];
    access.set("v", { role: null });
    for (const [user, { connection }] of [["u", leaver] as const, ["v", stranger] as const, ["w", member] as const])
      await join(connection, user);
    const asked = gate();
    whileAsking(asked.pass);
    skip();
    await eventually("all are looked at", () => asked.reached() === 3);
    append(cut(2_001, "u", "leave"), { ...event(2_002), kind: "room", data: JSON.stringify({ isPrivate: true }) });
    asked.open();
    const sockets = [leaver, stranger, member].map(({ socket }) => socket);
    await eventually("all are answered", () => sockets.every(({ frames }) => frames.length > 0));
    expect(sockets.map(({ frames }) => frames)).toEqual([
      [{ t: "unsub", room, code: "NOT_FOUND" }],
      [{ t: "unsub", room, code: "NOT_FOUND" }],
      [{ t: "reset", room, offset: 2_002 }],
    ]);
  });

  it("does not believe an answer that is older than another skip", async () => {
    const { connect, join, access, room, skip, hub, whileAsking } = ground();
    const { socket, connection } = connect("u");
    await join(connection, "u");
    const [first, second] = [gate(), gate()];
    whileAsking(first.pass);
    skip();
    await eventually("it is looked at", () => first.reached() === 1);
    whileAsking(second.pass);
    access.set("u", OUT);
    skip();
    await eventually("it has skipped again", () => hub.feed(room)?.head.offset === 4_000 && second.reached() === 1);
    first.open();
    await first.pass();
    await new Promise(resolve => setImmediate(resolve));
    expect(socket.frames).toEqual([]);
    second.open();
    await eventually("it is cut", () => socket.frames.length > 0);
    expect(socket.frames).toEqual([{ t: "unsub", room, code: "NOT_FOUND" }]);
  });

  it("keeps a waiting reader from a room's live entries when he types", async () => {
    const { connect, join, append, bus, room, skip, whileAsking } = ground();
    const { socket, connection } = connect("u");
    await join(connection, "u");
    const asked = gate();
    whileAsking(asked.pass);
    skip();
    await eventually("it is looked at", () => asked.reached() === 1);
    bus.publish({ type: "signal", room, signal: { type: "typing", user: "u", on: true } });
    append(event(2_001));
    expect(socket.frames).toEqual([]);
    asked.open();
    await eventually("it goes on", () => socket.frames.length > 0);
  });

  it("denies a room whose bus is away, keeps nothing of it, and opens it to whoever comes when it is back", async () => {
    const { connect, join, bus, hub } = ground();
    const { connection } = connect("u");
    const subscribe = bus.subscribe.bind(bus);
    bus.subscribe = () => Promise.reject(new Error("away"));
    expect(await join(connection, "u")).toEqual({ state: "denied", code: "UNAVAILABLE" });
    expect(hub.size).toBe(0);
    bus.subscribe = subscribe;
    expect(await join(connection, "u")).toMatchObject({ state: "live" });
  });
});
