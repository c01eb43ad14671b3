import { AuditTrail, type AuditOutcome } from "../../../services/core/audit-trail";
import type { AuditRecord } from "../../../services/core/contract";
import { RookeryError } from "../../../services/core/errors";
import { newId } from "../../../services/core/ids";
import { eventually } from "../../support/eventually";

const record = (fields: Partial<AuditRecord> = {}): AuditRecord => ({
  ...{ id: newId(), at: "2026-01-01T00:00:00.000Z", type: "login", actor: null, result: "refused" },
  ...fields,
});

/** Milliseconds: longer than the 2 s that anybody is to wait, by what a slow machine may add. */
const SOON = 20_000;

/** A log that can be away, and refuses what it does not know. */
class Log {
  readonly calls: AuditRecord[][] = [];
  readonly counts = { stored: 0, dropped: 0 };
  lost = 0;
  away = false;
  readonly trail = new AuditTrail({
    send: async records => {
      if (this.away) throw new RookeryError("UNAVAILABLE");
      if (records.some(({ object }) => object === "unknown")) throw new RookeryError("INVALID");
      this.calls.push(records);
    },
    counted: (outcome: AuditOutcome, n) => (this.counts[outcome] += n),
    lost: () => this.lost++,
  });

  get stored(): (string | undefined)[] {
    return this.calls.flat().map(({ object }) => object);
  }
}

describe("the trail to the audit log", () => {
  let log: Log;
  beforeEach(() => (log = new Log()));
  afterEach(() => log.trail.close());

  it("takes the records of one tick there in one call, and each resolves when it is stored", async () => {
    await Promise.all(["a", "b", "c"].map(object => log.trail.add(record({ object }))));
    expect(log.calls.map(call => call.length)).toEqual([3]);
    expect(log.counts).toEqual({ stored: 3, dropped: 0 });
  });

  it("keeps them in order while the log is away, and holds nobody up for longer than 2 s", async () => {
    log.away = true;
    const began = performance.now();
    const added = ["a", "b", "c"].map(object => log.trail.add(record({ object })));
    await Promise.all(added);
    expect(performance.now() - began).toBeLessThan(SOON);
    expect(log.trail.size).toBe(3);
    log.away = false;
    await eventually("stored", () => log.trail.size === 0);
    expect(log.stored).toEqual(["a", "b", "c"]);
  });

  it("holds a thousand; what is more is dropped, counted, and told once", async () => {
    log.away = true;
    const added = Array.from({ length: 1_010 }, (_, n) => log.trail.add(record({ object: String(n) })));
    expect(log.trail.size).toBe(1_000);
    await Promise.all(added.slice(1_000));
    expect(log.counts.dropped).toBe(10);
    expect(log.lost).toBe(1);
    log.away = false;
    await eventually("stored", () => log.counts.stored === 1_000);
    expect(log.stored).toEqual(Array.from({ length: 1_000 }, (_, n) => String(n)));
  });

  it("drops the one that is not understood, and no other", async () => {
    await Promise.all(["a", "unknown", "b"].map(object => log.trail.add(record({ object }))));
    expect(log.stored).toEqual(["a", "b"]);
    expect(log.counts).toEqual({ stored: 2, dropped: 1 });
  });

  it("stores at the end what could not be stored before, and gives up in time", async () => {
    log.away = true;
    void log.trail.add(record({ object: "a" }));
    await eventually("tried", () => log.trail.size === 1);
    log.away = false;
    await log.trail.close();
    expect(log.stored).toEqual(["a"]);
    log.away = true;
    void log.trail.add(record({ object: "b" }));
    const began = performance.now();
    await log.trail.close();
    expect(performance.now() - began).toBeLessThan(SOON);
    expect(log.counts.dropped).toBe(1);
  });

  it("records what comes again and again once, and how often it came besides", async () => {
    const again = (times: Record<string, number>) => record({ object: "door", detail: times });
    for (let n = 0; n < 5; n++) await log.trail.often("the same", again);
    await log.trail.often("another", again);
    expect(log.calls.flat()).toHaveLength(2);
    await log.trail.close();
    expect(log.calls.flat().map(({ detail }) => detail?.times)).toEqual([undefined, undefined, 4]);
  });

  it("lets no text out of its line, and none be long", async () => {
    const text = `a\r\nb\x1b[31mc\u2028d\u202ee${"x".repeat(1_000)}`;
    await log.trail.add(record({ object: text, address: text, detail: { [text]: text } }));
    const [stored] = log.calls.flat();
    expect(JSON.stringify(stored)).not.toMatch(/\\[rn]|\\u00|\u2028|\u202e/);
    expect(stored?.object).toHaveLength(100);
    expect(stored?.address).toHaveLength(100);
    expect(Object.entries(stored?.detail ?? {}).map(([name, value]) => [name.length, String(value).length])).toEqual([
      [50, 500],
    ]);
  });
});
