import type { RoomEvent } from "../../../services/core/room-bus";
import { eventually } from "../../support/eventually";
import { cut, event, ground, OUT } from "./ground";

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

const joined = (offset: number, user: string): RoomEvent => ({
  offset,
  seq: offset,
  kind: "member",
  data: JSON.stringify({ userId: user, change: "join" }),
  member: { user, change: "join" },
});

describe("who is taken out of a room while he is behind in it", () => {
  /** A reader "u" who has entries to get and a socket that takes nothing, and another who is live. */
  async function behind(entries = 25, from = 0) {
    const field = ground(entries);
    const [late, live] = [field.connect("u"), field.connect("v")];
    late.socket.buffered = 1_000_000;
    await field.join(late.connection, "u", from);
    await field.join(live.connection, "v");
    const { room, hub } = field;
    /** Lets the socket take all, and answers with what it was sent in the end. */
    async function drain(): Promise<typeof late.socket.frames> {
      late.socket.buffered = 0;
      hub.drained(late.connection);
      await eventually("it has ended", () => late.socket.frames.at(-1)?.t === "unsub");
      return late.socket.frames.slice(late.socket.offsets.length);
    }
    /** A message is changed in the log, as a store does it, and all are told. */
    function change(kind: "edit" | "delete", target: number, data: string): void {
      const entry = { ...event(field.log.length + 1, data), kind, target: { offset: target, data } };
      field.log[target - 1] = event(target, data);
      field.append(entry);
    }
    const end = { t: "unsub", room, code: "FORBIDDEN" };
    return { ...field, late, live, drain, change, end };
  }

  it("gets everything up to the entry that takes him out, and nothing after it", async () => {
    const { late, live, append, drain, end } = await behind();
    append(event(26), cut(27, "u"), event(28));
    append(event(29));
    expect(late.socket.frames).toEqual([]);
    expect(await drain()).toEqual([end]);
    append(event(30));
    expect(late.socket.offsets).toEqual(upTo(27));
    expect([...late.socket.topics]).toEqual([]);
    expect(live.socket.offsets).toEqual([26, 27, 28, 29, 30]);
  });

  it("may not write while he gets the rest, nor when he is added again, until he subscribes", async () => {
    const { late, append, drain, end, room, join } = await behind();
    append(cut(26, "u"), joined(27, "u"), event(28));
    expect(late.connection.rooms.get(room)?.member).toBe(false);
    expect(await drain()).toEqual([end]);
    expect(late.socket.offsets).toEqual(upTo(26));
    expect(await join(late.connection, "u", 26)).toMatchObject({ state: "replayed" });
    await eventually("he has the rest", () => late.socket.offsets.length === 28);
  });

  it("is not shown what a message was changed to after that", async () => {
    const { late, append, drain, change, end, room } = await behind();
    append(cut(26, "u"));
    change("edit", 20, '"secret"');
    expect(await drain()).toEqual([{ t: "reset", room, offset: 26 }, end]);
    expect(late.socket.offsets).toEqual(upTo(19));
    expect(late.socket.sent.join("\n")).not.toContain("secret");
  });

  it("is not shown it when it is told of together with his end", async () => {
    const { late, append, drain, log, end, room } = await behind();
    log[19] = event(20, '"secret"');
    append(cut(26, "u"), { ...event(27), kind: "edit", target: { offset: 20, data: '"secret"' } });
    expect(await drain()).toEqual([{ t: "reset", room, offset: 26 }, end]);
    expect(late.socket.sent.join("\n")).not.toContain("secret");
  });

  it("is not shown it by an entry that names the message either", async () => {
    const { late, append, drain, change, log, end, room } = await behind(25, 10);
    log[19] = { ...event(20, '"first"'), kind: "edit", target: { offset: 5, data: '"first"' } };
    append(cut(26, "u"));
    log[19] = { ...event(20, '"secret"'), kind: "edit", target: { offset: 5, data: '"secret"' } };
    change("edit", 5, '"secret"');
    expect(await drain()).toEqual([{ t: "reset", room, offset: 26 }, end]);
    expect(late.socket.offsets).toEqual(upTo(19).slice(10));
    expect(late.socket.sent.join("\n")).not.toContain("secret");
  });

  it("gets the rest where messages were deleted meanwhile, or changed that he has", async () => {
    const { late, append, drain, change, end } = await behind();
    append(cut(26, "u"), event(27));
    change("edit", 20, '"secret"');
    change("delete", 20, '"gone"');
    change("edit", 27, '"after"');
    expect(await drain()).toEqual([end]);
    expect(late.socket.offsets).toEqual(upTo(26));
    const shown = late.socket.sent.join("\n");
    expect(shown).toContain('"gone"');
    expect(shown).not.toContain("secret");
  });

  it("is told to fetch anew, and that he may not, where the log cannot be read", async () => {
    const { late, append, drain, whileReading, end, room } = await behind();
    append(...Array.from({ length: 1_500 }, (_, index) => event(26 + index, `"${"x".repeat(900)}"`)));
    append(cut(1_526, "u"));
    whileReading(() => Promise.reject(new Error("away")));
    const sent = await drain();
    expect(sent).toEqual([{ t: "reset", room, offset: 1_526 }, end]);
    expect(late.socket.offsets).toEqual([]);
  });

  it("is told so at once where entries are skipped", async () => {
    const { late, append, skip, end, room } = await behind();
    append(cut(26, "u"));
    skip();
    await eventually("it is told", () => late.socket.frames.length > 0);
    expect(late.socket.frames).toEqual([{ t: "reset", room, offset: 26 }, end]);
  });

  it("gets nothing more once he subscribes anew and is denied, once the room is gone, or once he left", async () => {
    const denied = await behind();
    denied.append(cut(26, "u"));
    denied.access.set("u", OUT);
    expect(await denied.join(denied.late.connection, "u", 0)).toMatchObject({ state: "denied" });
    denied.late.socket.buffered = 0;
    denied.hub.drained(denied.late.connection);
    denied.append(event(27));

    const deleted = await behind();
    const data = JSON.stringify({ isPrivate: false, deletedAt: "2026-01-01T00:00:00.000Z" });
    deleted.append(cut(26, "u"), { ...event(27, data), kind: "room" });
    expect(deleted.late.socket.frames).toEqual([{ ...deleted.end, code: "NOT_FOUND" }]);

    const left = await behind();
    left.append(cut(26, "u"));
    left.hub.leave(left.late.connection, left.room);
    left.late.socket.buffered = 0;
    left.hub.drained(left.late.connection);
    for (const { late } of [denied, left]) expect(late.socket.frames).toEqual([]);
    for (const { late, hub, room } of [denied, deleted, left]) {
      expect(late.connection.rooms.size).toBe(0);
      expect(hub.readers(room).replaying).toBe(0);
    }
  });

  it.each([
    [1_000, upTo(25).map(offset => offset + 1_500), []],
    [1_001, [], [{ t: "reset", offset: 1_526 }]],
  ])("has %s changes of other messages told apart, and gives up beyond", async (count, offsets, reset) => {
    const { late, append, drain, change, end, room } = await behind(1_525, 1_500);
    append(cut(1_526, "u"));
    for (let target = 1; target <= count; target++) change("edit", target, '"secret"');
    expect(await drain()).toEqual([...reset.map(frame => ({ ...frame, room })), end]);
    expect(late.socket.offsets).toEqual(offsets.length > 0 ? [...offsets, 1_526] : []);
  });
});
