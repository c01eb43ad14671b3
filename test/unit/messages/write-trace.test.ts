import { WriteTrace } from "../../../services/messages/write-trace";
import { systemClock } from "../../../services/core/clock";
import { newId } from "../../../services/core/ids";
import { TestClock } from "../../support/broker";
import { eventually } from "../../support/eventually";
import { codeOf, ground, message, openStore, person } from "./ground";

const batch = (room: string, from: number, to: number, at: number) => ({
  room,
  from,
  to,
  queuedAt: at,
  writtenAt: at + 1,
  committedAt: at + 2,
  publishedAt: at + 3,
});

describe("what a writer remembers of its writing", () => {
  it("is the batch that holds an entry of a room, and no other room's", () => {
    const clock = new TestClock();
    const trace = new WriteTrace(clock);
    trace.wrote(batch("a", 1, 4, 100));
    trace.wrote(batch("b", 1, 2, 200));
    trace.wrote(batch("a", 5, 5, 300));
    const { room: _, ...first } = batch("a", 1, 4, 100);
    expect(trace.of("a", 4)).toEqual({ since: clock.now(), batch: first, repeats: [] });
    expect(trace.of("a", 5).batch?.queuedAt).toBe(300);
    expect(trace.of("b", 3).batch).toBeNull();
  });

  it("is when a request came again", () => {
    const clock = new TestClock();
    const trace = new WriteTrace(clock);
    const start = clock.now();
    trace.repeated("a", 4);
    clock.advance(50);
    trace.repeated("a", 5);
    trace.repeated("a", 4);
    expect(trace.of("a", 4).repeats).toEqual([start, start + 50]);
  });

  it("is bounded, and it says since when it remembers", () => {
    const trace = new WriteTrace(new TestClock());
    for (let n = 1; n <= 5_000; n++) trace.wrote(batch("a", n, n, n * 10));
    expect(trace.of("a", 5_000).batch?.from).toBe(5_000);
    expect(trace.of("a", 904).batch).toBeNull();
    expect(trace.of("a", 905)).toMatchObject({ since: 9_053, batch: { from: 905 } });
  });
});

describe("the writer of a room", () => {
  const room = newId();

  it("remembers each batch with its times in order, and who came again", async () => {
    const trace = new WriteTrace(systemClock);
    const before = Date.now();
    const { send } = ground(await openStore(), room, { trace });
    const user = person();
    const sent = await Promise.all(Array.from({ length: 5 }, (_, n) => send(user, `${n}`, { clientId: `c${n}` })));
    expect(sent.map(answer => message(answer).offset)).toEqual([1, 2, 3, 4, 5]);
    message(await send(user, "3", { clientId: "c3" }));

    const { batch: found, repeats } = trace.of(room, 4);
    expect(found).toMatchObject({ to: 5 });
    const { queuedAt = 0, writtenAt = 0, committedAt = 0, publishedAt = 0 } = found ?? {};
    const times = [queuedAt, writtenAt, committedAt, publishedAt];
    expect(times).toEqual([...times].sort((a, b) => a - b));
    // A duration on the monotonic clock may round against the wall clock.
    expect(queuedAt).toBeGreaterThanOrEqual(before - 1);
    expect(publishedAt).toBeLessThanOrEqual(Date.now());
    expect(repeats).toHaveLength(1);
    expect(trace.of(room, 5).repeats).toEqual([]);
  });

  it("remembers that a write had no answer and was settled", async () => {
    const trace = new WriteTrace(systemClock);
    const store = await openStore();
    const { send } = ground(store, newId(), { trace });
    const user = person();
    store.faults.push("unknown-not-stored");
    expect(codeOf(await send(user, "doubt", { clientId: "c1" }))).toBe("UNKNOWN_OUTCOME");
    const settled = await eventually(
      "it is settled",
      () => send(user, "doubt", { clientId: "c1" }),
      answer => answer.ok,
    );
    const { channelId, offset } = message(settled);
    expect(trace.of(channelId, offset)).toMatchObject({
      batch: { from: offset, settled: true },
      repeats: [expect.any(Number)],
    });
  });
});
