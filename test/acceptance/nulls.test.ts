import { ROUTES } from "../../services/api-gateway/routes";
import { schemasOf } from "../../services/api-gateway/schemas";
import { FRAMES } from "../../services/core/frames";
import { LIMITS } from "../../services/core/limits";
import { expectStatus, say, Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { describeEmbedded, startServer } from "../support/server";

/** As serializers of many languages write what is not there. */
describeEmbedded("null", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;
  let room: string;

  beforeAll(async () => {
    stage = await Stage.on(await startServer({ env: { RATE_LIMIT: "off", GUESTS: "true" } }));
    [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    room = await stage.channel([ann, bob]);
  });
  afterAll(() => stage.end());

  test("in any field of any route breaks nothing: it is refused, clears, or says the same as leaving it out", async () => {
    const schemas = schemasOf(LIMITS) as Record<string, { properties?: object }>;
    const { id } = await say(stage.admin, room, "text");
    const asked: string[] = [];
    // What asks ends his own session, as is right.
    for (const { method, path, body } of ROUTES.filter(({ body, to }) => body && to !== "auth.logout")) {
      const target = path
        .replace("/messages/{id}", `/messages/${id}`)
        .replace("/users/{id}", `/users/${bob.id}`)
        .replace("{id}", path.startsWith("/conversations") ? "none" : room)
        .replace("{userId}", bob.id)
        .replace("{emoji}", "%F0%9F%91%8D");
      for (const field of Object.keys(schemas[body as string]?.properties ?? {})) {
        const { status } = await stage.admin.request(method, `/api${target}`, { [field]: null });
        asked.push(`${method} ${path} ${field}`);
        expect([asked.at(-1), status < 500]).toEqual([asked.at(-1), true]);
      }
    }
    expect(asked.length).toBeGreaterThan(80);
    expect(stage.server.output).not.toMatch(/ERROR/);
  });

  test("in any field of any frame is answered and is nobody's fault here", async () => {
    for (const [t, { fields }] of Object.entries(FRAMES))
      for (const field of Object.keys(fields)) {
        const socket = t === "hello" ? await ann.connect() : await ann.socket();
        const answer = await socket.request({ t, room, ...(t === "hello" && { token: ann.token }), [field]: null });
        expect([t, field, (answer.status ?? 200) < 500]).toEqual([t, field, true]);
        socket.cut();
      }
  });

  test("for a setting of a room leaves it as it is", async () => {
    const made = await stage.admin.post("/api/channels", { name: unique("room"), isPrivate: true, topic: null });
    const { id, ...before } = expectStatus(made, 201).body;
    const nulls = { name: null, isPrivate: null, history: null, mode: null, slowMode: null, legalHold: null };
    const { id: _, ...after } = expectStatus(await stage.admin.patch(`/api/channels/${id}`, nulls), 200).body;
    expect(after).toEqual(before);
    expect((await ann.get(`/api/channels/${id}/messages`)).status).toBe(404);
  });

  test("for what has a default gives the default", async () => {
    const link = { role: null, expiresInHours: null, uses: null };
    const other = await stage.channel();
    const made = expectStatus(await stage.admin.post(`/api/channels/${other}/invites`, link), 201).body;
    expect(Date.parse(made.expiresAt) - Date.now()).toBeGreaterThan(3_600_000);
    const items = await eventually(
      "it is recorded",
      async () => (await stage.admin.get(`/api/audit?type=room.invite&object=${other}`)).body.items as Body[],
      ({ length }) => length > 0,
    );
    expect(items).toMatchObject([{ detail: { role: "member" } }]);
    const token = { name: "mine", scopes: ["messages:read"], expiresInDays: null };
    const { expiresAt } = expectStatus(await ann.post("/api/auth/tokens", token), 201).body;
    expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(86_400_000);
  });

  test("for a preference changes nothing", async () => {
    const before = (await ann.get("/api/users/me/preferences")).body;
    const change = {
      privacy: { find: null, write: null, presence: null, sendReadReceipts: null },
      notifications: { default: null, email: null, push: null },
    };
    expect(expectStatus(await ann.patch("/api/users/me/preferences", change), 200).body).toEqual(before);
  });
});
