import { ServerResponse, IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { addressKey, MemoryCounter, RateLimit, type LimitKind } from "../../../services/api-gateway/rate-limit";
import { LIMITS, type RateLimitMode } from "../../../services/core/limits";

const answer = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));
const now = (): number => 0;
const limits = { ...LIMITS, requestsPerMinute: 3, signInsPerMinute: 1 };

async function takeTimes(limit: RateLimit, times: number, kind: LimitKind = "requests") {
  const outcomes: (string | undefined)[] = [];
  let res = answer();
  for (let i = 0; i < times; i += 1) {
    res = answer();
    outcomes.push(
      await limit.take(kind, "k", res).then(
        () => undefined,
        (error: { type: string }) => error.type,
      ),
    );
  }
  return { outcomes, headers: res.getHeaders() };
}
const make = (mode: RateLimitMode, exceeded?: (kind: LimitKind) => void): RateLimit =>
  RateLimit.inMemory(mode, limits, now, exceeded);

describe("RateLimit", () => {
  it("lets the limit through, refuses the next and says how long", async () => {
    const { outcomes, headers } = await takeTimes(make("on"), 4);
    expect(outcomes).toEqual([undefined, undefined, undefined, "RATE_LIMITED"]);
    expect(headers).toMatchObject({ "ratelimit-limit": 3, "ratelimit-remaining": 0 });
    expect(headers["ratelimit-reset"]).toBeGreaterThanOrEqual(59);
    expect(headers["ratelimit-reset"]).toBeLessThanOrEqual(60);
  });

  it("tells what is left", async () => {
    expect((await takeTimes(make("on"), 2)).headers).toMatchObject({ "ratelimit-remaining": 1 });
  });

  it("carries the wait in the refusal", async () => {
    const limit = make("on");
    await limit.take("signIns", "k", answer());
    await expect(limit.take("signIns", "k", answer())).rejects.toMatchObject({
      type: "RATE_LIMITED",
      data: { retryAfterMs: expect.any(Number) },
    });
  });

  it("counts kinds and keys apart", async () => {
    const limit = make("on");
    await limit.take("signIns", "k", answer());
    await limit.take("requests", "k", answer());
    await expect(limit.take("signIns", "other", answer())).resolves.toBeUndefined();
  });

  it("refuses nobody in mode count, but counts and tells", async () => {
    const exceeded = jest.fn();
    const { outcomes, headers } = await takeTimes(make("count", exceeded), 5);
    expect(outcomes).toEqual(Array(5).fill(undefined));
    expect(headers).toMatchObject({ "ratelimit-remaining": 0 });
    expect(exceeded).toHaveBeenCalledTimes(2);
  });

  it("does nothing in mode off", async () => {
    const exceeded = jest.fn();
    const { outcomes, headers } = await takeTimes(make("off", exceeded), 5);
    expect(outcomes).toEqual(Array(5).fill(undefined));
    expect(headers).toEqual({});
    expect(exceeded).not.toHaveBeenCalled();
  });
});

describe("MemoryCounter", () => {
  it("bounds the keys it keeps: strangers beyond the bound share counters, known keys keep theirs", async () => {
    const counter = new MemoryCounter(100, now, 10);
    for (let i = 0; i < 10; i += 1) expect((await counter.add(`known-${i}`)).used).toBe(1);
    let largest = 0;
    for (let i = 0; i < 2_000; i += 1) largest = Math.max(largest, (await counter.add(`stranger-${i}`)).used);
    expect(largest).toBeGreaterThanOrEqual(2_000 / 256);
    expect((await counter.add("known-3")).used).toBe(2);
  });

  it("counts new keys apart again two windows later", async () => {
    let time = 0;
    const counter = new MemoryCounter(100, () => time, 1);
    await counter.add("first");
    time = 120_000;
    await counter.add("second");
    expect((await counter.add("second")).used).toBe(2);
  });
});

describe("addressKey", () => {
  it.each([
    ["203.0.113.9", "203.0.113.9"],
    ["2001:db8:1:2::1", "2001:db8:1:2"],
    ["2001:db8:1:2:ffff:1:2:3", "2001:db8:1:2"],
    ["2001:db8::9", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
  ])("counts %s as %s", (address, key) => {
    expect(addressKey(address)).toBe(`address:${key}`);
  });
});
