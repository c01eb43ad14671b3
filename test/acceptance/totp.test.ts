import { Secret, TOTP } from "otpauth";
import { expectStatus, Stage, type Client } from "../support/client";
import type { Answer, Body } from "../support/rest";
import { startServer } from "../support/server";

const PERIOD = 30_000;

/** The code of a time step from now. Those of this one and the next are taken, whenever the clock turns in between. */
const codeOf = (secret: string, step: 0 | 1 = 0): string =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + step * PERIOD });

/** Six digits that are no code now. */
function wrongCode(secret: string): string {
  const good = [-1, 0, 1, 2].map(step =>
    new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + step * PERIOD }),
  );
  return ["000000", "111111", "222222", "333333", "444444"].find(code => !good.includes(code)) as string;
}

describe("a second factor", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
  });
  afterAll(() => stage.end());

  const login = ({ username, password }: Client, code?: string): Promise<Answer> =>
    stage.nobody.post("/api/auth/login", { username, password, ...(code !== undefined && { code }) });

  /** Somebody who has one, confirmed by the code of this time step. */
  async function guarded(name: string): Promise<{ user: Client; secret: string; recoveryCodes: string[] }> {
    const user = await stage.user(name);
    const { secret } = expectStatus(await user.post("/api/auth/totp", { password: user.password }), 201).body as Body;
    const confirmed = await user.post("/api/auth/totp/confirm", { code: codeOf(secret) });
    return { user, secret, recoveryCodes: expectStatus(confirmed, 200).body.recoveryCodes };
  }

  test("is asked for from its confirmation on, after a right password only, and a code is good once", async () => {
    const user = await stage.user("ann");
    const { password } = user;
    expect(await user.post("/api/auth/totp", { password: "not this one" })).toMatchObject({
      status: 403,
      body: { code: "FORBIDDEN", errors: [{ field: "password" }] },
    });
    const { secret, uri, qr } = expectStatus(await user.post("/api/auth/totp", { password }), 201).body;
    expect(qr).toMatch(/^data:image\/gif;base64,R0lGOD/);
    expect(uri).toMatch(/^otpauth:\/\/totp\/Rookery:ann-/);
    expect((await user.get("/api/auth/totp")).body).toEqual({ enabled: false });
    expect((await login(user)).status).toBe(200);

    expect((await user.post("/api/auth/totp/confirm", { code: wrongCode(secret) })).status).toBe(403);
    const code = codeOf(secret);
    const confirmed = await user.post("/api/auth/totp/confirm", { code });
    const codes = expectStatus(confirmed, 200).body.recoveryCodes as string[];
    expect(new Set(codes).size).toBe(10);
    expect((await user.get("/api/auth/totp")).body).toMatchObject({ enabled: true, recoveryCodesLeft: 10 });
    expect((await user.post("/api/auth/totp", { password })).status).toBe(409);

    expect(await login(user)).toMatchObject({
      status: 401,
      body: { code: "UNAUTHENTICATED", errors: [{ field: "code" }] },
    });
    const guess = await stage.nobody.post("/api/auth/login", { username: user.username, password: "not this one" });
    const stranger = await stage.nobody.post("/api/auth/login", { username: "nobody-at-all", password });
    expect(guess.body).toEqual(stranger.body);
    expect((await login(user, code)).status).toBe(401);
    const next = codeOf(secret, 1);
    expect((await login(user, next)).body).toMatchObject({ user: { id: user.id } });
    expect((await login(user, next)).status).toBe(401);
    expect((await login(user, codes[3])).status).toBe(200);
    expect((await login(user, codes[3])).status).toBe(401);
    expect((await user.get("/api/auth/totp")).body).toMatchObject({ recoveryCodesLeft: 9 });
  });

  test("is closed for a while after many wrong codes, also to a right one", async () => {
    const { user, secret, recoveryCodes } = await guarded("bob");
    const answers: Answer[] = [];
    for (let attempt = 0; attempt < 9 && answers.at(-1)?.status !== 429; attempt++)
      answers.push(await login(user, wrongCode(secret)));
    expect(answers.at(-1)).toMatchObject({ status: 429, body: { code: "RATE_LIMITED" } });
    expect(Number(answers.at(-1)?.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(answers.length).toBeGreaterThan(5);
    const more = await Promise.all([0, 1, 2].map(() => login(user, recoveryCodes[0])));
    expect(more.map(({ status }) => status)).toEqual([429, 429, 429]);
    // Who is signed in already stays so.
    expect((await user.get("/api/users/me")).status).toBe(200);
  });

  test("takes password and code to change: new recovery codes, and its end", async () => {
    const { user, secret, recoveryCodes } = await guarded("carl");
    const { password } = user;
    const renew = (body: object) => user.post("/api/auth/totp/recovery-codes", body);
    expect((await renew({ password: "not this one", code: codeOf(secret, 1) })).status).toBe(403);
    expect((await renew({ password, code: wrongCode(secret) })).status).toBe(403);
    const fresh = expectStatus(await renew({ password, code: codeOf(secret, 1) }), 200).body.recoveryCodes as string[];
    expect((await login(user, recoveryCodes[0])).status).toBe(401);
    expect((await user.delete("/api/auth/totp", { password, code: wrongCode(secret) })).status).toBe(403);
    expect((await user.delete("/api/auth/totp", { password, code: fresh[0] })).status).toBe(204);
    expect((await user.get("/api/auth/totp")).body).toEqual({ enabled: false });
    expect((await login(user)).status).toBe(200);
  });

  test("is taken off by an administrator and nobody else", async () => {
    const { user } = await guarded("dora");
    const other = await stage.user("eve");
    expect((await other.delete(`/api/users/${user.id}/totp`)).status).toBe(403);
    expect((await login(user)).status).toBe(401);
    expect((await stage.admin.delete("/api/users/nobody/totp")).status).toBe(404);
    expect((await stage.admin.delete(`/api/users/${user.id}/totp`)).status).toBe(204);
    expect((await login(user)).status).toBe(200);
  });
});
