import { openDocuments, StorageError, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { Admission } from "../../../services/auth/admission";
import { REVOCATIONS, type RevocationEntry } from "../../../services/auth/auth.store";
import { PERSONAL_TOKENS, PersonalTokens, type PersonalToken } from "../../../services/auth/personal-tokens";
import { RevocationLog } from "../../../services/auth/revocation-log";
import type { UserRecord } from "../../../services/core/contract";
import { RookeryError } from "../../../services/core/errors";
import { PersonalTokenCache } from "../../../services/core/personal-tokens";
import { AccessTokens, type VerifiedToken } from "../../../services/core/tokens";
import { codeOf, identity, SECRET, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";
import { accessParts } from "./ground";

const DAY = 86_400_000;

describe("tokens of programs", () => {
  const clock = new TestClock(Date.now());
  const tokens = new AccessTokens({ secret: SECRET, issuer: "rookery", audience: "rookery", accessTtl: 600 });
  let database: SqliteDatabase;
  let stored: Documents<PersonalToken>;
  let revocations: RevocationLog;
  let personal: PersonalTokens;
  const ann = identity();
  const users = { record: async (id: string): Promise<UserRecord | null> => (id === ann.id ? ann : null) };
  const make = (more = {}) => personal.create(ann, ann, { name: "one", scopes: ["users:read"], ...more });
  const over = (documents: Documents<PersonalToken>, roles: PersonalTokensRoles) =>
    new PersonalTokens({
      ...{ stored: documents, admission: new Admission(false), roles, revocations, tokens, clock },
      duty: { isDue: async () => false },
    });
  let roles: PersonalTokensRoles;

  beforeEach(async () => {
    database = await SqliteDatabase.open(`${temporaryFolder()}/test.db`);
    stored = await openDocuments<PersonalToken>(database, PERSONAL_TOKENS);
    const entries = await openDocuments<RevocationEntry>(database, REVOCATIONS);
    revocations = new RevocationLog(entries, clock, 660_000, () => undefined);
    ({ roles } = await accessParts(database, revocations, clock));
    personal = over(stored, roles);
  });
  afterEach(() => database.close());

  it("end at their time, and the last access token with them", async () => {
    const { token } = await make({ expiresInDays: 1 });
    clock.advance(DAY - 60_000);
    const { accessToken, expiresIn } = await personal.exchange(users, token);
    expect(expiresIn).toBe(60);
    expect(tokens.verify(accessToken).identity.scopes).toEqual(["users:read"]);
    clock.advance(60_000);
    expect(await codeOf(personal.exchange(users, token))).toBe("UNAUTHENTICATED");
    expect(await personal.of(ann.id)).toEqual([]);
    await personal.sweep();
    expect(await stored.count()).toBe(0);
    clock.advance(-DAY);
  });

  it("keep no secret, and take none but the whole", async () => {
    const { token, id } = await make();
    const secret = token.slice(`rkp_${id}_`.length);
    expect(JSON.stringify(await stored.get(id))).not.toContain(secret);
    for (const wrong of [token.slice(0, -1), `${token}x`, `rkp_${id}_${"A".repeat(43)}`, id, secret, ""])
      expect(await codeOf(personal.exchange(users, wrong))).toBe("UNAUTHENTICATED");
  });

  it("note that they were used once a minute, and work where that cannot be noted", async () => {
    const { token, id } = await make();
    let writes = 0;
    const counting = Object.assign(Object.create(stored) as Documents<PersonalToken>, {
      update: (...args: Parameters<typeof stored.update>) => {
        writes++;
        return writes > 2 ? Promise.reject(new StorageError("failed", "away")) : stored.update(...args);
      },
    });
    const counted = over(counting, roles);
    await counted.exchange(users, token);
    const first = (await stored.get(id))?.lastUsedAt;
    clock.advance(30_000);
    await counted.exchange(users, token);
    expect((await stored.get(id))?.lastUsedAt).toBe(first);
    expect((await counted.exchange(users, token)).accessToken).toBeTruthy();
  });

  it("are refused from the log on, if whoever ended one did not come to remove it", async () => {
    const { token, id } = await make();
    await revocations.append({ session: id });
    expect(await codeOf(personal.exchange(users, token))).toBe("UNAUTHENTICATED");
    await personal.endMany([id]);
    expect(await stored.get(id)).toBeNull();
  });

  it("cannot do what their maker may not", async () => {
    const bot: UserRecord = { id: "bot", username: "bot", roles: ["Admin"], bot: true };
    const wanted = { name: "one", scopes: ["admin" as const] };
    expect(await codeOf(personal.create(ann, bot, wanted))).toBe("FORBIDDEN");
    expect(await personal.create(identity(undefined, ["Admin"]), bot, wanted)).toHaveProperty("token");
    expect(await personal.create(ann, ann, wanted)).toHaveProperty("token");
  });

  describe("at a door", () => {
    let asked = 0;
    const refused = new Set<VerifiedToken>();
    const door = (exchange: (token: string) => Promise<{ accessToken: string }>) =>
      new PersonalTokenCache({
        exchange: token => (asked++, exchange(token)),
        tokens,
        refuses: token => refused.has(token),
        clock,
      });
    beforeEach(() => (asked = 0));

    it("are asked about once in the life of an access token, also when many ask at once", async () => {
      const { token } = await make();
      const cache = door(text => personal.exchange(users, text));
      const all = await Promise.all([1, 2, 3].map(() => cache.resolve(token)));
      expect(all[2]?.identity).toMatchObject({ id: ann.id, scopes: ["users:read"] });
      clock.advance(500_000);
      expect(cache.get(token)).toBe(all[0]);
      expect(asked).toBe(1);
      clock.advance(60_000);
      expect(cache.get(token)).toBeNull();
      clock.advance(-560_000);
    });

    it("are asked about anew once the log refuses what is known", async () => {
      const { token } = await make();
      const cache = door(text => personal.exchange(users, text));
      refused.add(await cache.resolve(token));
      expect(cache.get(token)).toBeNull();
      await cache.resolve(token);
      expect(asked).toBe(2);
    });

    it("are not judged while nobody can, and only so many at a time", async () => {
      expect(await codeOf(door(() => Promise.reject(new Error("timeout"))).resolve("rkp_x"))).toBe("UNAVAILABLE");
      const never = door(() => new Promise(() => undefined));
      for (let one = 0; one < 64; one++) void never.resolve(`rkp_${one}`);
      expect(await codeOf(never.resolve("rkp_more"))).toBe("UNAVAILABLE");
      const strict = door(() => Promise.reject(new RookeryError("UNAUTHENTICATED")));
      expect(await codeOf(strict.resolve("rkp_x"))).toBe("UNAUTHENTICATED");
      expect(strict.get("rkp_x")).toBeNull();
    });
  });
});

type PersonalTokensRoles = ConstructorParameters<typeof PersonalTokens>[0]["roles"];
