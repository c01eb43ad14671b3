import { createHmac } from "node:crypto";
import type { ServiceBroker } from "moleculer";
import { platformOf } from "../../config/platform";
import Auth from "../../services/auth/auth.service";
import { call, type Revocation, type SignedIn } from "../../services/core/contract";
import { newId } from "../../services/core/ids";
import { RevocationList } from "../../services/core/revocations";
import Presence from "../../services/presence/presence.service";
import Users from "../../services/users/users.service";
import { permissionsOf } from "../../services/core/permissions";
import { comeIn } from "../support/accounts";
import { codeOf, identity, SECRET, startNode, stopNode, TestClock, until } from "../support/broker";
import { temporaryFolder } from "../support/temp";

const PASSWORD = "correct horse battery";
let count = 0;
const fresh = () => {
  const username = `ann${++count}`;
  return { username, email: `${username}@example.org`, password: "pass phrase 1" };
};

/** The same tests through a local call and through the wire of a cluster. */
describe.each(["one node", "two nodes"])("auth on %s", shape => {
  const clock = new TestClock(Date.now());
  let home: ServiceBroker;
  let door: ServiceBroker;
  const told: Revocation[] = [];

  beforeAll(async () => {
    const cluster = shape === "two nodes" ? newId() : undefined;
    home = await startNode({ services: [Users, Auth, Presence], clock, cluster });
    const ears = {
      name: "ears",
      events: {
        "auth.revoked": { handler: (ctx: { params: { items: Revocation[] } }) => told.push(...ctx.params.items) },
      },
    };
    if (!cluster) home.createService(ears as never);
    door = cluster ? await startNode({ services: [ears], clock, cluster }) : home;
    await door.waitForServices(["auth", "users", "presence"]);
    // What is told before a node is known does not reach it.
    await home.waitForServices(["ears"]);
  });

  const register = (who = fresh()) => comeIn(call(door, "auth.register", who));
  const login = (username: string, password: string) => call(door, "auth.login", { username, password });
  const refresh = (refreshToken: string) => call(door, "auth.refresh", { refreshToken });
  const verify = (signedIn: SignedIn) => platformOf(door).tokens.verify(signedIn.accessToken);

  it("registers a user and hands out tokens that hold", async () => {
    const who = fresh();
    const signedIn = await register(who);
    expect(Object.keys(signedIn).sort()).toEqual(["accessToken", "expiresIn", "refreshToken", "user"]);
    expect(signedIn.expiresIn).toBe(600);
    expect(signedIn.user).toEqual({
      id: expect.any(String),
      username: who.username,
      email: who.email,
      roles: ["User"],
      status: "offline",
      createdAt: new Date(clock.now()).toISOString(),
    });
    expect(verify(signedIn).identity).toMatchObject({
      id: signedIn.user.id,
      username: who.username,
      permissions: permissionsOf(["User"]),
    });
    expect(JSON.stringify(signedIn)).not.toContain(who.password);
  });

  it("does not let the caller keep the identity that signing in used inside", async () => {
    const { username, password } = await (async () => {
      const who = fresh();
      await register(who);
      return who;
    })();
    const meta: { user?: unknown } = {};
    await door.call("auth.login", { username, password }, { meta });
    expect(meta.user).toBeUndefined();
    const own = identity();
    const kept: { user?: unknown } = { user: own };
    await door.call("auth.login", { username, password }, { meta: kept });
    expect(kept.user).toEqual(own);
  });

  it("signs in by name or e-mail, ignoring case", async () => {
    const who = fresh();
    const { user } = await register(who);
    for (const name of [who.username, who.username.toUpperCase(), who.email, who.email.toUpperCase()])
      expect((await login(name, who.password)).user.id).toBe(user.id);
  });

  it("answers an unknown user and a wrong password alike, after the same work", async () => {
    const who = fresh();
    await register(who);
    const { passwords } = home.getLocalService("auth") as unknown as { passwords: { comparisons: number } };
    const answers = [];
    for (const [name, password] of [
      [who.username, "wrong"],
      ["nobody-of-that-name", "wrong"],
      [who.username, ""],
      [who.username, "x".repeat(1000)],
    ] as const) {
      const before = passwords.comparisons;
      const error = (await login(name, password).catch((e: unknown) => e)) as Error & { type: string; code: number };
      answers.push({ type: error.type, code: error.code, message: error.message });
      expect(passwords.comparisons - before).toBe(1);
    }
    expect(new Set(answers.map(answer => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ type: "UNAUTHENTICATED", code: 401 });
  });

  it("lets in only the password itself, not its first 72 bytes", async () => {
    const who = { ...fresh(), password: "😀".repeat(18) };
    await register(who);
    expect((await login(who.username, who.password)).user.username).toBe(who.username);
    expect(await codeOf(login(who.username, `${who.password}x`))).toBe("UNAUTHENTICATED");
    expect(await codeOf(register({ ...fresh(), password: `${"😀".repeat(18)}x` }))).toBe("VALIDATION_ERROR");
    expect(await codeOf(register({ ...fresh(), password: "nul\0inside it" }))).toBe("VALIDATION_ERROR");
    const passphrase = { ...fresh(), password: "a long passphrase with spaces and an emoji 🦜, 64 characters" };
    expect((await register(passphrase)).user.username).toBe(passphrase.username);
  });

  it.each([
    [{ username: { $ne: null }, password: { $ne: null } }],
    [{ username: ["admin"], password: PASSWORD }],
    [{ username: "admin", password: { $gt: "" } }],
    [{ username: "admin", password: ["x"] }],
    [{ username: "admin", password: 1 }],
    [{ username: "admin" }],
    [{ username: "admin", password: PASSWORD, roles: ["Admin"] }],
  ])("refuses to look at a login of another form: %j", async params => {
    expect(await codeOf(door.call("auth.login", params))).toBe("VALIDATION_ERROR");
  });

  it.each([
    { roles: ["Admin"] },
    { id: newId() },
    { username: { $regex: "." } },
    { email: { $ne: "" } },
    { username: "no" },
    { username: "sp ace" },
    { username: "a@b.example" },
    { username: "__proto__\n" },
    { email: "nowhere" },
    { password: "short" },
  ])("refuses to register with %j", async wrong => {
    expect(await codeOf(door.call("auth.register", { ...fresh(), ...wrong }))).toBe("VALIDATION_ERROR");
  });

  it("gives no role to a registration whose prototype claims one", async () => {
    const params: object = JSON.parse('{"__proto__":{"roles":["Admin"],"id":"chosen"}}') as object;
    const polluted = Object.assign(Object.create((params as never)["__proto__"] as object) as object, fresh());
    const { user } = await door.call<SignedIn, object>("auth.register", polluted);
    expect(user.roles).toEqual(["User"]);
    expect(user.id).not.toBe("chosen");
  });

  it("lets exactly one of many registrations of a name win, and the others leave nothing behind", async () => {
    const database = await platformOf(home).database();
    const kept = async () => (await database.get<{ n: number }>("SELECT count(*) AS n FROM credentials"))?.n ?? 0;
    const before = await kept();
    const who = fresh();
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        register({ ...who, username: i % 2 ? who.username.toUpperCase() : who.username }).then(
          () => "won",
          (error: { type: string; message: string }) => `${error.type} ${error.message}`,
        ),
      ),
    );
    expect(outcomes.filter(outcome => outcome === "won")).toHaveLength(1);
    expect(new Set(outcomes.filter(outcome => outcome !== "won"))).toEqual(
      new Set(["CONFLICT The user name or e-mail is taken."]),
    );
    expect(await kept()).toBe(before + 1);
    const other = { ...fresh(), email: who.email };
    expect(await codeOf(register(other))).toBe("CONFLICT");
    expect(await kept()).toBe(before + 1);
  });

  it("rotates refresh tokens: exactly one of fifty concurrent refreshes gets a successor, and it works", async () => {
    const { refreshToken } = await register();
    const answers = await Promise.allSettled(Array.from({ length: 50 }, () => refresh(refreshToken)));
    const won = answers.filter(answer => answer.status === "fulfilled");
    expect(won).toHaveLength(1);
    for (const answer of answers)
      if (answer.status === "rejected") expect((answer.reason as { type: string }).type).toBe("UNAUTHENTICATED");
    const next = await refresh(won[0]?.value.refreshToken ?? "");
    expect(verify(next).identity.sid).toBe(verify(won[0]?.value as SignedIn).identity.sid);
  });

  it("takes a retry within 10 s for honest, and a replay after them for theft", async () => {
    const first = await register();
    const second = await refresh(first.refreshToken);
    clock.advance(9_000);
    expect(await codeOf(refresh(first.refreshToken))).toBe("UNAUTHENTICATED");
    const third = await refresh(second.refreshToken);
    clock.advance(10_001);
    expect(await codeOf(refresh(second.refreshToken))).toBe("UNAUTHENTICATED");
    expect(await codeOf(refresh(third.refreshToken))).toBe("UNAUTHENTICATED");
    const { sid } = verify(third).identity;
    await until(() => told.some(({ session }) => session === sid));
  });

  it("takes a retry for honest also when there was another rotation since, each token with its own 10 s", async () => {
    const first = await register();
    const second = await refresh(first.refreshToken);
    clock.advance(6_000);
    const third = await refresh(second.refreshToken);
    expect(await codeOf(refresh(first.refreshToken))).toBe("UNAUTHENTICATED");
    const fourth = await refresh(third.refreshToken);
    clock.advance(4_001);
    expect(await codeOf(refresh(second.refreshToken))).toBe("UNAUTHENTICATED");
    const fifth = await refresh(fourth.refreshToken);
    expect(await codeOf(refresh(first.refreshToken))).toBe("UNAUTHENTICATED");
    expect(await codeOf(refresh(fifth.refreshToken))).toBe("UNAUTHENTICATED");
    const { sid } = verify(fifth).identity;
    await until(() => told.some(({ session }) => session === sid));
  });

  it("does not end a session for a refresh token that was never given out", async () => {
    const signedIn = await register();
    const [sid, family] = signedIn.refreshToken.split(".");
    for (const invented of [
      `${sid}.${"A".repeat(43)}.${"B".repeat(43)}`,
      `${sid}..`,
      `${sid}.${family}`,
      sid as string,
    ])
      expect(await codeOf(refresh(invented))).toBe("UNAUTHENTICATED");
    expect((await refresh(signedIn.refreshToken)).user.id).toBe(signedIn.user.id);
  });

  it("stores no refresh token and no password in readable form", async () => {
    const who = fresh();
    const signedIn = await register(who);
    const database = await platformOf(home).database();
    const secrets = [who.password, ...signedIn.refreshToken.split(".").slice(1)];
    for (const table of ["sessions", "credentials", "users", "revocations"]) {
      const rows = await database.all<{ doc: string }>(`SELECT doc FROM ${table}`);
      for (const { doc } of rows) for (const secret of secrets) expect(doc).not.toContain(secret);
    }
  });

  it("refuses an expired refresh token", async () => {
    const { refreshToken } = await register();
    clock.advance(2_592_000_000 + 1);
    expect(await codeOf(refresh(refreshToken))).toBe("UNAUTHENTICATED");
  });

  it("keeps the two kinds of token apart", async () => {
    const { accessToken, refreshToken } = await register();
    expect(await codeOf(refresh(accessToken))).toBe("UNAUTHENTICATED");
    expect(() => platformOf(door).tokens.verify(refreshToken)).toThrow("No valid token");
  });

  it("refuses access tokens that are forged, of somebody else, or out of date", async () => {
    const { accessToken, user } = await register();
    const tokens = platformOf(door).tokens;
    expect(tokens.verify(accessToken).identity.id).toBe(user.id);
    const [head = "", body = "", mac = ""] = accessToken.split(".");
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Record<string, unknown>;
    const signed = (header: object, payload: object, secret = SECRET) => {
      const text = `${part(header)}.${part(payload)}`;
      return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
    };
    const hs256 = { alg: "HS256", typ: "JWT" };
    expect(tokens.verify(signed(hs256, claims)).identity.id).toBe(user.id);
    const bad = [
      `${part({ alg: "none" })}.${body}.`,
      `${part({ alg: "none" })}.${body}.${mac}`,
      `${head}.${part({ ...claims, roles: ["Admin"] })}.${mac}`,
      signed(hs256, claims, "another secret of more than 32 bytes"),
      signed({ alg: "HS512" }, claims),
      signed({ ...hs256, kid: "../../dev/null" }, claims, ""),
      signed(hs256, { ...claims, aud: "other" }),
      signed(hs256, { ...claims, iss: "other" }),
      signed(hs256, { ...claims, typ: "refresh" }),
      signed(hs256, { ...claims, exp: Math.floor(Date.now() / 1000) - 60 }),
      signed(hs256, { ...claims, nbf: Math.floor(Date.now() / 1000) + 3600 }),
      signed(hs256, { ...claims, sub: { $ne: null } }),
      signed(hs256, { ...claims, exp: undefined }),
      `${accessToken}x`,
      ".".repeat(10_000),
      "",
      undefined,
    ];
    for (const token of bad)
      expect(() => tokens.verify(token)).toThrow(expect.objectContaining({ type: "UNAUTHENTICATED" }));
  });

  it("logs out by either token, tells the doors, and never says whether there was a session", async () => {
    const one = await register();
    const { identity: caller } = verify(one);
    expect(await call(door, "auth.logout", {}, { meta: { user: caller } })).toBeNull();
    expect(await codeOf(refresh(one.refreshToken))).toBe("UNAUTHENTICATED");
    await until(() => told.some(({ session }) => session === caller.sid));

    const two = await register();
    expect(await call(door, "auth.logout", { refreshToken: two.refreshToken })).toBeNull();
    expect(await call(door, "auth.logout", { refreshToken: two.refreshToken })).toBeNull();
    expect(await call(door, "auth.logout", { refreshToken: "nothing of ours" })).toBeNull();
    expect(await codeOf(refresh(two.refreshToken))).toBe("UNAUTHENTICATED");
    expect(await codeOf(call(door, "auth.logout", {}))).toBe("UNAUTHENTICATED");
    for (const refreshToken of [{ $ne: null }, ["x"], 1, ""])
      expect(await codeOf(door.call("auth.logout", { refreshToken }))).toBe("VALIDATION_ERROR");
  });

  it("numbers revocations without holes, also when they come at once, and tells what came after a number", async () => {
    const { head } = await call(door, "auth.revocations", { after: 0 });
    const users = Array.from({ length: 20 }, () => newId());
    await Promise.all(users.map(userId => call(door, "auth.revoke", { userId })));
    const log = await call(door, "auth.revocations", { after: head });
    expect(log.head).toBe(head + 20);
    expect(log.items.map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, i) => head + 1 + i));
    expect(new Set(log.items.map(({ user }) => user))).toEqual(new Set(users));
    expect(await call(door, "auth.revocations", { after: log.head })).toEqual({ head: log.head, items: [] });
    await until(() => users.every(user => told.some(item => item.user === user)));
  });

  it("makes the tokens of a user void from now on, and lets sessions live if told so", async () => {
    const signedIn = await register();
    const { id } = signedIn.user;
    const door1 = new RevocationList(() => clock.now(), 1e9);
    const learn = async () => door1.add((await call(door, "auth.revocations", { after: door1.head })).items);
    await learn();
    expect(door1.refuses(verify(signedIn))).toBe(false);

    await call(door, "auth.revoke", { userId: id, keepSessions: true });
    await learn();
    expect(door1.refuses(verify(signedIn))).toBe(true);
    const renewed = await refresh(signedIn.refreshToken);
    expect(door1.refuses(verify(renewed))).toBe(false);

    await call(door, "auth.revoke", { userId: id });
    await learn();
    expect(door1.refuses(verify(renewed))).toBe(true);
    expect(await codeOf(refresh(renewed.refreshToken))).toBe("UNAUTHENTICATED");
  });

  it("refuses a removed user at every door", async () => {
    const who = fresh();
    const signedIn = await register(who);
    const user = verify(signedIn).identity;
    await call(door, "users.remove", { id: user.id }, { meta: { user } });
    expect(await codeOf(refresh(signedIn.refreshToken))).toBe("UNAUTHENTICATED");
    expect(await codeOf(login(who.username, who.password))).toBe("UNAUTHENTICATED");
    expect(await codeOf(login(who.email, who.password))).toBe("UNAUTHENTICATED");
    expect(await codeOf(register({ ...who, email: `new-${who.email}` }))).toBe("CONFLICT");
  });
});

describe("the first admin", () => {
  const start = (dataDir: string, password?: string) =>
    startNode({ services: [Users, Auth, Presence], dataDir, env: { ADMIN_PASSWORD: password ?? "" } });
  const signIn = (broker: ServiceBroker, password: string) =>
    call(broker, "auth.login", { username: "admin", password });

  it("gets the given password, which a later start with another one does not change", async () => {
    const dataDir = temporaryFolder();
    const first = await start(dataDir, "the first password");
    expect((await signIn(first, "the first password")).user.roles).toEqual(["Admin"]);
    expect(platformOf(first).madeAdminPassword).toBeNull();
    await stopNode(first);
    const second = await start(dataDir, "the second password");
    expect(await codeOf(signIn(second, "the second password"))).toBe("UNAUTHENTICATED");
    expect((await signIn(second, "the first password")).user.username).toBe("admin");
  });

  it("gets a random password that is told once", async () => {
    const dataDir = temporaryFolder();
    const first = await start(dataDir);
    const password = platformOf(first).madeAdminPassword as string;
    expect(password.length).toBeGreaterThanOrEqual(16);
    expect((await signIn(first, password)).user.roles).toEqual(["Admin"]);
    await stopNode(first);
    const second = await start(dataDir);
    expect(platformOf(second).madeAdminPassword).toBeNull();
    expect((await signIn(second, password)).user.username).toBe("admin");
  });

  it("is finished by the next start if the first one broke off after the user was made", async () => {
    const dataDir = temporaryFolder();
    const first = await start(dataDir);
    const database = await platformOf(first).database();
    await until(
      async () => (await database.get<{ doc: string }>("SELECT doc FROM seeds"))?.doc.includes("true") ?? false,
    );
    // The state of a start that ended before its password was shown.
    await database.exec("UPDATE seeds SET doc = json_set(doc, '$.done', json('false'))");
    await stopNode(first);
    const second = await start(dataDir);
    const password = platformOf(second).madeAdminPassword as string;
    expect((await signIn(second, password)).user.roles).toEqual(["Admin"]);
    const list = await call(second, "users.list", {}, { meta: { user: identity() } });
    expect(list.total).toBe(1);
  });
});

describe("a restart of auth", () => {
  it("keeps sessions and goes on numbering where it was", async () => {
    const dataDir = temporaryFolder();
    const services = [Users, Auth, Presence];
    const first = await startNode({ services, dataDir });
    const signedIn = await comeIn(call(first, "auth.register", fresh()));
    await call(first, "auth.revoke", { userId: newId() });
    const { head } = await call(first, "auth.revocations", { after: 0 });
    expect(head).toBeGreaterThan(0);
    await stopNode(first);
    const second = await startNode({ services, dataDir });
    expect((await call(second, "auth.revocations", { after: 0 })).head).toBe(head);
    await call(second, "auth.revoke", { userId: newId() });
    expect((await call(second, "auth.revocations", { after: head })).items.map(({ n }) => n)).toEqual([head + 1]);
    expect((await call(second, "auth.refresh", { refreshToken: signedIn.refreshToken })).user.id).toBe(
      signedIn.user.id,
    );
  });
});
