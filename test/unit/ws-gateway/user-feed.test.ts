import type { RoomEvent } from "../../../services/core/room-bus";
import { eventually } from "../../support/eventually";
import { ground } from "./ground";

interface Note {
  t: string;
  n: number;
  kind: string;
  data: object;
}

const note = (offset: number): RoomEvent => ({
  offset,
  seq: 0,
  kind: "user",
  data: JSON.stringify({ kind: "read", data: { seq: offset } }),
});

/** A hub over the feed of a user; the log of the ground is his. */
function feed(entries = 0) {
  const all = ground();
  for (let n = 1; n <= entries; n++) all.log.push(note(n));
  const user = all.room;
  const enter = async (n: number | null = null, sameEpoch = true) => {
    const { socket, connection } = all.connect(user);
    await all.hub.prepareFeed(user, n);
    const state = all.hub.admitFeed(connection, n, sameEpoch);
    all.hub.run(connection, [user]);
    const notes = () => socket.frames as unknown as Note[];
    return { socket, connection, state, notes, numbers: () => notes().map(one => one.n) };
  };
  return { ...all, user, enter };
}

describe("a user's own feed in the hub", () => {
  it("goes on at the head or after `n`, for each of his sockets, as notes", async () => {
    const { enter, append } = feed(5);
    const [live, behind] = [await enter(), await enter(3)];
    expect(live.state).toEqual({ n: 5, feed: "live" });
    expect(behind.state).toEqual({ n: 5, feed: "replayed" });
    await eventually("the replay is over", () => behind.socket.topics.size === 1);
    append(note(6));
    expect(live.notes()).toEqual([{ t: "user", n: 6, kind: "read", data: { seq: 6 } }]);
    expect(behind.numbers()).toEqual([4, 5, 6]);
  });

  it("heals to the stored head before it believes that `n` is beyond it", async () => {
    const { enter, log } = feed(2);
    await enter();
    // Nobody told us of it.
    log.push(note(3));
    expect((await enter(3)).state).toEqual({ n: 3, feed: "live" });
    expect((await enter(4)).state).toEqual({ n: 3, feed: "reset" });
  });

  it("believes nobody to be beyond the head while the log does not tell", async () => {
    const { enter, log, whileReadingHeads } = feed(2);
    await enter();
    log.push(note(3));
    whileReadingHeads(() => Promise.reject(new Error("away")));
    await expect(enter(3)).rejects.toMatchObject({ type: "UNAVAILABLE" });
    whileReadingHeads(async () => undefined);
    expect((await enter(3)).state).toEqual({ n: 3, feed: "live" });
  });

  it.each([
    ["another epoch", 1_010, false],
    ["more than 1,000 notes behind", 10, true],
    ["below the floor", 15, true],
  ])("is reset for %s, and sends nothing that was", async (what, n, sameEpoch) => {
    const { enter, trim, append } = feed(1_011);
    if (what === "below the floor") trim(20);
    const { state, numbers } = await enter(n, sameEpoch);
    expect(state).toEqual({ n: 1_011, feed: "reset" });
    append(note(1_012));
    expect(numbers()).toEqual([1_012]);
  });

  it("says so in its own words when notes are skipped, asks nobody for leave, and goes on", async () => {
    const { enter, skip, log, append, whileAsking } = feed(5);
    whileAsking(async () => Promise.reject(new Error("asked for leave")));
    const { notes } = await enter();
    skip();
    await eventually("it was told", () => notes().length > 0);
    expect(notes()).toEqual([{ t: "user", n: log.length, kind: "reset", data: {} }]);
    append(note(log.length + 1));
    expect(notes()[1]).toMatchObject({ t: "user", n: log.length });
  });

  it("says so in its own words when a replay cannot go on", async () => {
    const { enter, trim, log, append } = feed(600);
    const { notes } = await enter();
    append(note(601));
    // What was there when he came has left before it was read.
    const late = enter(300).then(one => (trim(500), one));
    const { notes: his, socket } = await late;
    await eventually("it went on", () => socket.topics.size === 1);
    expect(his().at(-1)).toEqual({ t: "user", n: log.length, kind: "reset", data: {} });
    expect(notes().map(one => one.n)).toEqual([601]);
  });

  it("is not left like a room: it ends with the connection, and is forgotten like a room", async () => {
    const { enter, hub, user, append, pass } = feed();
    const { connection, numbers } = await enter();
    hub.leave(connection, user);
    append(note(1));
    expect(numbers()).toEqual([1]);
    expect(connection.roomCount).toBe(0);
    hub.close(connection);
    append(note(2));
    expect(numbers()).toEqual([1]);
    hub.sweep();
    expect(hub.feed(user)).toBeDefined();
    pass(60_000);
    hub.sweep();
    expect(hub.feed(user)).toBeUndefined();
  });

  it("lets nobody in whose feed cannot be read, and tries anew for the next", async () => {
    const { enter, whileReadingHeads } = feed(1);
    whileReadingHeads(() => Promise.reject(new Error("away")));
    await expect(enter()).rejects.toThrow("away");
    whileReadingHeads(async () => undefined);
    expect((await enter()).state).toEqual({ n: 1, feed: "live" });
  });
});
