import { Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { startServer } from "../support/server";

describe("users", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
  });
  afterAll(() => stage.end());

  test("oneself and others are shown with id, username, roles, status and createdAt", async () => {
    for (const path of ["/api/users/me", `/api/users/${bob.id}`]) {
      const { status, body } = await ann.get(path);
      expect(status).toBe(200);
      expect(body).toMatchObject({ username: expect.any(String), roles: ["User"], status: expect.any(String) });
      expect(Number.isNaN(Date.parse(body.createdAt))).toBe(false);
    }
  });

  test("the e-mail is shown to oneself and to Admin only (S23: REST)", async () => {
    expect((await ann.get("/api/users/me")).body.email).toBe(ann.user.email);
    expect((await ann.get(`/api/users/${ann.id}`)).body.email).toBe(ann.user.email);
    expect((await stage.admin.get(`/api/users/${ann.id}`)).body.email).toBe(ann.user.email);
    expect((await bob.get(`/api/users/${ann.id}`)).body).not.toHaveProperty("email");
    const list = await bob.get(`/api/users?search=${ann.username}`);
    expect(list.body.items).toHaveLength(1);
    expect(list.body.items[0]).not.toHaveProperty("email");
  });

  test("one changes one's own profile, and clears it with null", async () => {
    const changed = await ann.patch("/api/users/me", { displayName: "Ann Ä. 🎉" });
    expect(changed).toMatchObject({ status: 200, body: { id: ann.id, displayName: "Ann Ä. 🎉" } });
    expect((await bob.get(`/api/users/${ann.id}`)).body.displayName).toBe("Ann Ä. 🎉");
    expect((await ann.patch("/api/users/me", { displayName: null })).body.displayName ?? null).toBeNull();
  });

  test("nobody changes his own roles, id or name, and only Admin changes others (S23: REST)", async () => {
    for (const field of ["roles", "id", "username", "email", "passwordHash", "createdAt", "status"])
      expect((await ann.patch("/api/users/me", { [field]: ["Admin"] })).status).toBe(422);
    const refused = await ann.patch(`/api/users/${bob.id}`, { roles: ["Admin"] });
    expect(refused).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    expect((await ann.patch(`/api/users/${ann.id}`, { roles: ["Admin"] })).status).toBe(403);
    expect((await bob.get("/api/users/me")).body.roles).toEqual(["User"]);
  });

  test("Admin gives roles; an unknown role is INVALID", async () => {
    const user = await stage.user();
    const given = await stage.admin.patch(`/api/users/${user.id}`, { roles: ["User", "Moderator"] });
    expect(given).toMatchObject({ status: 200, body: { id: user.id, roles: ["User", "Moderator"] } });
    expect((await stage.admin.patch(`/api/users/${user.id}`, { roles: ["Emperor"] })).status).toBe(422);
  });

  test("the list is paged, searched by part of a name ignoring case, and counts", async () => {
    const prefix = unique("srch");
    for (const n of [1, 2, 3]) await stage.user(`${prefix}-${n}`.slice(0, 20));
    const all = await ann.get(`/api/users?search=${prefix.toUpperCase()}`);
    expect(all).toMatchObject({ status: 200, body: { page: 1, total: 3 } });
    const pages = [1, 2].map(page => ann.get(`/api/users?search=${prefix}&page=${page}&pageSize=2`));
    const [first, second] = await Promise.all(pages);
    expect(first?.body).toMatchObject({ page: 1, pageSize: 2, total: 3 });
    expect(first?.body.items).toHaveLength(2);
    expect(second?.body.items).toHaveLength(1);
    const ids = [...(first?.body.items ?? []), ...(second?.body.items ?? [])].map((user: { id: string }) => user.id);
    expect(new Set(ids)).toEqual(new Set(all.body.items.map((user: { id: string }) => user.id)));
  });

  test("a search for characters of a pattern matches only themselves (S29: REST)", async () => {
    for (const search of ["%", "_%_", ".*", "[a-z]"])
      for (const { username } of (await ann.get(`/api/users?search=${encodeURIComponent(search)}`)).body.items)
        expect(username).toContain(search);
  });

  test("a user %00 is nobody, for us and for a proxy before us", async () => {
    const { status, body } = await ann.get("/api/users/%00");
    expect([
      [404, "NOT_FOUND"],
      [400, "BAD_REQUEST"],
    ]).toContainEqual([status, body.code]);
  });

  test.each(["nonsense", "01a1fc87-9015-75b5-9683-ef4249e15e36", "..%2F..%2Fetc", "a".repeat(150)])(
    "a user %s is NOT_FOUND",
    async id => {
      expect(await ann.get(`/api/users/${id}`)).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    },
  );

  test("only oneself and Admin delete an account", async () => {
    expect(await ann.delete(`/api/users/${bob.id}`)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    expect((await bob.get("/api/users/me")).status).toBe(200);
  });

  test.each(["oneself", "Admin"])(
    "an account deleted by %s is gone, signed out everywhere, and out of its rooms",
    async who => {
      const user = await stage.user();
      const room = await stage.channel([user]);
      const socket = await user.socket([room]);
      const by = who === "Admin" ? stage.admin : user;
      expect((await by.delete(`/api/users/${user.id}`)).status).toBe(204);
      expect([4101, 4103]).toContain((await socket.untilClosed()).code);
      expect((await user.get("/api/users/me")).status).toBe(401);
      expect((await stage.nobody.post("/api/auth/refresh", { refreshToken: user.refreshToken })).status).toBe(401);
      const login = await stage.nobody.post("/api/auth/login", { username: user.username, password: user.password });
      expect(login.status).toBe(401);
      expect((await ann.get(`/api/users?search=${user.username}`)).body.total).toBe(0);
      await eventually(
        "he left his rooms",
        async () => (await stage.admin.get(`/api/channels/${room}/members`)).body.items,
        (items: { userId: string }[]) => !items.some(({ userId }) => userId === user.id),
      );
    },
  );

  test("status follows a user's first and last connection", async () => {
    const user = await stage.user();
    const status = async () => (await ann.get(`/api/users/${user.id}`)).body.status;
    expect(await status()).toBe("offline");
    const sockets = [await user.socket(), await user.socket()];
    await eventually("online", status, value => value === "online");
    await sockets[0]?.close();
    expect(await status()).toBe("online");
    await sockets[1]?.close();
    await eventually("offline", status, value => value === "offline");
  });
});
