import type { ServiceBroker } from "moleculer";
import { platformOf } from "../../config/platform";
import { call, type Actions } from "../../services/core/contract";
import { RookeryError } from "../../services/core/errors";
import { newId } from "../../services/core/ids";
import type { Identity, PublicUser } from "../../services/core/model";
import { permissionsOf, type Role } from "../../services/core/permissions";
import Presence from "../../services/presence/presence.service";
import Users from "../../services/users/users.service";
import { codeOf, identity, startNode, stopNode, until } from "../support/broker";
import { temporaryFolder } from "../support/temp";

/** What users asks of auth and rooms, written down; each may be away for a while. */
class Neighbours {
  readonly revoked: Actions["auth.revoke"]["params"][] = [];
  readonly evicted: string[] = [];
  /** Owners of images, by file. */
  readonly images = new Map<string, string>();
  away = false;

  get services() {
    const answer = (take: () => void) => {
      if (this.away) throw new RookeryError("UNAVAILABLE");
      take();
      return null;
    };
    const internal = { auth: "internal", visibility: "public" } as const;
    const auth = {
      name: "auth",
      actions: {
        revoke: {
          ...internal,
          handler: (ctx: { params: Actions["auth.revoke"]["params"] }) => answer(() => this.revoked.push(ctx.params)),
        },
        record: { ...internal, handler: () => answer(() => undefined) },
      },
    };
    const rooms = {
      name: "rooms",
      actions: {
        evict: {
          ...internal,
          handler: (ctx: { params: { userId: string } }) => answer(() => this.evicted.push(ctx.params.userId)),
        },
      },
    };
    const files = {
      name: "files",
      actions: {
        picture: {
          ...internal,
          handler: (ctx: { params: Actions["files.picture"]["params"] }) =>
            this.images.get(ctx.params.id) === ctx.params.owner,
        },
      },
    };
    return [auth, rooms, files];
  }
}

let count = 0;

describe.each(["one node", "two nodes"])("users on %s", shape => {
  const neighbours = new Neighbours();
  let home: ServiceBroker;
  let door: ServiceBroker;

  beforeAll(async () => {
    const cluster = shape === "two nodes" ? newId() : undefined;
    home = await startNode({ services: [Users, Presence, ...neighbours.services], cluster });
    door = cluster ? await startNode({ services: [], cluster }) : home;
    await door.waitForServices(["users", "presence", "auth", "rooms", "files"]);
  });

  const make = async (roles: Role[] = ["User"], username = `Bob${++count}`): Promise<Identity> => {
    const id = newId();
    await call(door, "users.create", { id, username, email: `${username}@Example.org`, roles });
    return { id, username, roles, permissions: permissionsOf(roles), sid: newId() };
  };
  const as = (user: Identity) => ({ meta: { user } });
  const get = (id: string, viewer: Identity) => call(door, "users.get", { id }, as(viewer));
  const list = (params: Actions["users.list"]["params"], viewer = identity()) =>
    call(door, "users.list", params, as(viewer));

  it("creates a user once, and again under the same id without harm", async () => {
    const wanted = { id: newId(), username: "Carol", email: "Carol@Example.org" };
    const record = { ...wanted, roles: ["User"] };
    expect(await call(door, "users.create", wanted)).toEqual(record);
    expect(await call(door, "users.create", wanted)).toEqual(record);
    expect(await codeOf(call(door, "users.create", { ...wanted, username: "carol2" }))).toBe("CONFLICT");
  });

  it("gives a name and an e-mail once, whatever their case, and does not tell which was taken", async () => {
    const user = await make();
    const texts = await Promise.all(
      [
        { username: user.username.toLowerCase(), email: "other@example.org" },
        { username: "Other1", email: `${user.username}@EXAMPLE.ORG` },
      ].map(wanted =>
        call(door, "users.create", { id: newId(), ...wanted }).then(
          () => "made",
          (error: Error & { type: string }) => `${error.type} ${error.message}`,
        ),
      ),
    );
    expect(new Set(texts)).toEqual(new Set(["CONFLICT The user name or e-mail is taken."]));
  });

  it("finds users by login, id and name, and nobody for anything else", async () => {
    const user = await make();
    const record = {
      id: user.id,
      username: user.username,
      roles: ["User"],
      email: expect.stringMatching(/@Example\.org$/i),
    };
    for (const login of [user.username.toUpperCase(), `${user.username}@example.org`])
      expect(await call(door, "users.byLogin", { login })).toEqual(record);
    expect(await call(door, "users.record", { id: user.id })).toEqual(record);
    const ids = [newId(), user.id, "no id", user.id, "__proto__"];
    expect(await call(door, "users.names", { ids })).toEqual([{ id: user.id, username: user.username }]);
    expect(await call(door, "users.byUsernames", { usernames: [user.username.toLowerCase(), "nobody"] })).toEqual([
      { id: user.id, username: user.username },
    ]);
    for (const login of ["", "%", "_____", "' OR 1=1 --", "__proto__", "nobody@example.org"])
      expect(await call(door, "users.byLogin", { login })).toBeNull();
    expect(await call(door, "users.record", { id: "../x" })).toBeNull();
  });

  it("shows an e-mail to oneself and to Admins only, and nothing that is not meant to be shown", async () => {
    const [user, other, moderator, admin] = await Promise.all([
      make(),
      make(),
      make(["User", "Moderator"]),
      make(["Admin"]),
    ]);
    const shown: PublicUser = {
      id: user.id,
      username: user.username,
      roles: ["User"],
      status: "offline",
      createdAt: expect.any(String) as unknown as string,
    };
    const full = { ...shown, email: `${user.username}@Example.org` };
    expect(await call(door, "users.me", {}, as(user))).toEqual(full);
    expect(await get(user.id, user)).toEqual(full);
    expect(await get(user.id, admin)).toEqual(full);
    expect(await get(user.id, other)).toEqual(shown);
    expect(await get(user.id, moderator)).toEqual(shown);
    for (const { id, email } of (await list({ pageSize: 100 }, other)).items)
      expect(email !== undefined).toBe(id === other.id);
    for (const { email } of (await list({ pageSize: 100 }, admin)).items) expect(email).toBeDefined();
  });

  it("answers unknown and malformed ids alike", async () => {
    for (const id of [newId(), "x", "../../etc/passwd", "__proto__", "'; DROP TABLE users; --"])
      expect(await codeOf(get(id, identity()))).toBe("NOT_FOUND");
    for (const id of [{ $ne: null }, ["x"], 1, "", null])
      expect(await codeOf(door.call("users.get", { id }, as(identity())))).toBe("VALIDATION_ERROR");
  });

  it("lists by name, in pages, and finds parts of names and display names ignoring case", async () => {
    const names = ["zoe_1", "Zoe_2", "zoe.3", "zoeX4"];
    const users = [];
    for (const name of names) users.push(await make(["User"], name));
    await call(door, "users.updateMe", { displayName: "Ünïque 100% Name" }, as(users[2] as Identity));
    expect((await list({ search: "ZOE" })).items.map(({ username }) => username)).toEqual([
      "zoe.3",
      "zoe_1",
      "Zoe_2",
      "zoeX4",
    ]);
    const second = await list({ search: "zoe", page: 2, pageSize: 3 });
    expect(second).toMatchObject({ page: 2, pageSize: 3, total: 4 });
    expect(second.items.map(({ username }) => username)).toEqual(["zoeX4"]);
    expect((await list({ search: "e_" })).items.map(({ username }) => username)).toEqual(["zoe_1", "Zoe_2"]);
    expect((await list({ search: "ünïque 100%" })).items.map(({ username }) => username)).toEqual(["zoe.3"]);
    for (const search of ["%", "100_ N", "' OR 1=1 --", ".*"])
      expect((await list({ search })).items.map(({ username }) => username)).toEqual(search === "%" ? ["zoe.3"] : []);
    expect(await list({ pageSize: 1_000_000 })).toMatchObject({ pageSize: 100 });
    expect(await list({ page: 999_999_999 })).toMatchObject({ items: [] });
  });

  it.each([
    { search: { $ne: "" } },
    { search: "\0" },
    { search: "bob\0" },
    { query: { email: { $gt: "" } } },
    { sort: "-email" },
    { searchFields: "email" },
    { fields: ["email"] },
    { page: 0 },
    { page: "1e9" },
    { pageSize: -1 },
  ])("refuses to list by %j", async params => {
    expect(await codeOf(door.call("users.list", params, as(identity())))).toBe("VALIDATION_ERROR");
  });

  it("changes and clears one's own profile and nothing else", async () => {
    const user = await make();
    const [image, other] = [newId(), newId()];
    neighbours.images.set(image, user.id).set(other, newId());
    const avatarUrl = `/api/files/${image}`;
    expect(await call(door, "users.updateMe", { displayName: "  Bob  B. ", avatarUrl }, as(user))).toMatchObject({
      displayName: "Bob  B.",
      avatarUrl,
    });
    expect(await call(door, "users.updateMe", { avatarUrl: "https://example.org/a.png?x=1" }, as(user))).toMatchObject({
      displayName: "Bob  B.",
      avatarUrl: "https://example.org/a.png?x=1",
    });
    const cleared = await call(door, "users.updateMe", { displayName: null, avatarUrl: null }, as(user));
    expect(Object.keys(cleared)).not.toEqual(expect.arrayContaining(["displayName"]));
    expect(Object.keys(cleared)).not.toEqual(expect.arrayContaining(["avatarUrl"]));
    const wrong = [
      { roles: ["Admin"] },
      { username: "root" },
      { email: "x@example.org" },
      { id: newId() },
      { createdAt: "2000-01-01" },
      { displayName: "" },
      { displayName: "   " },
      { displayName: "x".repeat(65) },
      { displayName: "two\nlines" },
      { displayName: "\u200b\u3164" },
      { displayName: { $set: 1 } },
      { avatarUrl: "javascript:alert(1)" },
      { avatarUrl: "data:image/svg+xml,<svg/>" },
      { avatarUrl: "//evil.example/a.png" },
      { avatarUrl: "http://example.org/a.png" },
      { avatarUrl: "/api/users/me" },
      { avatarUrl: "/api/files/../users/me" },
      { avatarUrl: "https://user:pw@example.org/" },
      { avatarUrl: 'https://example.org/"onerror="x' },
      { avatarUrl: `https://example.org/${"a".repeat(500)}` },
      { "displayName.x": "y" },
      JSON.parse('{"__proto__":{"x":1},"roles":["Admin"]}') as object,
    ];
    for (const params of wrong)
      expect([params, await codeOf(door.call("users.updateMe", params, as(user)))]).toEqual([
        params,
        "VALIDATION_ERROR",
      ]);
    for (const id of [other, newId()])
      expect(await codeOf(call(door, "users.updateMe", { avatarUrl: `/api/files/${id}` }, as(user)))).toBe("INVALID");
    expect(await get(user.id, user)).toEqual(cleared);
    expect(({} as { roles?: unknown }).roles).toBeUndefined();
  });

  it("lets only Admins change others and roles, and has the tokens renewed after it", async () => {
    const [user, moderator, admin] = await Promise.all([make(), make(["Moderator"]), make(["Admin"])]);
    for (const caller of [user, moderator])
      expect(await codeOf(call(door, "users.update", { id: user.id, roles: ["Admin"] }, as(caller)))).toBe("FORBIDDEN");
    expect(await codeOf(call(door, "users.update", { id: user.id, displayName: "x" }))).toBe("UNAUTHENTICATED");
    const roles: Role[] = ["Moderator", "User"];
    expect(await call(door, "users.update", { id: user.id, roles }, as(admin))).toMatchObject({
      roles: ["User", "Moderator"],
    });
    expect(neighbours.revoked.filter(({ userId }) => userId === user.id)).toEqual([
      { userId: user.id, keepSessions: true },
    ]);
    await call(door, "users.update", { id: user.id, roles, displayName: "Same" }, as(admin));
    expect(neighbours.revoked.filter(({ userId }) => userId === user.id)).toHaveLength(1);
    for (const bad of [["Root"], [], "Admin", [{ $ne: "User" }], ["User", "User"]])
      expect(await codeOf(door.call("users.update", { id: user.id, roles: bad }, as(admin)))).toBe("VALIDATION_ERROR");
    expect(await codeOf(call(door, "users.update", { id: newId(), displayName: "x" }, as(admin)))).toBe("NOT_FOUND");
  });

  it("removes a user at his own or an Admin's wish; his name stays taken, what he told is gone", async () => {
    const [user, other] = await Promise.all([make(), make()]);
    await call(door, "users.updateMe", { displayName: "Secret Name" }, as(user));
    expect(await codeOf(call(door, "users.remove", { id: user.id }, as(other)))).toBe("FORBIDDEN");
    expect(await codeOf(call(door, "users.remove", { id: newId() }, as(other)))).toBe("NOT_FOUND");
    expect(await call(door, "users.remove", { id: user.id }, as(user))).toBeNull();
    expect(neighbours.revoked.filter(({ userId }) => userId === user.id)).toEqual([{ userId: user.id, forget: true }]);
    expect(neighbours.evicted).toContain(user.id);
    expect(await codeOf(get(user.id, other))).toBe("NOT_FOUND");
    expect(await codeOf(call(door, "users.remove", { id: user.id }, as(user)))).toBe("NOT_FOUND");
    expect(await codeOf(call(door, "users.updateMe", { displayName: "x" }, as(user)))).toBe("NOT_FOUND");
    expect(await call(door, "users.record", { id: user.id })).toBeNull();
    expect(await call(door, "users.names", { ids: [user.id] })).toEqual([]);
    expect(await call(door, "users.byUsernames", { usernames: [user.username] })).toEqual([]);
    expect((await list({ search: user.username })).total).toBe(0);
    const again = { id: newId(), username: user.username, email: "new-one@example.org" };
    expect(await codeOf(call(door, "users.create", again))).toBe("CONFLICT");
    const email = `${user.username}@example.org`;
    expect(await call(door, "users.create", { id: newId(), username: `x${user.username}`, email })).toBeDefined();
    const database = await platformOf(home).database();
    const row = await database.get<{ doc: string }>("SELECT doc FROM users WHERE id = ?", [user.id]);
    expect(row?.doc).not.toMatch(/Secret|example/i);
  });

  it("tells auth and rooms later when they are away, and until then does not forget", async () => {
    const user = await make();
    neighbours.away = true;
    expect(await call(door, "users.remove", { id: user.id }, as(user))).toBeNull();
    expect(await codeOf(get(user.id, identity()))).toBe("NOT_FOUND");
    expect(neighbours.evicted).not.toContain(user.id);
    neighbours.away = false;
    await until(() => neighbours.evicted.includes(user.id));
    expect(neighbours.revoked).toContainEqual({ userId: user.id, forget: true });
  });

  it("shows who is online, in one question for a list, and everybody as offline while presence is away", async () => {
    const [here, away] = await Promise.all([make(["User"], "pres_a"), make(["User"], "pres_b")]);
    const report = { gateway: "g", start: "s", n: 1, full: true, online: [here.id], offline: [] };
    expect(await call(door, "presence.report", report)).toMatchObject({ known: true });
    const statuses = async () => (await list({ search: "pres_" })).items.map(({ id, status }) => [id, status]);
    expect(await statuses()).toEqual([
      [here.id, "online"],
      [away.id, "offline"],
    ]);
    await home.destroyService(home.getLocalService("presence"));
    expect(await statuses()).toEqual([
      [here.id, "offline"],
      [away.id, "offline"],
    ]);
  });
});

describe("the last Admin", () => {
  it("can neither lose the role nor be removed, and two cannot demote each other", async () => {
    const broker = await startNode({ services: [Users, Presence, ...new Neighbours().services] });
    const make = async (username: string) => {
      const user = identity(newId(), ["Admin"]);
      await call(broker, "users.create", { id: user.id, username, email: `${username}@x.org`, roles: ["Admin"] });
      return user;
    };
    const one = await make("one");
    const as = { meta: { user: one } };
    expect(await codeOf(call(broker, "users.update", { id: one.id, roles: ["User"] }, as))).toBe("CONFLICT");
    expect(await codeOf(call(broker, "users.remove", { id: one.id }, as))).toBe("CONFLICT");
    expect((await call(broker, "users.me", {}, as)).roles).toEqual(["Admin"]);
    const two = await make("two");
    const both = await Promise.all([
      codeOf(call(broker, "users.update", { id: one.id, roles: ["User"] }, { meta: { user: two } })),
      codeOf(call(broker, "users.remove", { id: two.id }, as)),
    ]);
    expect(both.filter(answer => answer === "CONFLICT")).toHaveLength(1);
    const left = await call(broker, "users.list", {}, as);
    expect(left.items.filter(({ roles }) => roles.includes("Admin"))).toHaveLength(1);
  });
});

describe("a restart of users", () => {
  it("carries out what the last run could not tell other services", async () => {
    const dataDir = temporaryFolder();
    const neighbours = new Neighbours();
    neighbours.away = true;
    const services = [Users, Presence, ...neighbours.services];
    const first = await startNode({ services, dataDir });
    const user = identity();
    await call(first, "users.create", { id: user.id, username: "gone", email: "gone@example.org" });
    await call(first, "users.remove", { id: user.id }, { meta: { user } });
    await stopNode(first);
    neighbours.away = false;
    await startNode({ services, dataDir });
    await until(() => neighbours.evicted.includes(user.id));
    expect(neighbours.revoked).toEqual([{ userId: user.id, forget: true }]);
  });
});
