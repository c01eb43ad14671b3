import { Secret, TOTP } from "otpauth";
import { openDocuments, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { Sealing } from "../../../services/auth/sealing";
import { SECOND_FACTORS, SecondFactors, type SecondFactor } from "../../../services/auth/second-factor";
import { newId } from "../../../services/core/ids";
import { codeOf, SECRET, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";

const PERIOD = 30_000;

describe("second factors", () => {
  let database: SqliteDatabase;
  let stored: Documents<SecondFactor>;
  let clock: TestClock;
  let factors: SecondFactors;
  let secret: string;
  let recovery: string[];
  let wrong: jest.Mock;
  const ann = newId();

  const code = (step = 0): string =>
    new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: clock.now() + step * PERIOD });
  const outcome = (text: string): Promise<string> =>
    factors.require(ann, text, wrong).then(
      () => "ok",
      (error: { type: string }) => error.type,
    );

  beforeEach(async () => {
    database = await SqliteDatabase.open(`${temporaryFolder()}/test.db`);
    stored = await openDocuments<SecondFactor>(database, SECOND_FACTORS);
    clock = new TestClock();
    wrong = jest.fn(() => Promise.resolve());
    factors = new SecondFactors(stored, new Sealing(SECRET), clock);
    ({ secret } = await factors.begin(ann, "ann"));
    recovery = await factors.confirm(ann, code(-1), wrong);
  });
  afterEach(() => database.close());

  it("take codes of one step before and after, each once and none older than the last", async () => {
    expect(await outcome(code(-1))).toBe("UNAUTHENTICATED");
    expect(await outcome(code(2))).toBe("UNAUTHENTICATED");
    expect(await outcome(code(1))).toBe("ok");
    expect(await outcome(code())).toBe("UNAUTHENTICATED");
    clock.advance(3 * PERIOD);
    const shared = code();
    const results = await Promise.all([outcome(shared), outcome(shared), outcome(shared)]);
    expect(results.sort()).toEqual(["UNAUTHENTICATED", "UNAUTHENTICATED", "ok"]);
    expect(wrong).toHaveBeenCalledTimes(5);
  });

  it("wait twice as long after each wrong code beyond five, an hour at most, and forget them with a right one", async () => {
    const waits: number[] = [];
    for (let attempt = 0; attempt < 20; attempt++) {
      expect(await outcome("nonsense")).toBe("UNAUTHENTICATED");
      const refused = (await factors.require(ann, recovery[0], wrong).catch((error: unknown) => error)) as {
        type?: string;
        data?: { retryAfterMs: number };
      };
      if (attempt < 5) {
        // It was right, so the count began anew: one wrong code at a time costs nothing.
        expect(refused).toBeUndefined();
        recovery.shift();
        if (attempt === 4) for (let wrong = 0; wrong < 5; wrong++) expect(await outcome("x")).toBe("UNAUTHENTICATED");
        continue;
      }
      expect(refused.type).toBe("RATE_LIMITED");
      waits.push(refused.data?.retryAfterMs as number);
      clock.advance(waits.at(-1) as number);
    }
    expect(waits.slice(0, 4)).toEqual([15_000, 30_000, 60_000, 120_000]);
    expect(waits.at(-1)).toBe(3_600_000);
    expect(await outcome(recovery[0] as string)).toBe("ok");
    expect(await stored.get(ann)).not.toHaveProperty("wrong");
  });

  it("take a recovery code however it is written, once, also if two come at a time", async () => {
    const [first = "", second = ""] = recovery;
    expect(await outcome(`${first.slice(0, 4).toUpperCase()}-${first.slice(4, 8)} ${first.slice(8)}`)).toBe("ok");
    expect((await Promise.all([outcome(second), outcome(second)])).sort()).toEqual(["UNAUTHENTICATED", "ok"]);
    expect(await factors.state(ann)).toMatchObject({ recoveryCodesLeft: 8 });
  });

  it("keep neither secret nor recovery codes readable, and a secret for its owner alone", async () => {
    const record = await stored.get(ann);
    const text = JSON.stringify(record);
    for (const known of [secret, ...recovery]) expect(text).not.toContain(known);
    const sealing = new Sealing(SECRET);
    expect(sealing.open(record?.secret as string, ann)).toBe(secret);
    expect(sealing.open(record?.secret as string, newId())).toBeNull();
    expect(new Sealing(`${SECRET}2`).open(record?.secret as string, ann)).toBeNull();
  });

  it("leave recovery codes good when the key is lost, and codes of the app not", async () => {
    factors = new SecondFactors(stored, new Sealing("another key altogether, and long enough"), clock);
    expect(await outcome(code())).toBe("UNAUTHENTICATED");
    expect(await outcome(recovery[0] as string)).toBe("ok");
  });

  it("begin anew until they are confirmed, and not after", async () => {
    const bob = newId();
    await factors.begin(bob, "bob");
    const second = await factors.begin(bob, "bob");
    await factors.require(bob, undefined, wrong);
    expect(await codeOf(factors.renewRecoveryCodes(bob))).toBe("CONFLICT");
    secret = second.secret;
    await factors.confirm(bob, code(), wrong);
    expect(await codeOf(factors.begin(bob, "bob"))).toBe("CONFLICT");
    expect(await codeOf(factors.require(bob, undefined, wrong))).toBe("UNAUTHENTICATED");
    // He was not asked before.
    expect(wrong).not.toHaveBeenCalled();
  });

  it("are closed to wrong codes while they are confirmed, too, and opened by a new beginning", async () => {
    const bob = newId();
    ({ secret } = await factors.begin(bob, "bob"));
    for (let attempt = 0; attempt < 6; attempt++)
      expect(await codeOf(factors.confirm(bob, "nonsense", wrong))).toBe("FORBIDDEN");
    expect(await codeOf(factors.confirm(bob, code(), wrong))).toBe("RATE_LIMITED");
    clock.advance(15_000);
    await factors.confirm(bob, code(), wrong);
    expect(await stored.get(bob)).not.toHaveProperty("wrong");
    const carl = newId();
    await factors.begin(carl, "carl");
    for (let attempt = 0; attempt < 6; attempt++) await codeOf(factors.confirm(carl, "nonsense", wrong));
    ({ secret } = await factors.begin(carl, "carl"));
    await factors.confirm(carl, code(), wrong);
  });
});
