import { expectStatus, Stage, unique, type Client } from "../support/client";
import { knock, REQUESTS, visit, WEB_SOCKETS, type Visitor } from "../support/doors";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { describeEmbedded, describeOwn, startServer } from "../support/server";

const BEHIND = { RATE_LIMIT: "on", TRUSTED_PROXIES: "127.0.0.1" };

describeOwn("limits", () => {
  let stage: Stage;
  let host = 0;

  beforeAll(async () => {
    stage = await Stage.on(await startServer({ env: BEHIND }));
  }, 120_000);
  afterAll(() => stage.end());

  const address = (): string => `203.0.113.${++host}`;
  const login = (username: string, password: string, from: string) =>
    stage.nobody.raw("POST", "/api/auth/login", JSON.stringify({ username, password }), {
      "content-type": "application/json",
      "x-forwarded-for": from,
    });

  test("of requests are told with every answer, and when they end", async () => {
    const ann = await stage.user("ann");
    const left: number[] = [];
    for (let n = 0; n < 3; n++) {
      const { headers } = await ann.get("/api/users/me");
      expect(headers.get("ratelimit-limit")).toBe("1200");
      expect(Number(headers.get("ratelimit-reset"))).toBeGreaterThan(0);
      expect(Number(headers.get("ratelimit-reset"))).toBeLessThanOrEqual(60);
      left.push(Number(headers.get("ratelimit-remaining")));
    }
    expect(left).toEqual([1199, 1198, 1197]);
  });

  // Through the proxy of a cluster everybody comes from here.
  (process.env.ROOKERY_SHAPE === "cluster" ? test.skip : test)(
    "slow down attempts on an account from many addresses, and keep its owner neither out nor from what is open (S13: REST)",
    async () => {
      const ann = await stage.user("ann");
      const home = address();
      expectStatus(await login(ann.username, ann.password, home), 200);
      const attempts = [];
      for (let n = 0; n < 8; n++) attempts.push(await login(ann.username, "not-hers", address()));
      const unknown = [];
      for (let n = 0; n < 8; n++) unknown.push(await login("nobody-of-that-name", "not-hers", address()));
      for (const answers of [attempts, unknown]) {
        expect(answers.slice(0, 6).map(({ status }) => status)).toEqual(Array(6).fill(401));
        expect(answers.slice(6).map(({ status }) => status)).toContain(429);
      }
      const refused = attempts.find(({ status }) => status === 429);
      expect(refused?.body).toMatchObject({ code: "RATE_LIMITED", status: 429 });
      expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(0);
      expect((await ann.get("/api/users/me")).status).toBe(200);
      expect((await stage.nobody.post("/api/auth/refresh", { refreshToken: ann.refreshToken })).status).toBe(200);
      expectStatus(await login(ann.username, ann.password, home), 200);
    },
  );

  test("that were hit are in the audit log, once (S63: REST)", async () => {
    const from = address();
    for (let n = 0; n < 35; n++) await login(unique("nobody"), "x", from);
    const own = await eventually(
      "it is recorded",
      async () => {
        const { items } = (await stage.admin.get("/api/audit?type=limit.hit&limit=100")).body;
        // The proxy of a cluster tells its own view of who we are.
        return items.filter(({ address: at }: { address: string }) => [from, "127.0.0.1"].includes(at)) as Body[];
      },
      ({ length }) => length > 0,
    );
    expect(own.length).toBeLessThanOrEqual(2);
    for (const record of own)
      expect(record).toMatchObject({ actor: null, result: "refused", detail: { what: "POST /auth/login" } });
  });
});

describeEmbedded("the client's address, on every door", () => {
  const OPEN = 2;

  test.each([
    ["nobody", undefined, 429],
    ["the proxy", "127.0.0.1", 200],
  ])("is what it is said to be only where %s is believed", async (_, proxies, expected) => {
    const env = {
      RATE_LIMIT: "on",
      LIMIT_SOCKETS_PER_ADDRESS: String(OPEN),
      ...(proxies && { TRUSTED_PROXIES: proxies }),
    };
    const server = await startServer({ env });
    const stage = await Stage.on(server);
    const ann: Client = await stage.user("ann");
    let host = 0;
    const said = () => ({ "x-forwarded-for": `198.51.100.${++host}`, forwarded: `for=198.51.100.${host}` });
    const open: Visitor[] = [];
    const native = WEB_SOCKETS[0] as (typeof WEB_SOCKETS)[number];
    for (let n = 0; n < OPEN; n++) open.push(await visit(native, server.url, ann, said()));
    const found: [string, number][] = [];
    for (const door of WEB_SOCKETS) {
      const status = await visit(door, server.url, ann, said()).then(
        visitor => (open.push(visitor), 200),
        (error: Error) => Number(error.message),
      );
      found.push([door.name, status]);
    }
    for (const door of REQUESTS) found.push([door.name, await knock(door, server.url, ann, said())]);
    expect(found).toEqual([...WEB_SOCKETS, ...REQUESTS].map(({ name }) => [name, expected]));
    for (const { socket } of open) socket.terminate();
    await server.end();
  });
});
