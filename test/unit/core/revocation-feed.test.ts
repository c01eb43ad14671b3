import { RevocationFeed } from "../../../services/core/revocation-feed";
import type { Revocation } from "../../../services/core/contract";
import type { Identity } from "../../../services/core/model";

/** auth's log, and how often it was read. */
class Log {
  items: Revocation[] = [];
  reads: number[] = [];
  away = false;
  /** Entries in one answer. */
  most = 100;

  readonly fetch = async (after: number): Promise<{ head: number; items: Revocation[] }> => {
    this.reads.push(after);
    if (this.away) throw new Error("away");
    return { head: this.items.at(-1)?.n ?? 0, items: this.items.filter(({ n }) => n > after).slice(0, this.most) };
  };
  /** What a feed gets by; may be replaced. */
  answer = this.fetch;
}

const token = (sid: string, revision = 0) => ({ identity: { id: `user-of-${sid}`, sid } as Identity, revision });

function setUp({ lossy = false } = {}) {
  const log = new Log();
  let time = 0;
  const clock = { now: () => time, monotonic: () => time };
  const feed = new RevocationFeed({ fetch: after => log.answer(after), clock, keepFor: 600_000, lossy });
  return { log, feed, advance: (ms: number) => (time += ms) };
}

describe("RevocationFeed", () => {
  it("is not ready before the log was read, and says so while its owner is away", async () => {
    const { log, feed } = setUp();
    log.away = true;
    await expect(feed.ready()).rejects.toThrow("away");
    log.away = false;
    log.items = [{ n: 1, session: "a" }];
    await feed.ready();
    expect(feed.refuses(token("a"))).toBe(true);
    expect(feed.refuses(token("b"))).toBe(false);
  });

  it("reads the log once for many that wait", async () => {
    const { log, feed } = setUp();
    await Promise.all([feed.ready(), feed.ready(), feed.ready()]);
    await feed.ready();
    expect(log.reads).toEqual([0]);
  });

  it("takes a broadcast at once", async () => {
    const { feed } = setUp();
    await feed.ready();
    feed.add([{ n: 1, session: "a" }]);
    expect(feed.refuses(token("a"))).toBe(true);
  });

  it("does not ask again in one process, unless a number is missing", async () => {
    const { log, feed } = setUp();
    await feed.ready();
    await feed.compare();
    expect(log.reads).toHaveLength(1);
    log.items = [
      { n: 1, session: "lost" },
      { n: 2, session: "b" },
    ];
    feed.add([{ n: 2, session: "b" }]);
    expect(feed.refuses(token("lost"))).toBe(false);
    await feed.compare();
    expect(log.reads).toEqual([0, 0]);
    expect(feed.refuses(token("lost"))).toBe(true);
    await feed.compare();
    expect(log.reads).toHaveLength(2);
  });

  it("looks into the log, in one process too, where it is told that something may be there", async () => {
    const { log, feed } = setUp();
    await feed.ready();
    log.items = [{ n: 1, session: "a" }];
    feed.add([]);
    await feed.compare();
    expect(feed.refuses(token("a"))).toBe(true);
    await feed.compare();
    expect(log.reads).toHaveLength(2);
  });

  it("reads on while the answers are cut", async () => {
    const { log, feed } = setUp();
    log.items = [1, 2, 3, 4, 5].map(n => ({ n, session: `s${n}` }));
    log.most = 2;
    await feed.ready();
    expect(log.reads).toEqual([0, 2, 4]);
    expect([1, 2, 3, 4, 5].every(n => feed.refuses(token(`s${n}`)))).toBe(true);
  });

  it("compares the head every time where broadcasts can be lost", async () => {
    const { log, feed } = setUp({ lossy: true });
    await feed.ready();
    log.items = [{ n: 1, session: "lost" }];
    await feed.compare();
    expect(feed.refuses(token("lost"))).toBe(true);
    await feed.compare();
    expect(log.reads).toEqual([0, 0, 1]);
  });

  it("waits for no answer that was lost: it asks again within a second, and what comes late takes nothing back", async () => {
    const { log, feed, advance } = setUp({ lossy: true });
    await feed.ready();
    const { fetch } = log;
    let late = (): void => undefined;
    const lost = async (after: number) => {
      const then = await fetch(after);
      return new Promise<typeof then>(resolve => (late = () => resolve(then)));
    };
    log.answer = lost;
    advance(1_000);
    const first = feed.compare();
    log.answer = fetch;
    log.items = [{ n: 1, session: "a" }];
    advance(1_000);
    await feed.compare();
    expect(feed.refuses(token("a"))).toBe(true);
    late();
    await first;
    await feed.compare();
    expect(log.reads).toEqual([0, 0, 0, 1]);
  });

  it("is not believed 10 s after the last word where broadcasts can be lost", async () => {
    const { log, feed, advance } = setUp({ lossy: true });
    await feed.ready();
    log.away = true;
    advance(9_999);
    await feed.compare();
    await expect(feed.ready()).resolves.toBeUndefined();
    advance(2);
    await expect(feed.ready()).rejects.toThrow("away");
  });

  it("refuses a user's tokens made before the user was named, and takes those made after", async () => {
    const { log, feed } = setUp();
    log.items = [{ n: 7, user: "user-of-a" }];
    await feed.ready();
    expect(feed.refuses(token("a", 6))).toBe(true);
    expect(feed.refuses(token("a", 7))).toBe(false);
  });

  it("refuses everybody's tokens made before everybody was named, and takes those made after", async () => {
    const { log, feed } = setUp();
    log.items = [{ n: 1_000, everybody: true }];
    await feed.ready();
    expect(feed.refuses(token("a", 999))).toBe(true);
    expect(feed.refuses(token("b", 1_000))).toBe(false);
  });
});
