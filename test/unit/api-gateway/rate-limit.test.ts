import { ServerResponse, IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { addressKey, RateLimit, WINDOW, type LimitKind } from "../../../services/api-gateway/rate-limit";
import type { RateLimitMode } from "../../../services/core/limits";
import { SharedCounter } from "../../../services/core/shared-counter";
import { alone } from "../core/alone";

const answer = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));
const now = (): number => 0;
const counter = (most: number): SharedCounter => new SharedCounter({ most, windowMs: WINDOW }, alone, now);

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
  new RateLimit(mode, { requests: counter(3), signIns: counter(1) }, exceeded);

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
