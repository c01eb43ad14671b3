import { systemClock } from "../../../services/core/clock";
import { LIMITS, type Limits } from "../../../services/core/limits";
import { Subscriptions } from "../../../services/ws-gateway/subscriptions";
import { eventually } from "../../support/eventually";
import { gate, ground, type Frame, type RecordingSocket } from "./ground";

/** Changes that may wait for the one under way. */
const WAITING = 1_000;

interface Answer extends Frame {
  i: number;
  rooms?: Record<string, { state: string }>;
}

function subscribing(more: Partial<Limits> = {}) {
  const all = ground(3);
  let now = 0;
  const clock = { ...systemClock, monotonic: () => now };
  const publicLimits = { text: 4_000 };
  const limits = { ...LIMITS, rooms: 2, ...more };
  const subscriptions = new Subscriptions({ hub: all.hub, epoch: () => "e", limits, clock, publicLimits });
  return { ...all, subscriptions, pass: (ms: number) => (now += ms) };
}

const answersOf = ({ frames }: RecordingSocket): Answer[] => frames.filter(({ t }) => t !== "event") as Answer[];

describe("subscriptions", () => {
  it("are welcomed with all that there is to know", async () => {
    const { subscriptions, connect, room } = subscribing();
    const { socket, connection } = connect("u");
    subscriptions.hello(connection, { t: "hello", token: "", rooms: { [room]: null } }, 1);
    await eventually("the welcome", () => socket.frames.length === 1);
    expect(socket.frames[0]).toEqual({
      ...{ t: "welcome", i: 1, user: { id: "u", username: "u", roles: [], permissions: [] }, session: "s" },
      ...{ epoch: "e", n: 3, feed: "live", limits: { text: 4_000 } },
      rooms: { [room]: { offset: 3, seq: 3, state: "live" } },
    });
  });

  it("puts off who says hello when too many do, with a time to come back, and lets him in afterwards", async () => {
    const { subscriptions, connect, room, whileAsking } = subscribing({ hellos: 2 });
    const { pass, open } = gate();
    whileAsking(pass);
    const hello = (one: ReturnType<typeof connect>) =>
      subscriptions.hello(one.connection, { t: "hello", token: "", rooms: { [room]: null } }, 1);
    const [first, second, third] = ["a", "b", "c"].map(connect) as [
      ReturnType<typeof connect>,
      ReturnType<typeof connect>,
      ReturnType<typeof connect>,
    ];
    for (const one of [first, second, third]) hello(one);
    expect(third.socket.frames).toEqual([
      { t: "err", i: 1, code: "UNAVAILABLE", status: 503, retryAfterMs: expect.any(Number) },
      { t: "reconnect", afterMs: expect.any(Number) },
    ]);
    expect(third.socket.ended).toEqual({ code: 4013, reason: "busy" });
    open();
    for (const { socket } of [first, second])
      await eventually("the welcome", () => socket.frames.some(({ t }) => t === "welcome"));
    const again = connect("c");
    hello(again);
    await eventually("the welcome", () => again.socket.frames.some(({ t }) => t === "welcome"));
  });

  it("change one after another, in the order they were asked for", async () => {
    const { subscriptions, connect, room, whileAsking } = subscribing();
    const { socket, connection } = connect("u");
    const { pass, open } = gate();
    whileAsking(pass);
    subscriptions.sub(connection, { t: "sub", rooms: [room] }, 1);
    subscriptions.unsub(connection, { t: "unsub", rooms: [room] }, 2);
    subscriptions.sub(connection, { t: "sub", rooms: [room, "nonsense"] }, 3);
    subscriptions.sub(connection, { t: "sub", rooms: [room, "a", "b"] }, 4);
    subscriptions.unsub(connection, { t: "unsub", rooms: [room] }, 5);
    open();
    await eventually("five answers", () => {
      connection.flush();
      return answersOf(socket).length === 5;
    });
    expect(answersOf(socket).map(({ i, t, code }) => [i, code ?? t])).toEqual([
      [1, "ok"],
      [2, "ok"],
      [3, "ok"],
      [4, "INVALID"],
      [5, "ok"],
    ]);
    expect(socket.topics.size).toBe(0);
    expect(connection.turns).toBeNull();
  });

  it("wait within a bound", () => {
    const { subscriptions, connect, room, whileAsking } = subscribing();
    const { connection } = connect("u");
    whileAsking(gate().pass);
    const ask = () => subscriptions.sub(connection, { t: "sub", rooms: [room] }, 1);
    for (let n = 0; n <= WAITING; n++) ask();
    expect(ask).toThrow("Too many subscriptions at once.");
  });

  it("are answered within ten seconds, and then registered nowhere", async () => {
    jest.useFakeTimers();
    const { subscriptions, connect, room, whileAsking, pass, hub } = subscribing();
    const { socket, connection } = connect("u");
    const { pass: wait, open } = gate();
    whileAsking(wait);
    subscriptions.sub(connection, { t: "sub", rooms: [room] }, 1);
    subscriptions.sub(connection, { t: "sub", rooms: [room] }, 2);
    pass(9_000);
    await jest.advanceTimersByTimeAsync(1_000);
    connection.flush();
    expect(answersOf(socket).map(({ i, code }) => [i, code])).toEqual([
      [1, "UNAVAILABLE"],
      [2, "UNAVAILABLE"],
    ]);
    open();
    await jest.advanceTimersByTimeAsync(1);
    expect([connection.rooms.size, socket.topics.size, hub.readers(room).readers]).toEqual([0, 0, 0]);
    jest.useRealTimers();
  });
});
