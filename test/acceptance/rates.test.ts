import { eventually } from "../support/eventually";
import type { Answer, Body } from "../support/rest";
import type { Frame } from "../support/socket";
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
    const answers: Answer[] = [];
    const limited = () => answers.filter(answer => answer.status === 429);
    // A machine that stands still meanwhile gives him time: then some more.
    for (let most = 100; limited().length === 0 && most <= 1_000; most += 100)
      answers.push(...(await Promise.all(Array.from({ length: 100 }, (_, n) => send(most - 100 + n)))));
    expect(limited().length).toBeGreaterThan(0);
    expect(answers.filter(answer => answer.status === 201).length).toBeGreaterThanOrEqual(60);
    for (const answer of limited()) {
      expect(answer.body).toMatchObject({ code: "RATE_LIMITED", status: 429 });
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    const socket = await ann.socket();
    const said: Frame[] = [];
    const errors = () => said.filter(answer => answer.t === "err");
    while (errors().length === 0 && said.length < 1_000) {
      const frames = Array.from({ length: 30 }, (_, n) => socket.request({ t: "send", room, text: `s${n}` }));
      said.push(...(await Promise.all(frames)));
    }
    expect(errors().length).toBeGreaterThan(0);
    for (const error of errors())
      expect(error).toMatchObject({ code: "RATE_LIMITED", status: 429, retryAfterMs: expect.any(Number) });
    const stored = answers.findIndex(answer => answer.status === 201);
    expect((await send(stored)).status).toBe(200);
    // Nothing of what was refused is there.
    const { total } = (await ann.get(`/api/channels/${room}/messages`)).body;
    expect(total).toBe(answers.length - limited().length + said.length - errors().length);
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
    const { username, password } = ann;
    const renew = () => ann.post("/api/auth/totp/recovery-codes", wrong);
    const login = () => stage.nobody.post("/api/auth/login", { username, password });
    /** How each door answered, and when the last was asked: he has to wait for a second from then on. */
    const tryAll = async (): Promise<[number[], number]> => {
      const statuses: number[] = [];
      let began = 0;
      for (const door of doors) {
        began = performance.now();
        statuses.push((await door()).status);
      }
      return [statuses, began];
    };
    let [statuses, began] = await tryAll();
    expect(statuses).toEqual(doors.map(() => 403));
    // A machine that stands still for longer has shown nothing, and may have let him in: he begins anew.
    const refused = await eventually(
      "to be in time",
      async () => {
        const answers = [...(await Promise.all([renew(), renew(), renew()])), await login()];
        if (performance.now() - began < 1_000) return answers;
        [statuses, began] = await tryAll();
        return null;
      },
      answers => answers !== null,
    );
    expect(refused?.map(({ status }) => status)).toEqual([429, 429, 429, 429]);
    const of = new URLSearchParams({ actor: ann.id, type: "reauthentication" });
    const items = await eventually(
      "all are recorded",
      async () => (await stage.admin.get(`/api/audit?${of}`)).body.items as Body[],
      all => all.length >= doors.length,
    );
    expect(
      items
        .map(({ detail }) => detail as object)
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
