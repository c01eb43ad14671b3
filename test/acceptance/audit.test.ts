import type { AuditRecord } from "../../services/core/contract";
import { say, Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { startServer } from "../support/server";
import { speaker } from "../support/speakers";

describe("the audit log", () => {
  let stage: Stage;
  let ann: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    ann = await stage.user("ann");
  });
  afterAll(() => stage.end());

  const query = async (parameters: Record<string, string>): Promise<AuditRecord[]> => {
    const answer = await stage.admin.get(`/api/audit?${new URLSearchParams(parameters)}`);
    expect(answer.status).toBe(200);
    return answer.body.items;
  };
  /** As many as there are to be: a busy server stores some after its answer. */
  const recorded = (count: number, parameters: Record<string, string>): Promise<AuditRecord[]> =>
    eventually(
      `${count} records of ${JSON.stringify(parameters)}`,
      () => query(parameters),
      ({ length }) => length >= count,
    );
  const login = (username: string, password: string) => stage.nobody.post("/api/auth/login", { username, password });

  test("has who registered, signed in, was refused and signed out when they are answered (S63: REST)", async () => {
    const bob = await stage.user("bob");
    expect((await login(bob.username, "not-his-password")).status).toBe(401);
    const again = await stage.login(bob);
    expect((await again.post("/api/auth/logout", {})).status).toBe(204);
    const records = [
      ...(await recorded(3, { object: bob.id })),
      ...(await recorded(1, { actor: bob.id, type: "logout" })),
    ];
    expect(records.map(({ type, result, actor }) => [type, result, actor])).toEqual([
      ["login", "ok", bob.id],
      ["login", "refused", null],
      ["account.register", "ok", bob.id],
      ["logout", "ok", bob.id],
    ]);
    for (const { at, address, id } of records)
      expect([at, address, id]).toEqual([
        expect.stringMatching(/^\d{4}-.*Z$/),
        expect.stringMatching(/./),
        expect.any(String),
      ]);
  });

  test("has nothing of what was typed", async () => {
    const typed = unique("my-password-by-mistake");
    // Others are refused too, but nobody but he comes as a name that nobody has.
    const refused = async () =>
      (await query({ type: "login", result: "refused", limit: "100" })).filter(({ object }) => object === undefined);
    const before = new Set((await refused()).map(({ id }) => id));
    expect((await login(typed, unique("another"))).status).toBe(401);
    const [record] = await eventually(
      "it is recorded",
      async () => (await refused()).filter(({ id }) => !before.has(id)),
      ({ length }) => length > 0,
    );
    expect(record).toMatchObject({ actor: null });
    const all = await stage.admin.get("/api/audit?limit=100");
    expect(JSON.stringify(all.body)).not.toContain(typed);
  });

  test("has a refresh token that was used again, and what happened to the session (S63: REST)", async () => {
    const eve = await stage.user("eve");
    const use = (refreshToken: string) => stage.nobody.post("/api/auth/refresh", { refreshToken });
    const [id, family] = eve.refreshToken.split(".");
    expect((await use(`${id}.${family}.${"A".repeat(43)}`)).status).toBe(401);
    expect(await recorded(1, { object: id as string })).toMatchObject([
      { type: "token.reuse", actor: eve.id, result: "refused" },
    ]);
  });

  test("has changed roles, removed users, members and rooms, by whom (S63: REST)", async () => {
    const user = await stage.user("carl");
    await stage.admin.patch(`/api/users/${user.id}`, { roles: ["User", "Moderator"] });
    await stage.admin.patch(`/api/users/${user.id}`, { displayName: "Carl" });
    const room = await stage.channel([user]);
    await stage.admin.delete(`/api/channels/${room}/members/${user.id}`);
    await stage.admin.delete(`/api/channels/${room}`);
    await stage.admin.delete(`/api/users/${user.id}`);
    const of = async (object: string) =>
      (await recorded(2, { object, actor: stage.admin.id })).map(({ type, detail }) => [type, detail]);
    expect(await of(user.id)).toEqual([
      ["account.delete", undefined],
      ["roles.change", { roles: "User,Moderator" }],
    ]);
    expect(await of(room)).toEqual([
      ["room.delete", undefined],
      ["room.kick", { userId: user.id }],
    ]);
  });

  test("has who was refused at either door, once a minute each (S63: REST, native)", async () => {
    const socket = await ann.socket();
    for (let n = 0; n < 3; n++) {
      expect((await ann.post("/api/channels", { name: unique("mine") })).status).toBe(403);
      const answer = await socket.request({ t: "call", method: "rooms.create", params: { name: unique("mine") } });
      expect(answer).toMatchObject({ t: "err", code: "FORBIDDEN" });
    }
    const denied = await recorded(2, { actor: ann.id, type: "access.denied" });
    expect(denied.map(({ detail, result }) => [detail?.what, result]).sort()).toEqual([
      ["POST /channels", "refused"],
      ["rooms.create", "refused"],
    ]);
  });

  test("has who was refused on any other wire (S63: SignalR, Socket.IO, stream)", async () => {
    for (const door of ["SignalR", "Socket.IO", "stream"] as const) {
      const user = await stage.user("dan");
      const room = await stage.channel([ann, user]);
      const { id } = await say(ann, room, "ann's own");
      const one = await speaker(door, stage.server.url, user);
      for (let n = 0; n < 2; n++) expect((await one.change("edit", id, { text: "dan's" })).code).toBe("FORBIDDEN");
      const denied = await recorded(1, { actor: user.id, type: "access.denied" });
      expect([door, denied.map(({ detail, result }) => [detail?.what, result])]).toEqual([
        door,
        [["messages.edit", "refused"]],
      ]);
      await one.close();
    }
  });

  test("is read by administrators alone, over REST and sockets", async () => {
    for (const path of ["/api/audit", "/api/audit/export"]) {
      expect((await stage.nobody.get(path)).status).toBe(401);
      expect((await ann.get(path)).status).toBe(403);
    }
    const [own, admin] = [await ann.socket(), await stage.admin.socket()];
    const ask = { t: "call", method: "auth.audit", params: { actor: ann.id, limit: 1 } };
    expect(await own.request(ask)).toMatchObject({ t: "err", code: "FORBIDDEN" });
    expect(await admin.request(ask)).toMatchObject({ t: "ok", result: { items: [{ actor: ann.id }] } });
    for (const method of ["auth.record", "auth.auditTrail"])
      expect(await admin.request({ t: "call", method, params: {} })).toMatchObject({ t: "err", code: "NOT_FOUND" });
  });

  test("is read in windows that neither overlap nor miss any, and exported whole", async () => {
    for (let n = 0; n < 5; n++) await login(ann.username, "not-her-password");
    await recorded(5, { object: ann.id, type: "login" });
    const wanted = { object: ann.id, type: "login", limit: "2" };
    const seen: string[] = [];
    for (let before = ""; ;) {
      const page = await stage.admin.get(`/api/audit?${new URLSearchParams({ ...wanted, ...(before && { before }) })}`);
      seen.push(...page.body.items.map(({ id }: AuditRecord) => id));
      before = seen.at(-1) as string;
      if (!page.body.hasBefore) break;
    }
    expect(seen).toEqual([...new Set(seen)].sort().reverse());
    expect(seen.length).toBeGreaterThanOrEqual(5);
    const answer = await stage.admin.get(`/api/audit/export?object=${ann.id}&type=login`);
    expect(answer.headers.get("content-type")).toContain("application/x-ndjson");
    const lines = (answer.body as string)
      .trimEnd()
      .split("\n")
      .map(text => JSON.parse(text) as { type: string; record?: AuditRecord });
    expect(lines[0]).toMatchObject({ type: "export", kind: "audit" });
    expect(lines.slice(1, -1).map(({ record }) => record?.id)).toEqual(seen);
    expect(lines.at(-1)).toEqual({ type: "end", records: seen.length });
  });

  test.each([
    "type=nonsense",
    "since=yesterday",
    "limit=0",
    "before=1&before=2",
    "before=zzz",
    "before=-1",
    "actor=",
    "user=x",
  ])("refuses %s", async parameters => {
    expect((await stage.admin.get(`/api/audit?${parameters}`)).status).toBe(422);
  });

  test("takes no request id that could forge a line (S62: REST)", async () => {
    for (const forged of ["a b", "x".repeat(65), "é", "a_b"]) {
      const answer = await stage.nobody.raw("GET", "/api/config", undefined, { "x-request-id": forged });
      expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    }
    const answer = await stage.nobody.raw("GET", "/api/config", undefined, { "x-request-id": "A-z-09" });
    expect(answer.headers.get("x-request-id")).toBe("A-z-09");
  });
});
