import { randomBytes } from "node:crypto";
import type { AuditRecord } from "../../services/core/contract";
import { expectStatus, say, Stage, unique, type Client } from "../support/client";
import { describeEmbedded, startServer } from "../support/server";
import { speaker, SPEAKERS } from "../support/speakers";

/** What those decide who run the installation or a room: of all of it there is a record, and of nothing else. */
describe("the audit log of what is decided", () => {
  let stage: Stage;
  let ann: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    ann = await stage.user("ann");
  });
  afterAll(() => stage.end());

  const of = async (object: string): Promise<unknown[][]> => {
    const { items } = expectStatus(await stage.admin.get(`/api/audit?object=${object}`), 200).body;
    return (items as AuditRecord[]).map(({ type, actor, result, detail }) => [type, actor, result, detail]).reverse();
  };

  test("has bots, their tokens and their end (S63: REST)", async () => {
    const { admin } = stage;
    const bot = expectStatus(await admin.post("/api/bots", { username: unique("bot") }), 201).body.id as string;
    const wanted = { name: "one", scopes: ["users:read"] };
    const token = expectStatus(await admin.post(`/api/bots/${bot}/tokens`, wanted), 201).body.id as string;
    expectStatus(await ann.delete(`/api/bots/${bot}`), 403);
    expectStatus(await admin.delete(`/api/bots/${bot}`), 204);
    expect(await of(token)).toEqual([["token.create", admin.id, "ok", { bot }]]);
    const records = await of(bot);
    expect(records.filter(([, actor]) => actor === admin.id)).toEqual([
      ["bot.create", admin.id, "ok", undefined],
      ["account.delete", admin.id, "ok", undefined],
    ]);
  });

  test("has invitations that were withdrawn (S63: REST)", async () => {
    const { id } = expectStatus(await stage.admin.post("/api/invitations", {}), 201).body as { id: string };
    expectStatus(await stage.admin.delete(`/api/invitations/${id}`), 204);
    expect((await of(id)).map(([type]) => type)).toEqual(["invitation.create", "invitation.withdraw"]);
  });

  test("has who may read a room, and how long it is kept, once for each change (S63: REST, native)", async () => {
    const { admin } = stage;
    const room = await stage.channel([ann]);
    const set = (edit: object) => admin.patch(`/api/channels/${room}`, edit);
    for (let again = 0; again < 2; again++) {
      expectStatus(await set({ legalHold: true }), 200);
      expectStatus(await set({ isPrivate: true, topic: "said to nobody", retentionDays: 7 }), 200);
    }
    const socket = await admin.socket();
    const call = { t: "call", method: "rooms.update", params: { id: room, legalHold: false, retentionDays: null } };
    expect(await socket.request(call)).toMatchObject({ t: "ok" });
    expectStatus(await set({ name: unique("renamed") }), 200);
    expect((await of(room)).filter(([type]) => type === "room.settings")).toEqual([
      ["room.settings", admin.id, "ok", { legalHold: true }],
      ["room.settings", admin.id, "ok", { isPrivate: true, retentionDays: 7 }],
      ["room.settings", admin.id, "ok", { legalHold: false, retentionDays: "default" }],
    ]);
  });

  test("has messages that others deleted than who wrote them, once (S63: REST, native, SignalR, Socket.IO, stream)", async () => {
    const { admin } = stage;
    const room = await stage.channel([ann]);
    const deletions: ((id: string) => Promise<unknown>)[] = [
      id => admin.delete(`/api/messages/${id}`),
      async id => (await admin.socket([room])).request({ t: "delete", room, id }),
      ...SPEAKERS.map(door => async (id: string) => {
        const one = await speaker(door, stage.server.url, admin);
        await one.change("delete", id);
        await one.close();
      }),
    ];
    for (const remove of deletions) {
      const { id } = await say(ann, room, "not nice");
      for (let again = 0; again < 2; again++) await remove(id as string);
      const detail = { room, userId: ann.id };
      expect(await of(id as string)).toEqual([["message.delete", admin.id, "ok", detail]]);
    }
    const own = await say(ann, room, "mine");
    expectStatus(await ann.delete(`/api/messages/${own.id}`), 200);
    expect(await of(own.id as string)).toEqual([]);
  });

  test("has what was taken away whole, and not who looked whether he might (S63: REST)", async () => {
    const { admin } = stage;
    const room = await stage.channel([ann]);
    for (const path of [`/api/users/${ann.id}/export`, `/api/channels/${room}/export`, "/api/audit/export?limit=1"])
      expect([200, 422]).toContain((await admin.request("HEAD", path)).status);
    expect((await of(ann.id)).filter(([type]) => type === "data.export")).toEqual([]);
    expectStatus(await ann.get(`/api/users/${ann.id}/export`), 200);
    expectStatus(await admin.get(`/api/channels/${room}/export`), 200);
    expect((await of(ann.id)).at(-1)).toEqual(["data.export", ann.id, "ok", { what: "person-export" }]);
    expect((await of(room)).at(-1)).toEqual(["data.export", admin.id, "ok", { what: "room-export" }]);
    expectStatus(await admin.get(`/api/audit/export?object=${room}`), 200);
    const { items } = (await admin.get("/api/audit?type=data.export&limit=1")).body;
    expect(items).toMatchObject([{ actor: admin.id, detail: { what: "audit-export" } }]);
  });

  test("has who came with the right password and is not let in (S63: REST)", async () => {
    const bob = await stage.user("bob");
    expectStatus(await stage.admin.post(`/api/users/${bob.id}/deactivate`), 200);
    const { username, password } = bob;
    expectStatus(await stage.nobody.post("/api/auth/login", { username, password }), 403);
    expect((await of(bob.id)).at(-1)).toEqual(["login", null, "refused", { admitted: false }]);
  });
});

describeEmbedded("the audit log where no mail is sent", () => {
  test("has an e-mail that changed at once (S63: REST)", async () => {
    const env = { NODE_ENV: "production", JWT_SECRET: randomBytes(32).toString("hex"), PASSWORD_COST: "10" };
    const stage = await Stage.on(await startServer({ env }));
    const carl = await stage.user("carl");
    const change = { email: `${unique("next")}@example.org`, password: carl.password };
    expectStatus(await carl.post("/api/auth/email", change), 202);
    const { items } = expectStatus(await stage.admin.get("/api/audit?type=email.change"), 200).body;
    expect(items).toMatchObject([{ actor: carl.id, object: carl.id, result: "ok" }]);
    await stage.end();
  });
});
