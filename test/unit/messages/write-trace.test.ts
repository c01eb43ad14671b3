import { WriteTrace } from "../../../services/messages/write-trace";
import { TestClock } from "../../support/broker";

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
