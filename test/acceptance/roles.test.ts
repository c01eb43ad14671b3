import { decode } from "jsonwebtoken";
import { expectStatus, Stage, unique, type Client } from "../support/client";
import type { Answer, Body } from "../support/rest";
import { describeOwn, startServer } from "../support/server";

// A server of its own: roles are everybody's.
describeOwn("what roles allow", () => {
  let stage: Stage;
  let moderator: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer({ env: { LOG_LEVEL: "info" } }));
    moderator = await stage.withRoles("mo", ["User", "Moderator"]);
  });
  afterAll(() => stage.end());

  const permissionsOf = async (role: string): Promise<string[]> => {
    const { body } = expectStatus(await stage.admin.get("/api/roles"), 200);
    return body.items.find((one: Body) => one.role === role).permissions;
  };
  const set = (role: string, permissions: string[], who = stage.admin): Promise<Answer> =>
    who.put(`/api/roles/${role}`, { permissions });
  const refreshed = async (client: Client) => {
    const { body } = expectStatus(
      await stage.nobody.post("/api/auth/refresh", { refreshToken: client.refreshToken }),
      200,
    );
    Object.assign(client, { token: body.accessToken, refreshToken: body.refreshToken });
    return decode(body.accessToken) as Body;
  };
  const makes = async (client: Client): Promise<number> =>
    (await client.post("/api/channels", { name: unique("room") })).status;

  test("is there for everybody to read, and changed with roles.manage alone; an Admin's is not reduced", async () => {
    const ann = await stage.user("ann");
    const { items, permissions } = expectStatus(await ann.get("/api/roles"), 200).body;
    expect(items.map(({ role }: Body) => role)).toEqual(["Guest", "User", "Moderator", "Admin"]);
    expect(await permissionsOf("Admin")).toEqual(permissions);
    expect((await set("User", permissions, ann)).status).toBe(403);
    expect((await set("Admin", ["files.upload"])).status).toBe(409);
    expect((await set("Admin", permissions)).status).toBe(200);
    expect((await set("User", ["no.such.permission"])).status).toBe(422);
    expect((await set("Chief", [])).status).toBe(422);
    expect(await permissionsOf("User")).not.toContain("users.manage");
  });

  test("a change reaches those who have the role, on every gateway: they come back with a new token", async () => {
    const before = await permissionsOf("Moderator");
    const ann = await stage.user("ann");
    expect(await makes(moderator)).toBe(201);
    const sockets = [await moderator.socket(), await moderator.socket(), await moderator.socket()];
    const other = await ann.socket();
    const changed = await set(
      "Moderator",
      before.filter(one => one !== "channels.create"),
    );
    expect(expectStatus(changed, 200).body.permissions).not.toContain("channels.create");
    const ends = await Promise.all(sockets.map(socket => socket.untilClosed()));
    expect(ends.map(({ code }) => code)).toEqual([4101, 4101, 4101]);
    expect(await makes(moderator)).toBe(401);
    // His session goes on: it is the token that is to be renewed.
    expect((await moderator.get("/api/users/me")).body).toMatchObject({
      code: "UNAUTHENTICATED",
      detail: expect.stringContaining("renew"),
    });
    expect((await refreshed(moderator)).permissions).not.toContain("channels.create");
    expect(await makes(moderator)).toBe(403);
    // Nobody else was disturbed.
    expect(await other.request({ t: "ping" })).toMatchObject({ t: "pong" });
    expect((await ann.get("/api/users/me")).status).toBe(200);

    expect((await set("Moderator", before)).status).toBe(200);
    await refreshed(moderator);
    expect(await makes(moderator)).toBe(201);
    // What it was already changes nothing for anybody.
    const quiet = await moderator.socket();
    expect((await set("Moderator", [...before].reverse())).status).toBe(200);
    expect((await moderator.get("/api/users/me")).status).toBe(200);
    expect(await quiet.request({ t: "ping" })).toMatchObject({ t: "pong" });
  });

  test("nobody grants what he does not have, to whatever role; every sign-in has what is granted now", async () => {
    const before = await permissionsOf("Moderator");
    expect((await set("Moderator", [...before, "roles.manage"])).status).toBe(200);
    const deputy = await stage.login(moderator);
    expect((decode(deputy.token as string) as Body).permissions).toContain("roles.manage");
    const user = await permissionsOf("User");
    expect((await set("Moderator", [...before, "roles.manage", "users.manage"], deputy)).status).toBe(403);
    expect((await set("User", [...user, "users.manage"], deputy)).status).toBe(403);
    expect(await permissionsOf("User")).toEqual(user);
    expect((await set("Guest", ["files.upload", "channels.join"], deputy)).status).toBe(200);
    expect(await permissionsOf("Guest")).toEqual(["channels.join", "files.upload"]);
    expect((await set("Guest", ["files.upload"], deputy)).status).toBe(200);
    expect((await set("Moderator", before)).status).toBe(200);
  });

  test("nobody manages who may do something that he may not, by either door, nor gives or keeps such a role", async () => {
    const before = await permissionsOf("Moderator");
    const granted = [...before, "users.manage", "bots.manage"];
    expect((await set("Moderator", granted)).status).toBe(200);
    const [deputy, chief, ann] = [
      await stage.login(moderator),
      await stage.withRoles("chief", ["Admin"]),
      await stage.user("ann"),
    ];
    const bot = expectStatus(await stage.admin.post("/api/bots", { username: unique("bot") }), 201).body;
    const made = { name: "program", scopes: ["messages:read"] };
    const { id: token } = expectStatus(await stage.admin.post(`/api/bots/${bot.id}/tokens`, made), 201).body;
    expectStatus(await stage.admin.patch(`/api/users/${bot.id}`, { roles: ["Admin"] }), 200);
    const socket = await deputy.socket();

    const doors: [string, string, string, object, object?][] = [
      ["auth.resetTotp", "DELETE", "/api/users/ID/totp", {}],
      ["users.update", "PATCH", "/api/users/ID", {}, { displayName: "Puppet" }],
      ["users.update", "PATCH", "/api/users/ID", {}, { roles: ["User"] }],
      ["users.deactivate", "POST", "/api/users/ID/deactivate", {}],
      ["users.activate", "POST", "/api/users/ID/activate", {}],
      ["users.remove", "DELETE", "/api/users/ID", {}],
      ["users.remove", "DELETE", "/api/users/ID?erase=true", { erase: true }],
    ];
    const refused = { status: 403, body: { code: "FORBIDDEN" } };
    const refusedThere = { t: "err", code: "FORBIDDEN" };
    for (const [method, verb, path, more, body] of doors) {
      expect(await deputy.request(verb, path.replace("ID", chief.id), body)).toMatchObject(refused);
      const params = { id: chief.id, ...more, ...body };
      expect(await socket.request({ t: "call", method, params })).toMatchObject(refusedThere);
    }
    expect(await deputy.delete(`/api/bots/${bot.id}`)).toMatchObject(refused);
    expect(await socket.request({ t: "call", method: "users.removeBot", params: { id: bot.id } })).toMatchObject(
      refusedThere,
    );
    expect(await deputy.delete(`/api/auth/tokens/${token}`)).toMatchObject(refused);
    expect(await socket.request({ t: "call", method: "auth.removeToken", params: { id: token } })).toMatchObject(
      refusedThere,
    );
    for (const { id } of [ann, deputy]) {
      const roles = ["User", "Admin"];
      expect(await deputy.patch(`/api/users/${id}`, { roles })).toMatchObject(refused);
      expect(await socket.request({ t: "call", method: "users.update", params: { id, roles } })).toMatchObject(
        refusedThere,
      );
    }
    expect(await deputy.post("/api/invitations", { roles: ["Admin"] })).toMatchObject(refused);
    expect((await chief.get("/api/users/me")).body).toMatchObject({ roles: ["Admin"] });
    expect((await chief.get("/api/users/me")).body).not.toHaveProperty("displayName");
    expect((await stage.admin.get(`/api/users/${chief.id}/erasure`)).status).toBe(404);

    // Whom he reaches he manages.
    for (const [, verb, path, , body] of doors)
      expect((await deputy.request(verb, path.replace("ID", ann.id), body)).status).toBeLessThan(300);
    expect((await stage.admin.patch(`/api/users/${bot.id}`, { roles: ["User"] })).status).toBe(200);
    expect((await deputy.delete(`/api/bots/${bot.id}`)).status).toBe(204);
    expect((await set("Moderator", before)).status).toBe(200);
  });
});
