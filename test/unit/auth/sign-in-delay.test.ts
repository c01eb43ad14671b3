import type { Documents } from "../../../mixins/documents";
import { ATTEMPTS, SignInDelay, type Attempts } from "../../../services/auth/sign-in-delay";
import type { RateLimitMode } from "../../../services/core/limits";
import { codeOf, TestClock } from "../../support/broker";
import { stores, type Store } from "../mixins/stores";

const HOME = "192.0.2.1";

describe.each(stores)("attempts to sign in, kept in %s", (_, open) => {
  let store: Store;
  let attempts: Documents<Attempts>;
  let clock: TestClock;
  let exceeded: jest.Mock;
  let address = 0;

  beforeEach(async () => {
    store = await open();
    attempts = await store.documents<Attempts>(ATTEMPTS);
    clock = new TestClock();
    exceeded = jest.fn();
  });
  afterEach(() => store.close());

  const delay = (mode: RateLimitMode = "on") => new SignInDelay({ attempts, clock, mode, secret: "secret", exceeded });
  /** From an address nobody has been seen at. */
  const fail = (user?: string, login = user ?? "ann") => codeOf(delay().begin(login, user, `198.51.100.${++address}`));
  const went = "resolved: undefined";
  const untilRefused = async (user?: string): Promise<number> => {
    for (let n = 0; ; n++) if ((await fail(user)) === "RATE_LIMITED") return n;
  };

  it.each([
    ["an account", "u1"],
    ["a name nobody has", undefined],
  ])("of %s are slowed down, each failure twice as long, from wherever they come", async (_what, user) => {
    expect(await untilRefused(user)).toBe(6);
    for (const ms of [1_000, 2_000, 4_000, 8_000]) {
      clock.advance(ms - 1);
      expect(await fail(user)).toBe("RATE_LIMITED");
      clock.advance(1);
      expect(await fail(user)).toBe(went);
      expect(await fail(user)).toBe("RATE_LIMITED");
    }
    // However it is written.
    expect(await fail(user, ` ${(user ?? "ann").toUpperCase()} `)).toBe("RATE_LIMITED");
    expect(await fail("somebody-else")).toBe(went);
    for (let n = 0; n < 20; n++) {
      clock.advance(900_000);
      expect(await fail(user)).toBe(went);
    }
  });

  it("by one name tell nothing of another, his e-mail or not (S10: REST)", async () => {
    await untilRefused("u1");
    expect(await fail("u1", "ann@example.org")).toBe(went);
    expect(await fail(undefined, "nobody@example.org")).toBe(went);
  });

  it("that come all at once get through no more often than one after the other", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => fail("u1")));
    expect(all.filter(code => code === went)).toHaveLength(6);
  });

  it("do not keep its owner out where he has signed in before", async () => {
    await (
      await delay().begin("ann", "u1", HOME)
    )();
    await untilRefused("u1");
    await (
      await delay().begin("u1", "u1", HOME)
    )();
    expect(await fail("u1")).toBe("RATE_LIMITED");
    for (let n = 0; n < 6; n++) await delay().begin("ann", "u1", HOME);
    expect(await codeOf(delay().begin("ann", "u1", HOME))).toBe("RATE_LIMITED");
  });

  it("are forgiven by a success, and forgotten after a while; nothing of a name is kept", async () => {
    for (let n = 0; n < 5; n++) await fail("u1");
    await (
      await delay().begin("u1", "u1", "203.0.113.5")
    )();
    expect(await untilRefused("u1")).toBe(6);
    await fail(undefined, "My-Password");
    expect(JSON.stringify(await attempts.find())).not.toMatch(/my-password|ann|203/i);
    clock.advance(3_600_001);
    await delay().sweep();
    expect((await attempts.find()).map(({ known }) => typeof known)).toEqual(["number"]);
    expect(await untilRefused("u1")).toBe(6);
    clock.advance(91 * 86_400_000);
    await delay().sweep();
    expect(await attempts.count()).toBe(0);
  });

  it("leave nothing of where a user signed in from who is gone", async () => {
    for (const [user, address] of [
      ["u1", HOME],
      ["u1", "203.0.113.5"],
      ["u10", HOME],
    ] as const)
      await (
        await delay().begin(user, user, address)
      )();
    await delay().forget("u1");
    expect((await attempts.find()).map(({ id }) => id.split("@")[0])).toEqual(["u10"]);
  });

  it("are only counted in mode count, and not even that when limits are off", async () => {
    for (let n = 0; n < 7; n++) await delay("count").begin("ann", "u1", HOME);
    expect(exceeded).toHaveBeenCalledTimes(1);
    for (let n = 0; n < 7; n++) await delay("off").begin("ann", "u2", HOME);
    expect(await attempts.get("u2")).toBeNull();
  });
});
