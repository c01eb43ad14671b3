import { Secret, TOTP } from "otpauth";
import { expectStatus, Stage, unique, type Client } from "../support/client";
import { knock, REQUESTS, visit, WEB_SOCKETS } from "../support/doors";
import { eventually } from "../support/eventually";
import type { Answer, Body } from "../support/rest";
import { describeOwn, startServer } from "../support/server";

const TOLD = { code: "FORBIDDEN", errors: [{ field: "secondFactor" }] };

describeOwn("who has to have a second factor", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.on(await startServer({ env: { REQUIRE_SECOND_FACTOR_FOR: "Moderator, Admin" } }));
  });
  afterAll(() => stage.end());

  const post = (path: string, body: object): Promise<Answer> => stage.nobody.post(`/api/auth/${path}`, body);
  const renew = async (client: Client): Promise<Body> => {
    const { body } = expectStatus(await post("refresh", { refreshToken: client.refreshToken }), 200);
    Object.assign(client, { token: body.accessToken, refreshToken: body.refreshToken });
    return body;
  };
  /** Resolves to its recovery codes. */
  async function setUp(client: Client): Promise<string[]> {
    const { secret } = expectStatus(await client.post("/api/auth/totp", { password: client.password }), 201).body;
    const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
    return expectStatus(await client.post("/api/auth/totp/confirm", { code }), 200).body.recoveryCodes;
  }

  test("may without one set it up and nothing else, at every door, until his tokens are made anew", async () => {
    const { admin } = stage;
    const ann = await stage.user("ann");
    expect((await ann.get("/api/channels")).status).toBe(200);
    const login = { username: admin.username, password: admin.password };
    expect((await post("login", login)).body).toMatchObject({ secondFactor: "required" });

    expect((await admin.get("/api/users/me")).body).toMatchObject({ id: admin.id });
    // Who has no password yet gets one by a mail.
    expect((await admin.post("/api/auth/forgot-password", { email: "nobody@example.org" })).status).toBe(202);
    const closed: [string, string, object?][] = [
      ["GET", "/api/channels"],
      ["GET", "/api/audit"],
      ["GET", "/api/audit/export"],
      ["GET", `/api/users/${admin.id}/export`],
      ["POST", "/api/channels", { name: unique("room") }],
      ["POST", "/api/auth/tokens", { name: "program", scopes: ["admin"] }],
      ["POST", "/api/auth/password", { currentPassword: admin.password, newPassword: "another-good-one" }],
      ["PATCH", `/api/users/${ann.id}`, { roles: ["Admin"] }],
      ["PATCH", "/api/users/me", { displayName: "In" }],
    ];
    for (const [method, path, body] of closed)
      expect([path, await admin.request(method, path, body)]).toMatchObject([path, { status: 403, body: TOLD }]);

    for (const door of WEB_SOCKETS) {
      const { says, until } = door.hello(admin.token as string);
      const visitor = await visit(door, stage.server.url, admin).catch((error: Error) => error);
      if (visitor instanceof Error) {
        expect([door.name, visitor.message]).toEqual([door.name, "403"]);
        continue;
      }
      for (const one of says) visitor.socket.send(one);
      await eventually(`${door.name} says no`, () => visitor.heard.includes("FORBIDDEN"));
      expect(visitor.heard).not.toContain(until);
      visitor.socket.terminate();
    }
    const [negotiate, , stream] = REQUESTS;
    for (const door of [negotiate, stream])
      expect(await knock(door as (typeof REQUESTS)[number], stage.server.url, admin)).toBe(403);

    await setUp(admin);
    // What it was good for before it is not good for now.
    expect((await admin.get("/api/users/me")).status).toBe(401);
    expect(await renew(admin)).not.toHaveProperty("secondFactor");
    expect((await admin.get("/api/audit")).status).toBe(200);
    await admin.socket();
  });

  test("is asked again when he gets such a role, or his second factor is gone; his programs with him, but no bot", async () => {
    const { admin } = stage;
    const user = await stage.user("mo");
    const made = { name: "program", scopes: ["rooms:read", "messages:read"] };
    const program = stage.nobody.as(expectStatus(await user.post("/api/auth/tokens", made), 201).body.token);
    expect((await program.get("/api/channels")).status).toBe(200);
    expectStatus(await admin.patch(`/api/users/${user.id}`, { roles: ["User", "Moderator"] }), 200);
    expect((await user.get("/api/channels")).status).toBe(401);
    expect(await renew(user)).toMatchObject({ secondFactor: "required" });
    for (const one of [user, program])
      expect(await one.get("/api/channels")).toMatchObject({ status: 403, body: TOLD });
    for (const { token } of [user, program])
      expect((await admin.post("/api/auth/introspect", { token })).body).toEqual({ active: false });

    const codes = await setUp(user);
    await renew(user);
    for (const one of [user, program]) expect((await one.get("/api/channels")).status).toBe(200);
    const socket = await user.socket();
    expectStatus(await user.delete("/api/auth/totp", { password: user.password, code: codes[0] }), 204);
    expect((await socket.untilClosed()).code).toBe(4101);
    expect(await renew(user)).toMatchObject({ secondFactor: "required" });
    expect(await program.get("/api/channels")).toMatchObject({ status: 403, body: TOLD });

    await setUp(user);
    await renew(user);
    expectStatus(await admin.delete(`/api/users/${user.id}/totp`), 204);
    expect((await user.get("/api/channels")).status).toBe(401);
    expect(await renew(user)).toMatchObject({ secondFactor: "required" });

    const bot = expectStatus(await admin.post("/api/bots", { username: unique("bot") }), 201).body;
    expectStatus(await admin.patch(`/api/users/${bot.id}`, { roles: ["User", "Moderator"] }), 200);
    const { token } = expectStatus(await admin.post(`/api/bots/${bot.id}/tokens`, made), 201).body;
    expect((await stage.nobody.as(token).get("/api/channels")).status).toBe(200);
  });
});
