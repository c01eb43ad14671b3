import { join } from "node:path";
import { openDocuments, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { Accounts, type Users } from "../../../services/auth/accounts";
import {
  CREDENTIALS,
  REVOCATIONS,
  SEEDS,
  SESSIONS,
  type Credentials,
  type RevocationEntry,
  type Seed,
  type Session,
} from "../../../services/auth/auth.store";
import { FirstAdmin } from "../../../services/auth/first-admin";
import { Passwords } from "../../../services/auth/passwords";
import { RevocationLog } from "../../../services/auth/revocation-log";
import { SignInDelay, type DelayParts } from "../../../services/auth/sign-in-delay";
import { Sessions } from "../../../services/auth/sessions";
import type { SignedIn, UserRecord } from "../../../services/core/contract";
import type { AuditNote } from "../../../services/core/audit";
import { RookeryError } from "../../../services/core/errors";
import type { Role } from "../../../services/core/permissions";
import { RevocationList } from "../../../services/core/revocations";
import { AccessTokens } from "../../../services/core/tokens";
import { comeIn, openDoors } from "../../support/accounts";
import { codeOf, SECRET, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";
import { accessParts } from "./ground";

/** Users in memory: a second implementation of what auth asks of the users service, shared by all nodes. */
class Village implements Users {
  readonly notes: AuditNote[] = [];
  readonly people = new Map<string, UserRecord>();
  away = false;

  async audit(note: AuditNote): Promise<void> {
    this.notes.push(note);
  }
  async create({ id, username, roles = ["User"] }: { id: string; username: string; roles?: Role[] }) {
    const known = await this.byLogin(username);
    if (known && known.id !== id) throw new RookeryError("CONFLICT");
    const record: UserRecord = { id, username, roles };
    this.people.set(id, record);
    return record;
  }
  async byLogin(login: string): Promise<UserRecord | null> {
    if (this.away) throw new RookeryError("UNAVAILABLE");
    return [...this.people.values()].find(({ username }) => username === login) ?? null;
  }
  async record(id: string): Promise<UserRecord | null> {
    return this.people.get(id) ?? null;
  }
  async profile({ id, username, roles }: UserRecord) {
    return { id, username, roles, status: "offline" as const, createdAt: "" };
  }
}

/** Has tests of its own. */
const delay = new SignInDelay({ mode: "off" } as DelayParts);

interface AuthNode {
  accounts: Accounts;
  revocations: RevocationLog;
  admin(password: string | null, own?: Partial<Users>): FirstAdmin;
}

const passwords = new Passwords(4);
const tokens = new AccessTokens({ secret: SECRET, issuer: "rookery", audience: "rookery", accessTtl: 600 });
const who = { username: "ann", email: "ann@example.org", password: "pass phrase 1" };
let database: SqliteDatabase;
let clock: TestClock;
let village: Village;
let sessions: Documents<Session>;
let one: AuthNode;
let two: AuthNode;
let shown: string[];

async function authNode(): Promise<AuthNode> {
  const open = <T extends { id: string }>(spec: typeof SEEDS) => openDocuments<T>(database, spec);
  const revocations = new RevocationLog(await open<RevocationEntry>(REVOCATIONS), clock, 660_000, () => undefined);
  const accounts = new Accounts({
    ...openDoors(),
    credentials: await open<Credentials>(CREDENTIALS),
    sessions: new Sessions(await open<Session>(SESSIONS), clock, 3_600),
    revocations,
    passwords,
    tokens,
    clock,
    delay,
    ...(await accessParts(database, revocations, clock)),
  });
  const seeds = await open<Seed>(SEEDS);
  let made = 0;
  const admin: AuthNode["admin"] = (password, own = {}) =>
    new FirstAdmin({
      seeds,
      accounts,
      users: Object.assign(Object.create(village) as Village, own),
      password,
      randomPassword: () => `random ${Math.random()} ${++made}`,
      show: text => shown.push(text),
      patience: 30_000,
      monotonic: () => clock.monotonic(),
    });
  return { accounts, revocations, admin };
}

beforeEach(async () => {
  database = await SqliteDatabase.open(join(temporaryFolder(), "auth.db"));
  // Tokens are dated by the real clock.
  clock = new TestClock(Date.now());
  village = new Village();
  shown = [];
  sessions = await openDocuments<Session>(database, SESSIONS);
  [one, two] = [await authNode(), await authNode()];
});
afterEach(() => database.close());
afterAll(() => passwords.close());

const verified = ({ accessToken }: SignedIn) => tokens.verify(accessToken);

describe("two nodes with auth", () => {
  it("answer each what the other one wrote into the log", async () => {
    await one.revocations.append({ user: "a" });
    expect(await two.revocations.after(0)).toEqual({ head: 1, items: [{ n: 1, user: "a" }] });
    await two.revocations.append({ session: "b" });
    expect(await one.revocations.after(1)).toEqual({ head: 2, items: [{ n: 2, session: "b" }] });
  });

  it("number densely when both write at once, and never take a number that was forgotten", async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, at) => (at % 2 ? one : two).revocations.append({ session: `s${at}` })),
    );
    expect((await one.revocations.after(0)).items.map(({ n }) => n)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    const late = await authNode();
    await one.revocations.append({ user: "x" });
    clock.advance(5_000_000);
    await two.revocations.sweep(async () => undefined);
    await late.revocations.append({ user: "y" });
    expect((await one.revocations.after(0)).items.map(({ n }) => n)).toEqual([21, 22]);
  });

  it("give a token that holds to who signs in or refreshes after a revocation by the other", async () => {
    const first = await comeIn(one.accounts.register(village, who));
    const list = new RevocationList(() => clock.now(), 660_000);
    const learn = async () => list.add((await one.revocations.after(0)).items);
    await two.accounts.revoke(first.user.id, { keepSessions: true });
    const refreshed = await one.accounts.refresh(village, first.refreshToken);
    await two.accounts.revoke(first.user.id, { keepSessions: true });
    const again = await one.accounts.login(village, who.username, who.password);
    await learn();
    expect([first, refreshed, again].map(tokened => list.refuses(verified(tokened)))).toEqual([true, true, false]);
  });

  it("give no session to a sign-in during which the other one ended the user's sessions", async () => {
    await one.accounts.register(village, who);
    await sessions.removeWhere({});
    const byLogin = village.byLogin.bind(village);
    village.byLogin = async login => {
      const user = await byLogin(login);
      await two.accounts.revoke(user?.id ?? "", {});
      return user;
    };
    expect(await codeOf(one.accounts.login(village, who.username, who.password))).toBe("UNAVAILABLE");
    expect(await sessions.count()).toBe(0);
  });

  it("refresh no session that the other one ended, not even if it died in the middle of that", async () => {
    const ended = await comeIn(one.accounts.register(village, who));
    await two.accounts.logout(village, undefined, ended.refreshToken);
    expect(await codeOf(one.accounts.refresh(village, ended.refreshToken))).toBe("UNAUTHENTICATED");
    const half = await one.accounts.login(village, who.username, who.password);
    // All that a node did which died before it removed the session.
    await two.revocations.append({ session: verified(half).identity.sid });
    expect(await codeOf(one.accounts.refresh(village, half.refreshToken))).toBe("UNAUTHENTICATED");
    expect(await sessions.count()).toBe(0);
  });

  it("give one successor to fifty refreshes of one token through both (S06: REST)", async () => {
    const { refreshToken } = await comeIn(one.accounts.register(village, who));
    const answers = await Promise.allSettled(
      Array.from({ length: 50 }, (_, at) => (at % 2 ? one : two).accounts.refresh(village, refreshToken)),
    );
    const won = answers.filter(answer => answer.status === "fulfilled");
    expect(won).toHaveLength(1);
    expect((await two.accounts.refresh(village, won[0]?.value.refreshToken ?? "")).user.username).toBe("ann");
  });

  it("end the session when a token spent at one is used again at the other", async () => {
    const first = await comeIn(one.accounts.register(village, who));
    const second = await one.accounts.refresh(village, first.refreshToken);
    expect(await codeOf(two.accounts.refresh(village, first.refreshToken))).toBe("UNAUTHENTICATED");
    const third = await one.accounts.refresh(village, second.refreshToken);
    clock.advance(10_001);
    expect(await codeOf(two.accounts.refresh(village, second.refreshToken))).toBe("UNAUTHENTICATED");
    expect(await codeOf(one.accounts.refresh(village, third.refreshToken))).toBe("UNAUTHENTICATED");
    const { items } = await one.revocations.after(0);
    expect(items.map(({ session }) => session)).toContain(verified(third).identity.sid);
  });
});

describe("the first admin of several nodes", () => {
  const opens = (password: string) => codeOf(one.accounts.login(village, "admin", password));

  it("gets one random password, shown once, when they start at once", async () => {
    const [a, b] = [one.admin(null), two.admin(null)];
    await Promise.all([a.make(), b.make()]);
    expect([await a.make(), await b.make()]).toEqual([true, true]);
    expect(shown).toHaveLength(1);
    expect(await opens(shown[0] as string)).toMatch(/^resolved/);
    expect([...village.people.values()].map(({ username }) => username)).toEqual(["admin"]);
  });

  it("waits for users, whichever node comes first, and nobody has claimed him meanwhile", async () => {
    village.away = true;
    const [a, b] = [one.admin(null), two.admin(null)];
    expect(await codeOf(a.make())).toBe("UNAVAILABLE");
    village.away = false;
    expect(await b.make()).toBe(true);
    expect(await a.make()).toBe(true);
    expect(shown).toHaveLength(1);
    expect(await opens(shown[0] as string)).toMatch(/^resolved/);
  });

  it("is finished by another node when the first one dies half way, whose late steps change nothing", async () => {
    let goOn = (): void => undefined;
    let arrive = (): void => undefined;
    const held = new Promise<void>(resolve => (goOn = resolve));
    const arrived = new Promise<void>(resolve => (arrive = resolve));
    const slow = one.admin(null, {
      create: async user => {
        arrive();
        await held;
        return village.create(user);
      },
    });
    const dying = slow.make();
    await arrived;
    const other = two.admin(null);
    // The other one sees an attempt that does not end.
    expect(await other.make()).toBe(false);
    clock.advance(29_999);
    expect(await other.make()).toBe(false);
    clock.advance(1);
    expect(await other.make()).toBe(true);
    goOn();
    expect(await dying).toBe(false);
    expect(await slow.make()).toBe(true);
    expect(shown).toHaveLength(1);
    expect(await opens(shown[0] as string)).toMatch(/^resolved/);
  });

  it("gets the given password from all of them alike, and shows none", async () => {
    const [a, b] = [one.admin("the given one"), two.admin("the given one")];
    await Promise.all([a.make(), b.make()]);
    clock.advance(30_000);
    expect([await a.make(), await b.make()]).toEqual([true, true]);
    expect(shown).toEqual([]);
    expect(await opens("the given one")).toMatch(/^resolved/);
  });
});
