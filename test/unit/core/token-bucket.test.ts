import { afterToken, untilToken } from "../../../services/core/token-bucket";

const rate = { burst: 3, perSecond: 2 };

describe("a bucket kept as one number", () => {
  let now = 1_000;
  let fullAt = 0;
  const take = (): number => {
    const wait = untilToken(rate, fullAt, now);
    if (wait === 0) fullAt = afterToken(rate, fullAt, now);
    return wait;
  };

  it("gives a burst, then its rate, and says how long to wait", () => {
    expect([take(), take(), take(), take()]).toEqual([0, 0, 0, 500]);
    now += 499;
    expect(take()).toBe(1);
    now += 1;
    expect([take(), take()]).toEqual([0, 500]);
    now += 60_000;
    expect([take(), take(), take(), take()]).toEqual([0, 0, 0, 500]);
  });

  it("counts as a bucket of tokens would", () => {
    now += 60_000;
    let [tokens, at] = [rate.burst, now];
    for (let step = 0; step < 500; step++) {
      now += ((step * 7919) % 8) * 125;
      tokens = Math.min(rate.burst, tokens + ((now - at) / 1_000) * rate.perSecond);
      at = now;
      const wait = tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / rate.perSecond) * 1_000);
      if (wait === 0) tokens -= 1;
      expect(take()).toBe(wait);
    }
  });
});
