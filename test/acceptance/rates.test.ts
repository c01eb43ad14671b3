import { Stage, unique, type Client } from "../support/client";
import { describeOwn, startServer } from "../support/server";

describeOwn("rates", () => {
  let stage: Stage;
  let ann: Client;
  let room: string;

  beforeAll(async () => {
    stage = await Stage.on(await startServer({ env: { RATE_LIMIT: "on" } }));
    ann = await stage.user("ann");
    room = await stage.channel([ann]);
  });
  afterAll(() => stage.end());

  test("sends beyond the burst are RATE_LIMITED on both doors and tell when to come back; a repeat is not held up", async () => {
    const send = (n: number) => ann.post(`/api/channels/${room}/messages`, { text: `m${n}`, clientId: `c${n}` });
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => send(n)));
    const limited = answers.filter(answer => answer.status === 429);
    expect(limited.length).toBeGreaterThan(0);
    expect(answers.filter(answer => answer.status === 201).length).toBeGreaterThanOrEqual(60);
    for (const answer of limited) {
      expect(answer.body).toMatchObject({ code: "RATE_LIMITED", status: 429 });
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    const socket = await ann.socket();
    const frames = Array.from({ length: 30 }, (_, n) => socket.request({ t: "send", room, text: `s${n}` }));
    const errors = (await Promise.all(frames)).filter(answer => answer.t === "err");
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors)
      expect(error).toMatchObject({ code: "RATE_LIMITED", status: 429, retryAfterMs: expect.any(Number) });
    const stored = answers.findIndex(answer => answer.status === 201);
    expect((await send(stored)).status).toBe(200);
    // Nothing of what was refused is there.
    const { total } = (await ann.get(`/api/channels/${room}/messages`)).body;
    expect(total).toBe(100 - limited.length + 30 - errors.length);
  });

  test("a stolen token tries few passwords, whatever it asks for, and then no other door lets it go on", async () => {
    const wrong = { password: "not-hers", code: "123456" };
    const doors = [
      () => ann.post("/api/auth/password", { currentPassword: "not-hers", newPassword: "another-good-one" }),
      () => ann.post("/api/auth/username", { password: "not-hers", username: unique("other") }),
      () => ann.post("/api/auth/email", { password: "not-hers", email: "other@example.org" }),
      () => ann.post("/api/auth/deactivate", { password: "not-hers" }),
      () => ann.post("/api/auth/totp", { password: "not-hers" }),
      () => ann.delete("/api/auth/totp", wrong),
    ];
    for (const door of doors) expect((await door()).status).toBe(403);
    const renew = () => ann.post("/api/auth/totp/recovery-codes", wrong);
    // The first has to wait for a second, which may pass before it comes.
    expect((await Promise.all([renew(), renew(), renew()])).at(-1)).toMatchObject({ status: 429 });
    const { username, password } = ann;
    expect(await stage.nobody.post("/api/auth/login", { username, password })).toMatchObject({ status: 429 });
    const of = new URLSearchParams({ actor: ann.id, type: "reauthentication" });
    const { items } = (await stage.admin.get(`/api/audit?${of}`)).body;
    expect(
      items
        .map(({ detail }: { detail: object }) => detail)
        .reverse()
        .slice(0, 6),
    ).toEqual(
      ["changePassword", "changeUsername", "changeEmail", "deactivate", "beginTotp", "removeTotp"].map(name => ({
        what: `auth.${name}`,
        factor: "password",
      })),
    );
    of.set("type", "access.denied");
    expect((await stage.admin.get(`/api/audit?${of}`)).body.items).toEqual([]);
  });

  test("sign-ins beyond 30 a minute are RATE_LIMITED, whoever is named (S13: REST)", async () => {
    const attempts = Array.from({ length: 40 }, () =>
      stage.nobody.post("/api/auth/login", { username: unique("u"), password: "not-this-one" }),
    );
    const answers = await Promise.all(attempts);
    const limited = answers.filter(answer => answer.status === 429);
    expect(limited.length).toBeGreaterThanOrEqual(10);
    expect(limited[0]?.body).toMatchObject({ code: "RATE_LIMITED" });
    expect(limited[0]?.headers.get("retry-after")).toMatch(/^\d+$/);
    // X-Forwarded-For of a stranger is not believed.
    const forged = await stage.nobody.raw(
      "POST",
      "/api/auth/login",
      JSON.stringify({ username: "admin", password: "x" }),
      {
        "content-type": "application/json",
        "x-forwarded-for": "203.0.113.9",
      },
    );
    expect(forged.status).toBe(429);
    expect((await ann.get("/api/users/me")).status).toBe(200);
  });
});
