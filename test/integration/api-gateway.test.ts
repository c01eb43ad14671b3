import { existsSync } from "node:fs";
import { request as httpRequest, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { SERVICE_NAMES } from "../../config/variables";
import { platformOf } from "../../config/platform";
import ApiGateway from "../../services/api-gateway/api-gateway.service";
import { ROUTES } from "../../services/api-gateway/routes";
import { LIMITS } from "../../services/core/limits";
import type { Identity } from "../../services/core/model";
import { identity, startNode, stopNode, until } from "../support/broker";
import { rawHttp } from "../support/raw-socket";
import { Stubs } from "./api-gateway.stubs";

const ALONE = { PORT: "0", SERVICES: SERVICE_NAMES.filter(name => name !== "ws-gateway").join(",") };

interface Gateway {
  broker: ServiceBroker;
  stubs: Stubs;
  port: number;
  origin: string;
  token(user?: Identity): string;
  /** A request to REST; `as` null: without a token. */
  rest(method: string, path: string, options?: RestOptions): Promise<Answer>;
}
interface RestOptions {
  as?: string | null;
  json?: unknown;
  body?: string | Uint8Array | FormData;
  headers?: Record<string, string>;
}
interface Answer {
  status: number;
  headers: Headers;
  text: string;
  json: Record<string, unknown>;
}

async function start(env: Record<string, string> = {}): Promise<Gateway> {
  const stubs = new Stubs();
  const broker = await startNode({ services: [...stubs.services, ApiGateway], env: { ...ALONE, ...env } });
  const server = (broker.getLocalService("api-gateway") as unknown as { server: Server }).server;
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  const token = (user = identity()): string => platformOf(broker).tokens.sign(user, 0);
  const own = token();
  return {
    broker,
    stubs,
    port,
    origin,
    token,
    async rest(method, path, { as = own, json, body, headers } = {}) {
      const answer = await fetch(`${origin}/api${path}`, {
        method,
        headers: {
          ...(as !== null && { Authorization: `Bearer ${as}` }),
          ...(json !== undefined && { "Content-Type": "application/json" }),
          ...headers,
        },
        body: json === undefined ? (body as never) : JSON.stringify(json),
      });
      const text = await answer.text();
      const isJson = text !== "" && /json/.test(answer.headers.get("content-type") ?? "");
      return {
        status: answer.status,
        headers: answer.headers,
        text,
        json: (isJson ? JSON.parse(text) : {}) as Record<string, unknown>,
      };
    },
  };
}

let gateway: Gateway;
beforeAll(async () => {
  gateway = await start({ RATE_LIMIT: "count" });
});

const refused = (answer: Answer): [number, unknown] => {
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  return [answer.status, answer.json.code];
};

describe("routes", () => {
  it("answers 200 with what the action gave", async () => {
    const answer = await gateway.rest("GET", "/users/me");
    expect([answer.status, answer.json.id]).toEqual([200, "me"]);
    expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
  });

  it("answers 201 with the place of what was made, and 200 for a repeat", async () => {
    const first = await gateway.rest("POST", "/channels/c/messages", { json: { text: "x" } });
    expect([first.status, first.headers.get("location")]).toEqual([201, "/api/messages/message-1"]);
    const again = await gateway.rest("POST", "/channels/c/messages", { json: { text: "x", clientId: "again" } });
    expect([again.status, again.headers.get("location")]).toEqual([200, null]);
  });

  it("answers 204 without a body", async () => {
    const answer = await gateway.rest("POST", "/channels/c/join");
    expect([answer.status, answer.text, answer.headers.get("content-type")]).toEqual([204, "", null]);
  });

  it("takes parameters from path, query and body", async () => {
    await gateway.rest("DELETE", "/channels/c/members/u%2F1");
    expect(gateway.stubs.last.params).toEqual({ id: "c", userId: "u/1" });
    await gateway.rest("GET", "/channels/c/messages?before=7&limit=2");
    expect(gateway.stubs.last.params).toEqual({ id: "c", before: 7, limit: 2 });
    await gateway.rest("PUT", `/messages/m/reactions/${encodeURIComponent("👍🏽")}`);
    expect(gateway.stubs.last.params).toEqual({ id: "m", emoji: "👍🏽" });
    await gateway.rest("PATCH", "/users/u1", { json: { roles: ["Admin"] } });
    expect(gateway.stubs.last.params).toEqual({ id: "u1", roles: ["Admin"] });
  });

  it("serves conversations as it serves channels", async () => {
    await gateway.rest("POST", "/conversations/c/read", { json: { seq: 3 } });
    expect(gateway.stubs.last).toMatchObject({ action: "messages.read", params: { id: "c", seq: 3 } });
  });

  it("answers HEAD like GET, without the body", async () => {
    const answer = await gateway.rest("HEAD", "/users/me");
    expect([answer.status, answer.text]).toEqual([200, ""]);
    expect((await gateway.rest("HEAD", "/users/me", { as: null })).status).toBe(401);
  });

  it("gives every described route something else than not found without a token", async () => {
    const { json } = await gateway.rest("GET", "/openapi.json", { as: null });
    const paths = json.paths as Record<string, Record<string, unknown>>;
    let asked = 0;
    for (const [path, item] of Object.entries(paths)) {
      for (const method of Object.keys(item)) {
        const filled = path
          .slice("/api".length)
          .replace("{file}", "start.js")
          .replace(/\{\w+\}/g, "x");
        const { status } = await gateway.rest(method.toUpperCase(), filled, { as: null });
        expect([method, path, [200, 400, 401, 422, 503].includes(status)]).toEqual([method, path, true]);
        asked += 1;
      }
    }
    expect(asked).toBe(ROUTES.length);
  });

  it.each([
    ["DELETE", "/auth/login"],
    ["POST", "/users/me"],
    ["PUT", "/channels"],
    ["PATCH", "/health"],
    ["GET", "/auth/login"],
  ])("does not find %s %s", async (method, path) => {
    expect(refused(await gateway.rest(method, path))).toEqual([404, "NOT_FOUND"]);
  });

  it.each([
    "/users/u1/record",
    "/users.record?id=x",
    "/auth/revocations?after=0",
    "/~node/list",
    "/$node/options",
    "/%24node/list",
    "/api-gateway/rest",
    "/api-gateway/listAliases",
    "/list-aliases",
    "/rooms/get?id=x",
    "/",
    "",
  ])("reaches no action by name: %s", async path => {
    const before = gateway.stubs.seen.length;
    expect(refused(await gateway.rest("GET", path))).toEqual([404, "NOT_FOUND"]);
    expect(refused(await gateway.rest("POST", path, { json: {} }))).toEqual([404, "NOT_FOUND"]);
    expect(gateway.stubs.seen).toHaveLength(before);
  });

  it("knows one spelling of a path", async () => {
    const upper = await fetch(`${gateway.origin}/API/users/me`);
    const encoded = await fetch(`${gateway.origin}/%61pi/users/me`);
    expect([upper.status, encoded.status]).toEqual([404, 404]);
    expect(refused(await gateway.rest("GET", "/Users/me"))).toEqual([404, "NOT_FOUND"]);
  });

  it("says UNAVAILABLE with Retry-After while a service is missing", async () => {
    const answer = await gateway.rest("GET", "/unread");
    expect(refused(answer)).toEqual([503, "UNAVAILABLE"]);
    expect(answer.headers.get("retry-after")).toBe("1");
  });

  it("does not act on a preflight, whatever method it asks for", async () => {
    const before = gateway.stubs.seen.length;
    const answer = await gateway.rest("OPTIONS", "/users/u1", {
      headers: { Origin: gateway.origin, "Access-Control-Request-Method": "DELETE" },
    });
    expect(answer.status).toBe(204);
    expect(gateway.stubs.seen).toHaveLength(before);
  });
});

describe("who is calling", () => {
  it.each([
    ["no token", {}],
    ["not a token", { Authorization: "Bearer x.y.z" }],
    ["another scheme", { Authorization: "Basic dXNlcjpwdw==" }],
    ["nothing after Bearer", { Authorization: "Bearer" }],
    ["a very long token", { Authorization: `Bearer ${"a.".repeat(4_000)}` }],
  ])("refuses %s", async (_, headers) => {
    expect(refused(await gateway.rest("GET", "/users/me", { as: null, headers }))).toEqual([401, "UNAUTHENTICATED"]);
  });

  it("hands the verified identity and the address on, and nothing a client claims", async () => {
    const me = identity();
    await gateway.rest("GET", "/users/me", { as: gateway.token(me), headers: { "X-User": "admin" } });
    expect(gateway.stubs.last.meta).toMatchObject({ user: me, address: "127.0.0.1" });
    expect(Object.isFrozen(gateway.stubs.last.meta.user)).toBe(true);
    expect(Object.isFrozen(gateway.stubs.last.meta.user?.permissions)).toBe(true);
  });

  it("does not let a callee change who calls next", async () => {
    const me = identity();
    const as = gateway.token(me);
    await gateway.rest("GET", "/users/thief", { as });
    await gateway.rest("GET", "/users/me", { as });
    expect(gateway.stubs.last.meta.user).toEqual(me);
  });

  it("leaves permissions to the action's policy", async () => {
    const json = { name: "news" };
    expect(refused(await gateway.rest("POST", "/channels", { json }))).toEqual([403, "FORBIDDEN"]);
    const moderator = gateway.token(identity(undefined, ["Moderator"]));
    expect((await gateway.rest("POST", "/channels", { json, as: moderator })).status).toBe(201);
  });

  it("does not look at the token where none is needed", async () => {
    const json = { username: "ann", email: "ann@example.com", password: "12345678" };
    const answer = await gateway.rest("POST", "/auth/register", { as: "bad", json });
    expect([answer.status, answer.headers.get("location")]).toEqual([201, "/api/users/u1"]);
    expect(gateway.stubs.last.meta.user).toBeUndefined();
    expect((await gateway.rest("GET", "/config", { as: "bad" })).status).toBe(200);
  });

  it("logs out with either token, and not with a bad one alone", async () => {
    const logout = (options: RestOptions): Promise<Answer> => gateway.rest("POST", "/auth/logout", options);
    expect((await logout({})).status).toBe(204);
    expect((await logout({ as: "bad", json: { refreshToken: "r" } })).status).toBe(204);
    expect(refused(await logout({ as: "bad" }))).toEqual([401, "UNAUTHENTICATED"]);
    expect(refused(await logout({ as: null, json: {} }))).toEqual([401, "UNAUTHENTICATED"]);
  });

  it("refuses a token as soon as its session is revoked", async () => {
    const me = identity();
    const as = gateway.token(me);
    expect((await gateway.rest("GET", "/users/me", { as })).status).toBe(200);
    gateway.stubs.revocations.push({ n: 1, session: me.sid });
    await gateway.broker.broadcast("auth.revoked", { items: [{ n: 1, session: me.sid }] });
    expect(refused(await gateway.rest("GET", "/users/me", { as }))).toEqual([401, "UNAUTHENTICATED"]);
  });

  it("catches up with a revocation whose broadcast it missed", async () => {
    const me = identity();
    const as = gateway.token(me);
    gateway.stubs.revocations.push({ n: 2, session: me.sid }, { n: 3, session: "another" });
    await gateway.broker.broadcast("auth.revoked", { items: [{ n: 3, session: "another" }] });
    await until(async () => (await gateway.rest("GET", "/users/me", { as })).status === 401);
  });

  it("takes no token while it cannot know what was revoked", async () => {
    const broker = await startNode({ services: [ApiGateway], env: ALONE });
    const server = (broker.getLocalService("api-gateway") as unknown as { server: Server }).server;
    const { port } = server.address() as AddressInfo;
    const headers = { Authorization: `Bearer ${platformOf(broker).tokens.sign(identity(), 0)}` };
    const answer = await fetch(`http://127.0.0.1:${port}/api/users/me`, { headers });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([503, "UNAVAILABLE"]);
    await stopNode(broker);
  });
});

describe("request ids", () => {
  it("takes a harmless one for the whole chain of calls", async () => {
    const answer = await gateway.rest("GET", "/users/me", { headers: { "X-Request-Id": "abc-123" } });
    expect(answer.headers.get("x-request-id")).toBe("abc-123");
    expect(gateway.stubs.last.requestID).toBe("abc-123");
  });

  it.each(["", "a b", "x".repeat(65), "<script>", "a;b", "\u001b[31m".replace("\u001b", "%1b")])(
    "makes its own instead of %j",
    async told => {
      const headers = { "X-Request-Id": told, "X-Correlation-Id": told };
      const answer = await gateway.rest("GET", "/users/me", { headers });
      expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
      expect(gateway.stubs.last.requestID).toBe(answer.headers.get("x-request-id"));
    },
  );

  it("is on errors, pages and preflights too", async () => {
    for (const path of ["/api/nothing", "/nothing", "/api/health"]) {
      expect((await fetch(gateway.origin + path)).headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});

describe("the log", () => {
  /** What the gateway logs while `run` runs. */
  async function logged(run: () => Promise<unknown>): Promise<{ info: unknown[][]; error: unknown[][] }> {
    const { logger } = gateway.broker.getLocalService("api-gateway") as unknown as { logger: Record<string, unknown> };
    const lines = { info: [] as unknown[][], error: [] as unknown[][] };
    const { info, error } = logger;
    logger.info = (...line: unknown[]) => lines.info.push(line);
    logger.error = (...line: unknown[]) => lines.error.push(line);
    try {
      await run();
      await until(() => lines.info.length > 0);
      return lines;
    } finally {
      Object.assign(logger, { info, error });
    }
  }

  it("has one line for a request: who asked for what, no query, no token, no body", async () => {
    const me = identity();
    const as = gateway.token(me);
    const lines = await logged(() =>
      gateway.rest("GET", "/users?search=findme", { as, headers: { "X-Request-Id": "r-1" } }),
    );
    expect(lines.info).toEqual([
      [
        "request",
        { method: "GET", path: "/api/users", status: 200, ms: expect.any(Number), requestId: "r-1", userId: me.id },
      ],
    ]);
    const login = { as: null, json: { username: "ann", password: "hunter2" } };
    const { info } = await logged(() => gateway.rest("POST", "/auth/login", login));
    expect(info).toMatchObject([["request", { path: "/api/auth/login", status: 401 }]]);
    expect(JSON.stringify(info)).not.toMatch(/hunter2|ann/);
  });

  it("has an unexpected error once, under the id the client was given", async () => {
    const lines = await logged(() => gateway.rest("GET", "/users/boom", { headers: { "X-Request-Id": "r-2" } }));
    expect(lines.error).toHaveLength(1);
    expect(lines.error[0]?.[0]).toContain("r-2");
    expect(lines.error[0]?.[1]).toMatchObject({ message: "boom secret" });
  });
});

describe("hostile input", () => {
  const send = (options: RestOptions, path = "/channels/c/messages"): Promise<Answer> =>
    gateway.rest("POST", path, options);
  const jsonText = (body: string): RestOptions => ({ body, headers: { "Content-Type": "application/json" } });

  it.each([
    ["broken JSON", jsonText('{"text":'), 400, "BAD_REQUEST"],
    [
      "bytes that are no UTF-8",
      { ...jsonText(""), body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]) },
      400,
      "BAD_REQUEST",
    ],
    [
      "a form",
      { body: "text=x", headers: { "Content-Type": "application/x-www-form-urlencoded" } },
      400,
      "BAD_REQUEST",
    ],
    ["JSON without its name", { body: '{"text":"x"}', headers: { "Content-Type": "text/plain" } }, 400, "BAD_REQUEST"],
    ["an array", jsonText('[{"text":"x"}]'), 422, "INVALID"],
    ["a text", jsonText('"text"'), 422, "INVALID"],
    ["null", jsonText("null"), 422, "INVALID"],
    ["__proto__", jsonText('{"text":"x","__proto__":{"isAdmin":true}}'), 422, "INVALID"],
    ["an escaped __proto__", jsonText('{"text":"x","\\u005f_proto__":{"isAdmin":true}}'), 422, "INVALID"],
    ["constructor", jsonText('{"text":"x","constructor":{"prototype":{"isAdmin":true}}}'), 422, "INVALID"],
    ["__proto__ deep inside", jsonText('{"text":"x","metadata":{"a":{"__proto__":{"b":1}}}}'), 422, "INVALID"],
    ["an operator inside", jsonText('{"text":"x","metadata":{"$where":"1"}}'), 422, "INVALID"],
    ["an operator in place of a text", jsonText('{"text":{"$ne":null}}'), 422, "INVALID"],
    ["$params", jsonText('{"text":"x","$params":{}}'), 422, "INVALID"],
    ["$req", jsonText('{"text":"x","$req":{}}'), 422, "INVALID"],
    ["an unknown field", jsonText('{"text":"x","senderId":"u2"}'), 422, "INVALID"],
    ["a key of the path", jsonText('{"text":"x","id":"other"}'), 422, "INVALID"],
    ["a missing field", jsonText("{}"), 422, "INVALID"],
    ["a missing body", {}, 422, "INVALID"],
    [
      "10,000 levels of arrays",
      jsonText(`{"text":"x","metadata":${"[".repeat(1e4)}${"]".repeat(1e4)}}`),
      422,
      "INVALID",
    ],
    ["10,000 levels of objects", jsonText(`${'{"a":'.repeat(1e4)}1${"}".repeat(1e4)}`), 422, "INVALID"],
    ["1 MiB", jsonText(JSON.stringify({ text: "x".repeat(1024 * 1024) })), 413, "TOO_LARGE"],
  ])("refuses %s", async (_, options, status, code) => {
    const before = gateway.stubs.seen.length;
    expect(refused(await send(options as RestOptions))).toEqual([status, code]);
    expect(gateway.stubs.seen).toHaveLength(before);
    expect(({} as Record<string, unknown>).isAdmin).toBeUndefined();
  });

  it("refuses a body without a declared length once it is too large, and none of it is kept", async () => {
    const chunk = `${"x".repeat(0x4000)}\r\n`;
    const head =
      `POST /api/channels/c/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${gateway.token()}\r\n` +
      "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    const answer = await rawHttp(gateway.port, head + `4000\r\n${chunk}`.repeat(6), text => text.includes("}"));
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it("takes a body of the full size", async () => {
    const text = "x".repeat(LIMITS.frame - '{"text":""}'.length);
    expect((await send({ json: { text } })).status).toBe(201);
  });

  it("does not read the body of a stranger", async () => {
    expect(refused(await send({ ...jsonText("{"), as: null }))).toEqual([401, "UNAUTHENTICATED"]);
  });

  it.each([
    "/users?search[$ne]=1",
    "/users?search[]=1",
    "/users?search=1&search=2",
    "/users?__proto__[isAdmin]=1",
    "/users?query=%7B%7D",
    "/users?page=1.5",
    "/users?page=-1",
    "/users?page=1e3",
    "/users?page=",
    "/users/me?page=1",
    "/channels/c?id=other",
  ])("refuses the query of %s", async path => {
    const before = gateway.stubs.seen.length;
    expect(refused(await gateway.rest("GET", path))).toEqual([422, "INVALID"]);
    expect(gateway.stubs.seen).toHaveLength(before);
  });

  it.each(["/users/%zz", "/users/%c3%28", "/users?search=%zz"])("calls %s not well-formed", async path => {
    expect(refused(await gateway.rest("GET", path))).toEqual([400, "BAD_REQUEST"]);
  });

  it("names the field that is wrong, never its value", async () => {
    const json = { username: "ann", email: "ann@example.com", password: "hunter2" };
    const answer = await gateway.rest("POST", "/auth/register", { as: null, json });
    expect(refused(answer)).toEqual([422, "INVALID"]);
    expect(answer.json.errors).toMatchObject([{ field: "password" }]);
    expect(answer.text).not.toContain("hunter2");
  });

  it("tells nothing of an unexpected error", async () => {
    const answer = await gateway.rest("GET", "/users/boom");
    expect(refused(answer)).toEqual([500, "INTERNAL"]);
    expect(answer.text).not.toMatch(/boom|secret|TypeError|stack|node/);
    expect(answer.json).toEqual({
      type: "about:blank",
      title: "Something went wrong here",
      status: 500,
      code: "INTERNAL",
    });
  });

  it("lets no header through that was split by line breaks", async () => {
    const answer = await rawHttp(
      gateway.port,
      "GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: a\rX-Evil: 1\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).not.toContain("Evil");
    const encoded = await gateway.rest("GET", "/users/%0d%0aX-Evil:%201");
    expect(encoded.headers.get("x-evil")).toBeNull();
  });

  it("refuses headers without bounds, and a request with two lengths", async () => {
    const head = `GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`;
    expect(await rawHttp(gateway.port, head)).toMatch(/^HTTP\/1\.1 431 /);
    const smuggled =
      "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    expect(await rawHttp(gateway.port, smuggled)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it("bounds the time a head and a body may take", () => {
    const { server } = gateway.broker.getLocalService("api-gateway") as unknown as { server: Server };
    expect([server.headersTimeout, server.requestTimeout, server.timeout]).toEqual([10_000, 600_000, 120_000]);
  });
});

describe("rate limits", () => {
  let limited: Gateway;
  beforeAll(async () => {
    limited = await start({ LIMIT_SIGN_INS_PER_MINUTE: "3", LIMIT_REQUESTS_PER_MINUTE: "20" });
  });
  const login = { json: { username: "ann", password: "wrong" }, as: null };

  it("counts by user, tells in headers, and refuses over the limit with Retry-After", async () => {
    const as = limited.token();
    const first = await limited.rest("GET", "/users/me", { as });
    expect(first.headers.get("ratelimit-limit")).toBe("20");
    expect(first.headers.get("ratelimit-remaining")).toBe("19");
    expect(Number(first.headers.get("ratelimit-reset"))).toBeGreaterThan(50);
    for (let i = 0; i < 19; i += 1) expect((await limited.rest("GET", "/users/me", { as })).status).toBe(200);
    const over = await limited.rest("GET", "/users/me", { as });
    expect(refused(over)).toEqual([429, "RATE_LIMITED"]);
    expect(Number(over.headers.get("retry-after"))).toBeGreaterThan(50);
    expect((await limited.rest("GET", "/users/me", { as: limited.token() })).status).toBe(200);
  });

  it("counts sign-ins and registrations together by address, which nobody can forge", async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      const headers = { "X-Forwarded-For": `198.51.100.${i}`, "X-Real-IP": `198.51.100.${i}`, Forwarded: `for=${i}` };
      const path = i === 1 ? "/auth/register" : "/auth/login";
      statuses.push((await limited.rest("POST", path, { ...login, headers })).status);
    }
    expect(statuses).toEqual([401, 422, 401, 429, 429]);
    expect(limited.stubs.last.meta.address).toBe("127.0.0.1");
  });

  it("answers the health check whatever the limits say", async () => {
    for (let i = 0; i < 30; i += 1) await limited.rest("GET", "/config", { as: null });
    expect((await limited.rest("GET", "/config", { as: null })).status).toBe(429);
    expect((await limited.rest("GET", "/health", { as: null })).status).toBe(503);
  });

  it("believes a configured proxy, and refuses nobody in mode count", async () => {
    const behind = await start({ TRUSTED_PROXIES: "127.0.0.1", LIMIT_SIGN_INS_PER_MINUTE: "1", RATE_LIMIT: "count" });
    const headers = { "X-Forwarded-For": "1.2.3.4, 198.51.100.7" };
    for (let i = 0; i < 3; i += 1) {
      const answer = await behind.rest("POST", "/auth/login", { ...login, headers });
      expect([answer.status, answer.headers.get("ratelimit-limit")]).toEqual([401, "1"]);
    }
    expect(behind.stubs.last.meta.address).toBe("198.51.100.7");
    const https = await behind.rest("GET", "/config", { headers: { "X-Forwarded-Proto": "https" } });
    expect(https.headers.get("strict-transport-security")).toMatch(/max-age/);
    await stopNode(behind.broker);
  });

  it("does neither in mode off", async () => {
    const off = await start({ LIMIT_REQUESTS_PER_MINUTE: "1", RATE_LIMIT: "off" });
    for (let i = 0; i < 3; i += 1) {
      const answer = await off.rest("GET", "/users/me");
      expect([answer.status, answer.headers.get("ratelimit-limit")]).toEqual([200, null]);
    }
    await stopNode(off.broker);
  });
});

describe("browsers", () => {
  it("gives every surface its headers", async () => {
    const [api, page, docs] = await Promise.all(
      ["/api/config", "/nothing", "/api/docs"].map(path => fetch(gateway.origin + path)),
    );
    for (const answer of [api, page, docs]) {
      expect(answer?.headers.get("x-content-type-options")).toBe("nosniff");
      expect(answer?.headers.get("referrer-policy")).toBe("no-referrer");
      expect(answer?.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
      expect(answer?.headers.get("content-security-policy")).not.toContain("unsafe");
      expect(answer?.headers.get("strict-transport-security")).toBeNull();
    }
    expect(api?.headers.get("cache-control")).toBe("no-store");
    expect(page?.headers.get("content-security-policy")).toContain("connect-src 'self' ws: wss:");
  });

  it("lets no word of a stranger make it believe in https", async () => {
    const answer = await gateway.rest("GET", "/config", { headers: { "X-Forwarded-Proto": "https" } });
    expect(answer.headers.get("strict-transport-security")).toBeNull();
  });

  it("lets listed origins and its own read answers, nobody else", async () => {
    const open = await start({ ALLOWED_ORIGINS: "https://app.example.com" });
    const allowed = async (origin: string): Promise<string | null> => {
      const answer = await open.rest("GET", "/config", { headers: { Origin: origin } });
      expect(answer.headers.get("vary")).toContain("Origin");
      expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
      return answer.headers.get("access-control-allow-origin");
    };
    expect(await allowed("https://app.example.com")).toBe("https://app.example.com");
    expect(await allowed(open.origin)).toBe(open.origin);
    for (const origin of [
      "https://app.example.com.evil.example",
      "https://app.example.co",
      "https://app",
      "http://app.example.com",
      "https://app.example.com:8443",
      "null",
      "*",
    ]) {
      expect([origin, await allowed(origin)]).toEqual([origin, null]);
    }
    await stopNode(open.broker);
  });

  it("answers preflights so that browsers remember them, and lets them read errors", async () => {
    const headers = { Origin: gateway.origin, "Access-Control-Request-Method": "PATCH" };
    const preflight = await gateway.rest("OPTIONS", "/users/me", { as: null, headers });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-methods")).toContain("PATCH");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("Authorization");
    expect(Number(preflight.headers.get("access-control-max-age"))).toBeGreaterThan(0);
    const error = await gateway.rest("GET", "/users/me", { as: null, headers: { Origin: gateway.origin } });
    expect(error.headers.get("access-control-allow-origin")).toBe(gateway.origin);
    expect(error.headers.get("access-control-expose-headers")).toContain("Retry-After");
    const foreign = { ...headers, Origin: "https://evil.example" };
    const refusal = await gateway.rest("OPTIONS", "/users/me", { as: null, headers: foreign });
    expect(refusal.headers.get("access-control-allow-methods")).toBeNull();
  });
});

describe("files", () => {
  const form = (parts: Record<string, string | Blob>): FormData => {
    const data = new FormData();
    for (const [name, value] of Object.entries(parts)) {
      if (typeof value === "string") data.append(name, value);
      else data.append(name, value, "photo.png");
    }
    return data;
  };
  const kept = (): boolean => existsSync(join(gateway.stubs.folder, "file"));

  it("streams the first part called file, with the name before it", async () => {
    const body = form({ name: "holiday", other: "passed over", file: new Blob(["12345"], { type: "image/png" }) });
    const answer = await gateway.rest("POST", "/files", { body });
    expect([answer.status, answer.headers.get("location")]).toEqual([201, "/api/files/file"]);
    expect(gateway.stubs.last.params).toEqual({
      name: "holiday",
      $filename: "photo.png",
      $mimetype: "image/png",
      $fieldname: "file",
    });
    expect((await gateway.rest("GET", "/files/file")).text).toBe("12345");
  });

  it("streams a raw body, and gives the bytes back with the headers of the action", async () => {
    const bytes = Buffer.alloc(1_000_000, "abc");
    const headers = { "Content-Type": "application/x-thing" };
    const saved = await gateway.rest("POST", "/files?name=n%20m.bin", { body: bytes, headers });
    expect(saved.status).toBe(201);
    expect(gateway.stubs.last.params).toEqual({ name: "n m.bin", $mimetype: "application/x-thing" });
    const got = await gateway.rest("GET", "/files/file");
    expect(got.text === bytes.toString()).toBe(true);
    expect(got.headers.get("content-type")).toBe("text/plain");
    expect(got.headers.get("content-disposition")).toBe("attachment");
    expect(got.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("answers HEAD of a file without its bytes", async () => {
    await gateway.rest("POST", "/files", { body: "x" });
    const answer = await gateway.rest("HEAD", "/files/file");
    expect([answer.status, answer.text]).toEqual([200, ""]);
  });

  it("opens with a token or what the action takes for one, and refuses a bad token in any case", async () => {
    const open = (options: RestOptions, query = ""): Promise<Answer> =>
      gateway.rest("GET", `/files/file${query}`, options);
    expect((await open({ as: null }, "?expires=1&signature=good")).status).toBe(200);
    expect(refused(await open({ as: null }))).toEqual([401, "UNAUTHENTICATED"]);
    expect(refused(await open({ as: "bad" }, "?expires=1&signature=good"))).toEqual([401, "UNAUTHENTICATED"]);
    expect(refused(await gateway.rest("GET", "/files/..%2f..%2fetc%2fpasswd%00"))[0]).toBeGreaterThanOrEqual(400);
  });

  it("lets nobody upload without a token", async () => {
    const before = gateway.stubs.seen.length;
    expect(refused(await gateway.rest("POST", "/files", { as: null, body: "x" }))).toEqual([401, "UNAUTHENTICATED"]);
    expect(gateway.stubs.seen).toHaveLength(before);
  });

  it.each([
    ["no file", () => ({ body: form({ name: "x" }) }), 422, "INVALID"],
    ["a file by another name", () => ({ body: form({ other: new Blob(["x"]) }) }), 422, "INVALID"],
    ["no boundary", () => ({ body: "x", headers: { "Content-Type": "multipart/form-data" } }), 400, "BAD_REQUEST"],
    [
      "a part that does not end",
      () => ({
        body: '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf',
        headers: { "Content-Type": "multipart/form-data; boundary=b" },
      }),
      400,
      "BAD_REQUEST",
    ],
    [
      "what the action refuses before it reads",
      () => ({ body: form({ name: "refused", file: new Blob(["x"]) }) }),
      403,
      "FORBIDDEN",
    ],
  ] as [string, () => RestOptions, number, string][])("refuses %s", async (_, options, status, code) => {
    expect(refused(await gateway.rest("POST", "/files", options()))).toEqual([status, code]);
  });

  describe("over the limit", () => {
    let small: Gateway;
    beforeAll(async () => {
      small = await start({ LIMIT_FILE: "100000" });
    });
    const nothingKept = (): Promise<void> => until(() => !existsSync(join(small.stubs.folder, "file")));

    it("takes exactly the limit", async () => {
      expect((await small.rest("POST", "/files", { body: Buffer.alloc(100_000) })).status).toBe(201);
    });

    it("refuses a raw body by its length before anything is read", async () => {
      const before = small.stubs.seen.length;
      expect(refused(await small.rest("POST", "/files", { body: Buffer.alloc(100_001) }))).toEqual([413, "TOO_LARGE"]);
      expect(small.stubs.seen).toHaveLength(before);
    });

    it("refuses a part once it is over, and nothing is kept", async () => {
      const body = form({ file: new Blob([Buffer.alloc(400_000)]) });
      expect(refused(await small.rest("POST", "/files", { body }))).toEqual([413, "TOO_LARGE"]);
      await nothingKept();
    });

    it("refuses a body of unknown length once it is over, and nothing is kept", async () => {
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const headers = { Authorization: `Bearer ${small.token()}`, "Content-Type": "application/octet-stream" };
        const req = httpRequest(`${small.origin}/api/files`, { method: "POST", headers });
        req.on("response", res => resolve(res.resume().statusCode)).on("error", reject);
        for (let i = 0; i < 4; i += 1) req.write(Buffer.alloc(50_000));
        req.end();
      });
      expect(status).toBe(413);
      await nothingKept();
    });
  });

  it("keeps nothing of an upload whose client leaves half-way", async () => {
    await gateway.rest("POST", "/files", { body: "whole" });
    expect(kept()).toBe(true);
    const before = gateway.stubs.seen.length;
    const tcp = connect(gateway.port, "127.0.0.1");
    tcp.write(
      `POST /api/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${gateway.token()}\r\nContent-Length: 1000\r\n\r\nhalf`,
    );
    await until(() => gateway.stubs.seen.length > before);
    tcp.destroy();
    await until(() => !kept());
  });
});

describe("what the gateway answers itself", () => {
  it("is healthy only while every service and the store are there", async () => {
    const full = await start();
    const database = await platformOf(full.broker).database();
    const first = await full.rest("GET", "/health", { as: null });
    expect(first.status).toBe(503);
    expect(first.json).toMatchObject({
      status: "unavailable",
      checks: { store: "ok", rooms: "ok", presence: "down", "ws-gateway": "down" },
      version: expect.any(String),
      uptime: expect.any(Number),
    });
    for (const name of ["presence", "ws-gateway"]) full.broker.createService({ name });
    await until(async () => (await full.rest("GET", "/health", { as: null })).status === 200);
    expect((await full.rest("GET", "/health", { as: null })).json.status).toBe("ok");
    await database.close();
    await until(async () => (await full.rest("GET", "/health", { as: null })).status === 503);
    expect((await full.rest("GET", "/health", { as: null })).json).toMatchObject({ checks: { store: "down" } });
    await stopNode(full.broker);
  });

  it("tells limits and paths, no secret and nothing of how it runs", async () => {
    const { json, text } = await gateway.rest("GET", "/config", { as: null });
    expect(Object.keys(json).sort()).toEqual(["limits", "realtime", "signIn", "version"]);
    expect(json.limits).toEqual(LIMITS);
    expect(json.signIn).toEqual({ registration: "open", guests: false });
    expect(text).not.toContain(platformOf(gateway.broker).config.jwt.secret);
  });

  it("serves its documentation without scripts or styles from anywhere else", async () => {
    const page = await fetch(`${gateway.origin}/api/docs`);
    const html = await page.text();
    expect(page.headers.get("content-type")).toMatch(/^text\/html/);
    expect(html).not.toMatch(/<script>|<style|style=|https?:/);
    const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path as string);
    expect(parts).toHaveLength(4);
    for (const path of parts) {
      const part = await fetch(gateway.origin + path);
      expect([path, part.status, (await part.arrayBuffer()).byteLength > 50]).toEqual([path, 200, true]);
    }
    expect((await gateway.rest("GET", "/docs/package.json")).status).toBe(404);
    expect((await gateway.rest("GET", "/docs/..%2fpackage.json")).status).toBe(404);
  });
});

describe("pages", () => {
  it("gives plain not found for what is not there, and for other methods", async () => {
    const missing = await fetch(`${gateway.origin}/no-such-page`);
    expect([missing.status, missing.headers.get("content-type")]).toEqual([404, "text/plain; charset=utf-8"]);
    expect((await fetch(`${gateway.origin}/no-such-page`, { method: "POST", body: "x" })).status).toBe(404);
  });

  it.each([
    "/../package.json",
    "/..%2fpackage.json",
    "/%2e%2e/%2e%2e/package.json",
    "/..%5cpackage.json",
    "/.%00./package.json",
    "//../../package.json",
    "/./../../package.json",
    "/.git/config",
    "/.env",
  ])("serves nothing outside its folder: %s", async path => {
    const answer = await rawHttp(gateway.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 40[034] /);
    expect(answer).not.toMatch(/moleculer|repositoryformatversion/);
  });
});

describe("start and stop", () => {
  it("opens no port when a ws-gateway of the same process does: it offers its server and takes it back", async () => {
    const broker = await startNode({ services: [new Stubs().services[0], ApiGateway], env: { PORT: "0" } });
    const { server } = broker.getLocalService("api-gateway") as unknown as { server: Server };
    const { origin } = platformOf(broker);
    expect([server.listening, origin.server === server]).toEqual([false, true]);
    await stopNode(broker);
    expect(origin.server).toBeUndefined();
  });

  it("names the port that is taken", async () => {
    const port = String(gateway.port);
    await expect(startNode({ services: [ApiGateway], env: { ...ALONE, PORT: port } })).rejects.toMatchObject({
      expected: true,
      message: expect.stringContaining(port),
    });
  });

  it("takes connections no more once stopped, and finishes what is under way", async () => {
    const stopping = await start();
    const upload = httpRequest(`${stopping.origin}/api/files`, {
      method: "POST",
      headers: { Authorization: `Bearer ${stopping.token()}`, "Content-Length": 10 },
    });
    const answered = new Promise<number | undefined>(resolve => upload.on("response", res => resolve(res.statusCode)));
    upload.write("12345");
    await until(() => stopping.stubs.seen.length === 1);
    const stopped = stopNode(stopping.broker);
    upload.end("67890");
    expect(await answered).toBe(201);
    await stopped;
    await expect(fetch(`${stopping.origin}/api/config`)).rejects.toThrow();
  });

  it("does not start beside a service with an action without a policy", async () => {
    const bare = { name: "bare", actions: { act: { visibility: "published", handler: () => 1 } } };
    await expect(startNode({ services: [ApiGateway, bare], env: ALONE })).rejects.toThrow(
      /bare\.act declares no policy/,
    );
  });
});
