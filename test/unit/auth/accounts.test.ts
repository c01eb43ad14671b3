import { openDocuments, StorageError, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { Accounts, type AccountParts, type Users } from "../../../services/auth/accounts";
import {
  CREDENTIALS,
  REVOCATIONS,
  SESSIONS,
  type Credentials,
  type RevocationEntry,
  type Session,
} from "../../../services/auth/auth.store";
import { Passwords } from "../../../services/auth/passwords";
import { signOutEverybody } from "../../../services/auth/restored";
import { RevocationLog } from "../../../services/auth/revocation-log";
import { SignInDelay, type DelayParts } from "../../../services/auth/sign-in-delay";
import { Sessions } from "../../../services/auth/sessions";
import type { SignedIn, UserRecord } from "../../../services/core/contract";
import type { AuditNote } from "../../../services/core/audit";
import { RookeryError } from "../../../services/core/errors";
import { AccessTokens } from "../../../services/core/tokens";
import { comeIn, openDoors } from "../../support/accounts";
import { codeOf, SECRET, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";
import { accessParts } from "./ground";

/** Users in memory: a second implementation of what auth asks of the users service. */
class Village implements Users {
  readonly notes: AuditNote[] = [];
  readonly people = new Map<string, UserRecord>();
  onCreate: () => Promise<void> = async () => undefined;
  onRecord: () => Promise<void> = async () => undefined;

  async audit(note: AuditNote): Promise<void> {
    this.notes.push(note);
  }
  async create(user: { id: string; username: string }): Promise<UserRecord> {
    await this.onCreate();
    if (await this.byLogin(user.username)) throw new RookeryError("CONFLICT");
    const record: UserRecord = { id: user.id, username: user.username, roles: ["User"] };
    this.people.set(user.id, record);
    return record;
  }
  async byLogin(login: string): Promise<UserRecord | null> {
    return [...this.people.values()].find(({ username }) => username === login) ?? null;
  }
  async record(id: string): Promise<UserRecord | null> {
    const known = this.people.get(id) ?? null;
    await this.onRecord();
    return known;
  }
  async profile({ id, username, roles }: UserRecord) {
    return { id, username, roles, status: "offline" as const, createdAt: "" };
  }
}

/** Has tests of its own. */
const delay = new SignInDelay({ mode: "off" } as DelayParts);

describe("accounts", () => {
  const clock = new TestClock(Date.now());
  const passwords = new Passwords(4);
  const tokens = new AccessTokens({ secret: SECRET, issuer: "rookery", audience: "rookery", accessTtl: 600 });
  let database: SqliteDatabase;
  let credentials: Documents<Credentials>;
  let entries: Documents<RevocationEntry>;
  let sessions: Documents<Session>;
  let revocations: RevocationLog;
  let accounts: Accounts;
  let village: Village;
  let parts: Omit<AccountParts, "sessions">;
  const who = { username: "ann", email: "ann@example.org", password: "pass phrase 1" };

  beforeEach(async () => {
    database = await SqliteDatabase.open(`${temporaryFolder()}/test.db`);
    credentials = await openDocuments<Credentials>(database, CREDENTIALS);
    entries = await openDocuments<RevocationEntry>(database, REVOCATIONS);
    sessions = await openDocuments<Session>(database, SESSIONS);
    revocations = new RevocationLog(entries, clock, 660_000, () => undefined);
    parts = {
      ...openDoors(),
      credentials,
      revocations,
      passwords,
      tokens,
      clock,
      delay,
      ...(await accessParts(database, revocations, clock)),
    };
    accounts = new Accounts({ ...parts, sessions: new Sessions(sessions, clock, 3600) });
    village = new Village();
  });
  afterEach(() => database.close());
  afterAll(() => passwords.close());

  it("drop the credentials of a registration whose user was never made", async () => {
    village.onCreate = () => Promise.reject(new StorageError("unknown", "timeout"));
    expect(await codeOf(accounts.register(village, who))).toBe("UNKNOWN_OUTCOME");
    expect(await credentials.count()).toBe(1);
    clock.advance(30_000);
    await accounts.sweep(village);
    expect(await credentials.count()).toBe(1);
    clock.advance(31_000);
    await accounts.sweep(village);
    expect(await credentials.count()).toBe(0);
  });

  it("keep the credentials of a registration whose user was made though the answer got lost", async () => {
    const create = village.create.bind(village);
    village.create = async user => {
      await create(user);
      throw new StorageError("unknown", "timeout");
    };
    expect(await codeOf(accounts.register(village, who))).toBe("UNKNOWN_OUTCOME");
    clock.advance(61_000);
    await accounts.sweep(village);
    expect((await credentials.find()).map(({ pendingSince }) => pendingSince)).toEqual([undefined]);
    expect((await accounts.login(village, "ann", who.password)).user.username).toBe("ann");
  });

  it("hash a password anew at the next sign-in once its cost was changed, and two who sign in at once both come in", async () => {
    const { id } = (await accounts.register(village, who)).user;
    const dearer = new Passwords(5);
    const later = new Accounts({ ...parts, passwords: dearer, sessions: new Sessions(sessions, clock, 3600) });
    try {
      await Promise.all([1, 2].map(() => later.login(village, "ann", who.password)));
      const changed = (await credentials.get(id))?.hash;
      expect(changed).toMatch(/^\$2[aby]\$05\$/);
      await later.login(village, "ann", who.password);
      expect((await credentials.get(id))?.hash).toBe(changed);
    } finally {
      await dearer.close();
    }
  });

  it("forgive failed attempts for a code only, and record a wrong one, but none that is still to be given", async () => {
    const order: string[] = [];
    const begin = async () => {
      order.push("counted");
      return async () => void order.push("forgiven");
    };
    const require: AccountParts["secondFactors"]["require"] = async (_, code, wrong) => {
      if (code === "right") return;
      if (code !== undefined) await wrong();
      throw new RookeryError("UNAUTHENTICATED");
    };
    const guarded = new Accounts({
      ...{ ...parts, secondFactors: { require }, delay: { begin } },
      sessions: new Sessions(sessions, clock, 3600),
    });
    const { id } = (await guarded.register(village, who)).user;
    village.notes.length = 0;
    for (const code of [undefined, "wrong"])
      expect(await codeOf(guarded.login(village, "ann", who.password, code))).toBe("UNAUTHENTICATED");
    expect(order).toEqual(["counted", "counted"]);
    await guarded.login(village, "ann", who.password, "right");
    expect(order).toEqual(["counted", "counted", "counted", "forgiven"]);
    expect(village.notes).toEqual([
      { type: "login", actor: null, object: id, result: "refused", detail: { factor: "code" } },
      { type: "login", actor: id, object: id, result: "ok" },
    ]);
  });

  it("give no session to a sign-in during which the user's sessions were ended", async () => {
    await accounts.register(village, who);
    await sessions.removeWhere({});
    const byLogin = village.byLogin.bind(village);
    village.byLogin = async login => {
      const user = await byLogin(login);
      if (user) await accounts.revoke(user.id, {});
      return user;
    };
    expect(await codeOf(accounts.login(village, "ann", who.password))).toBe("UNAVAILABLE");
    expect(await sessions.count()).toBe(0);
  });

  it("make a refreshed token older than a change of roles that happens meanwhile", async () => {
    const signedIn = await comeIn(accounts.register(village, who));
    village.onRecord = () => accounts.revoke(signedIn.user.id, { keepSessions: true });
    const refreshed = await accounts.refresh(village, signedIn.refreshToken);
    expect(revocations.refuses(tokens.verify(refreshed.accessToken))).toBe(true);
  });

  it("spend no refresh token when the user cannot be read", async () => {
    const signedIn = await comeIn(accounts.register(village, who));
    const profile = village.profile.bind(village);
    village.profile = () => Promise.reject(new RookeryError("UNAVAILABLE"));
    expect(await codeOf(accounts.refresh(village, signedIn.refreshToken))).toBe("UNAVAILABLE");
    village.profile = profile;
    expect((await accounts.refresh(village, signedIn.refreshToken)).user.username).toBe("ann");
  });

  describe("whose store does not say whether a refresh token was exchanged", () => {
    type Fault = "stored, no answer" | "not stored, no answer" | "away" | "refused";
    /** Updates of sessions first do as it says, one after the other. */
    const faulty = (faults: Fault[]): Documents<Session> => {
      const before: Documents<Session> = Object.create(sessions);
      before.update = async (id, change) => {
        const fault = faults.shift();
        if (fault === undefined || fault === "stored, no answer") {
          const stored = await sessions.update(id, change);
          if (!fault) return stored;
        } else change((await sessions.get(id)) as Session);
        throw new StorageError(fault === "away" || fault === "refused" ? "failed" : "unknown", "network");
      };
      return before;
    };
    const over = (faults: Fault[]) =>
      new Accounts({
        ...parts,
        sessions: new Sessions(faulty(faults), clock, 3600),
      });

    it.each<{ faults: Fault[] }>([
      { faults: ["stored, no answer"] },
      { faults: ["not stored, no answer"] },
      { faults: ["stored, no answer", "away", "away"] },
      { faults: ["not stored, no answer", "stored, no answer", "away"] },
    ])("find it out before they answer: $faults", async ({ faults }) => {
      const { refreshToken } = await comeIn(accounts.register(village, who));
      const refreshed = await over(faults).refresh(village, refreshToken);
      clock.advance(10_001);
      const again = await accounts.refresh(village, refreshed.refreshToken);
      clock.advance(10_001);
      expect(await codeOf(accounts.refresh(village, refreshToken))).toBe("UNAUTHENTICATED");
      expect(await codeOf(accounts.refresh(village, again.refreshToken))).toBe("UNAUTHENTICATED");
      expect(await sessions.count()).toBe(0);
    });

    it("give a session to one of two who show the same token meanwhile", async () => {
      const { refreshToken } = await comeIn(accounts.register(village, who));
      const answers = await Promise.allSettled([
        over(["not stored, no answer"]).refresh(village, refreshToken),
        accounts.refresh(village, refreshToken),
      ]);
      const given = answers.filter(answer => answer.status === "fulfilled");
      expect(given).toHaveLength(1);
      await accounts.refresh(village, (given[0] as PromiseFulfilledResult<SignedIn>).value.refreshToken);
    });

    it("say that the outcome is unknown if the store stays away, and repeat nothing that was surely not done", async () => {
      const { refreshToken } = await comeIn(accounts.register(village, who));
      const away = Array.from({ length: 20 }, (): Fault => "away");
      expect(await codeOf(over(["not stored, no answer", ...away]).refresh(village, refreshToken))).toBe(
        "UNKNOWN_OUTCOME",
      );
      expect(await codeOf(over(["refused"]).refresh(village, refreshToken))).toBe("UNAVAILABLE");
      await accounts.refresh(village, refreshToken);
    });
  });

  it("sweep sessions that have expired and no others", async () => {
    const store = new Sessions(sessions, clock, 3600);
    await store.start("a");
    clock.advance(1_800_000);
    const young = await store.start("b");
    clock.advance(1_800_000);
    await store.sweep();
    expect((await sessions.find()).map(({ id }) => id)).toEqual([young.id]);
  });

  it("number on from the same head when old revocations are forgotten, also after a restart", async () => {
    for (let i = 0; i < 5; i++) await revocations.append({ session: `s${i}` });
    clock.advance(5_000_000);
    const ended: string[] = [];
    await revocations.sweep(async ids => void ended.push(...ids));
    expect(ended).toEqual(["s0", "s1", "s2", "s3"]);
    expect((await entries.find()).map(({ n }) => n)).toEqual([5]);
    const again = new RevocationLog(entries, clock, 660_000, () => undefined);
    expect(await again.current()).toBe(5);
    await again.append({ user: "u" });
    expect((await again.after(0)).items.map(({ n }) => n)).toEqual([5, 6]);
  });

  it("have every door look where it is unknown whether a revocation is stored", async () => {
    const told: number[][] = [];
    const log = new RevocationLog(entries, clock, 660_000, items => told.push(items.map(({ n }) => n)));
    const insert = entries.insert.bind(entries);
    jest.spyOn(entries, "insert").mockImplementationOnce(async entry => {
      await insert(entry);
      throw new StorageError("unknown", "timeout");
    });
    expect(await codeOf(log.append({ session: "a" }))).toBe("UNKNOWN_OUTCOME");
    expect(told).toEqual([[]]);
    expect((await log.after(0)).items).toEqual([{ n: 1, session: "a" }]);
    await log.append({ session: "b" });
    expect(told).toEqual([[], [2]]);
  });

  it("know what was revoked through a jump of the clock", async () => {
    let jump = 0;
    const jumping = { now: () => clock.now() + jump, monotonic: () => clock.monotonic() };
    const log = new RevocationLog(entries, jumping, 660_000, () => undefined);
    await log.append({ session: "a" });
    jump = 3_600_000;
    await log.append({ session: "b" });
    jump = 0;
    await log.current();
    const token = { identity: { sid: "a", id: "u", roles: [] } as never, revision: Infinity };
    expect(log.refuses(token)).toBe(true);
  });

  it("share the numbers with a second writer, without a hole and without one twice", async () => {
    const told: number[] = [];
    const other = new RevocationLog(entries, clock, 660_000, items => told.push(...items.map(({ n }) => n)));
    await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 ? other : revocations).append({ session: `s${i}` })));
    expect((await entries.find({ sort: "n" })).map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(told).toHaveLength(5);
  });

  it("sign everybody out of a restored store, whatever number its tokens carry (S66: inside)", async () => {
    const before = await comeIn(accounts.register(village, who));
    // What a token carries that was made after the backup: the restored log is shorter.
    const lost = tokens.sign(tokens.verify(before.accessToken).identity, 50);
    await signOutEverybody(sessions, entries, clock);
    const again = new RevocationLog(entries, clock, 660_000, () => undefined);
    await again.current();
    for (const token of [before.accessToken, lost]) expect(again.refuses(tokens.verify(token))).toBe(true);
    expect(await codeOf(accounts.refresh(village, before.refreshToken))).toBe("UNAUTHENTICATED");
    const { accessToken, refreshToken } = await accounts.login(village, "ann", who.password);
    expect(again.refuses(tokens.verify(accessToken))).toBe(false);
    await accounts.refresh(village, refreshToken);
    // Restored once more from the same backup, a moment later.
    await entries.removeWhere({});
    clock.advance(1);
    await signOutEverybody(sessions, entries, clock);
    const third = new RevocationLog(entries, clock, 660_000, () => undefined);
    await third.current();
    expect(third.refuses(tokens.verify(accessToken))).toBe(true);
  });
});
