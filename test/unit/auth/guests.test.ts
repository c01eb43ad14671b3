import { openDocuments, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import type { Users } from "../../../services/auth/accounts";
import { Guests, GUESTS, type Guest } from "../../../services/auth/guests";
import type { SignedIn } from "../../../services/core/contract";
import { RookeryError } from "../../../services/core/errors";
import { codeOf, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";

const WEEK = 7 * 86_400_000;

describe("guests", () => {
  let database: SqliteDatabase;
  let stored: Documents<Guest>;
  let clock: TestClock;
  let guests: Guests;
  let expired: string[];
  const users = { create: async (user: object) => user, audit: async () => undefined } as unknown as Users;
  const expire = async (id: string): Promise<void> => void expired.push(id);

  beforeEach(async () => {
    database = await SqliteDatabase.open(`${temporaryFolder()}/test.db`);
    stored = await openDocuments<Guest>(database, GUESTS);
    clock = new TestClock();
    expired = [];
    guests = new Guests({
      guests: stored,
      accounts: { signIn: async (_, user) => ({ user }) as unknown as SignedIn },
      revocations: { current: async () => 0 },
      clock,
      allowed: true,
      keepFor: WEEK,
    });
  });
  afterEach(() => database.close());

  const come = async () => (await guests.come(users, undefined)).user.id;

  it("stay for so long after they were used last, to the moment, and are forgotten then", async () => {
    const [lost, back] = [await come(), await come()];
    clock.advance(WEEK - 1);
    await guests.used(back);
    await guests.sweep(expire);
    expect(expired).toEqual([]);
    clock.advance(1);
    await guests.sweep(expire);
    expect(expired).toEqual([lost]);
    clock.advance(WEEK - 2);
    await guests.sweep(expire);
    expect(expired).toEqual([lost]);
    clock.advance(1);
    await guests.sweep(expire);
    await guests.sweep(expire);
    expect(expired).toEqual([lost, back]);
    expect(await stored.count()).toBe(0);
  });

  it("are tried again when they could not be removed, those gone longest first", async () => {
    const first = await come();
    clock.advance(1_000);
    const second = await come();
    clock.advance(WEEK);
    const away = () => Promise.reject(new RookeryError("UNAVAILABLE"));
    expect(await codeOf(guests.sweep(away))).toBe("UNAVAILABLE");
    expect(await stored.count()).toBe(2);
    await guests.sweep(expire);
    expect(expired).toEqual([first, second]);
  });

  it("that were half made are swept, too", async () => {
    const broken = { create: () => Promise.reject(new RookeryError("UNAVAILABLE")) } as unknown as Users;
    expect(await codeOf(guests.come(broken, undefined))).toBe("UNAVAILABLE");
    clock.advance(WEEK);
    await guests.sweep(expire);
    expect(expired).toHaveLength(1);
    expect(await stored.count()).toBe(0);
  });
});
