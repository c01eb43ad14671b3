import { request, type IncomingHttpHeaders } from "node:http";
import { Stage, type Client } from "../support/client";
import { describeEmbedded, startServer } from "../support/server";

interface Case {
  what: string;
  method?: string;
  path: string;
  /** Not signed in. */
  stranger?: true;
  body?: string;
  headers?: Record<string, string>;
  status: number | number[];
  /** Holds nothing that is somebody's. */
  open?: true;
}

const upgrade = (origin?: string): Record<string, string> => ({
  ...{ connection: "Upgrade", upgrade: "websocket" },
  ...{ "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" },
  ...(origin !== undefined && { origin }),
});
const FOREIGN = "https://evil.example";

/** Every kind of answer on every door. */
const CASES: readonly Case[] = [
  { what: "an answer", path: "/api/users/me", status: 200 },
  { what: "an answer without its body", method: "HEAD", path: "/api/users/me", status: 200 },
  { what: "nobody's answer", path: "/api/config", stranger: true, status: 200 },
  { what: "the health", path: "/api/health", stranger: true, status: 200 },
  { what: "a document", path: "/api/openapi.json", stranger: true, status: 200 },
  { what: "an export", path: "/api/users/{me}/export", status: 200 },
  { what: "a file", path: "{file}", status: 200 },
  { what: "nothing", method: "POST", path: "/api/auth/logout", stranger: true, body: "{", status: 400 },
  { what: "no token", path: "/api/users/me", stranger: true, status: 401 },
  {
    what: "a wrong password",
    method: "POST",
    path: "/api/auth/login",
    stranger: true,
    body: '{"username":"x","password":"y"}',
    status: 401,
  },
  { what: "no right", path: "/api/audit", status: 403 },
  { what: "no such path", path: "/api/nonsense", status: 404 },
  { what: "a wrong method", method: "PUT", path: "/api/users/me", status: [404, 405] },
  { what: "a wrong field", method: "PATCH", path: "/api/users/me", body: '{"roles":[]}', status: 422 },
  { what: "a preflight", method: "OPTIONS", path: "/api/users/me", stranger: true, status: 204 },
  { what: "the documentation", path: "/api/docs", stranger: true, status: 200, open: true },
  { what: "the page", path: "/", stranger: true, status: 200, open: true },
  { what: "no such page", path: "/nonsense", stranger: true, status: 404, open: true },
  { what: "negotiation", method: "POST", path: "/hubs/chat/negotiate?negotiateVersion=1", status: 200 },
  {
    what: "negotiation without a token",
    method: "POST",
    path: "/hubs/chat/negotiate?negotiateVersion=1",
    stranger: true,
    status: 401,
  },
  { what: "the hub's preflight", method: "OPTIONS", path: "/hubs/chat/negotiate", stranger: true, status: 204 },
  { what: "polling", path: "/socket.io/?EIO=4&transport=polling", stranger: true, status: 200 },
  {
    what: "polling of a session that is not there",
    path: "/socket.io/?EIO=4&transport=polling&sid=x",
    stranger: true,
    status: 400,
  },
  { what: "a stream", path: "/stream", status: 200 },
  { what: "a stream without a token", path: "/stream", stranger: true, status: 401 },
  { what: "a socket for another origin", path: "/ws", headers: upgrade(FOREIGN), status: 403 },
  { what: "a hub's socket for another origin", path: "/hubs/chat", headers: upgrade(FOREIGN), status: 403 },
  { what: "a hub's socket without a token", path: "/hubs/chat", headers: upgrade(), stranger: true, status: 401 },
  {
    what: "a socket where there is none",
    path: "/nonsense",
    headers: upgrade(),
    stranger: true,
    status: 404,
    // In a cluster it is the page that is not there.
    open: true,
  },
];

describe("headers", () => {
  let stage: Stage;
  let ann: Client;
  let file: string;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    ann = await stage.user("ann");
    const made = await ann.raw("POST", "/api/files?name=a.html", "<b>hello</b>", { "content-type": "text/html" });
    file = made.body.url;
  });
  afterAll(() => stage.end());

  /** Status and headers as they come, whatever becomes of the connection. */
  const ask = ({ method = "GET", path, stranger, body, headers }: Omit<Case, "what" | "status">, origin?: string) =>
    new Promise<{ status: number; headers: IncomingHttpHeaders }>((resolve, reject) => {
      const sent = request(`${stage.server.url}${path.replace("{me}", ann.id).replace("{file}", file)}`, {
        method,
        agent: false,
        headers: {
          ...(!stranger && { authorization: `Bearer ${ann.token}` }),
          ...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
          ...headers,
          ...(origin !== undefined && { origin }),
        },
      });
      sent.on("response", answer => {
        resolve({ status: answer.statusCode as number, headers: answer.headers });
        answer.destroy();
      });
      sent.on("upgrade", (_, socket) => (socket.destroy(), reject(new Error("it was upgraded"))));
      sent.on("error", reject);
      sent.end(body);
    });

  test.each(CASES)("of $what: $path (S64: REST, native, SignalR, Socket.IO, stream, files)", async one => {
    const { status, headers } = await ask(one);
    expect([one.status].flat()).toContain(status);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["referrer-policy"]).toBe("no-referrer");
    expect(headers["content-security-policy"]).toMatch(/^(default-src 'none'|sandbox)/);
    expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    expect(headers["strict-transport-security"]).toBeUndefined();
    expect(headers["x-powered-by"] ?? headers.server ?? "").not.toMatch(/uWebSockets|express|moleculer|node/i);
    // A file may be kept by the browser of whoever was let see it, for five minutes.
    if (!one.open) expect(headers["cache-control"]).toMatch(one.path === "{file}" ? /^private/ : /no-store/);
  });

  test.each(CASES.filter(({ headers }) => !headers))(
    "of $what are nothing to a foreign page (S64: REST, SignalR, Socket.IO, stream, files)",
    async one => {
      const { headers } = await ask(one, FOREIGN);
      expect(headers["access-control-allow-origin"]).toBeUndefined();
      expect(headers["access-control-allow-methods"]).toBeUndefined();
      const own = await ask(one, new URL(stage.server.url).origin);
      expect(own.headers["access-control-allow-origin"] ?? new URL(stage.server.url).origin).toBe(
        new URL(stage.server.url).origin,
      );
    },
  );

  test.each(["/", "/api/users/me", "/stream", "/hubs/chat", "/socket.io/", "/ws"])(
    "TRACE %s tells nobody what was asked (S64: REST, native, SignalR, Socket.IO, stream)",
    async path => {
      const { status, headers } = await ask({ method: "TRACE", path, headers: { "x-secret": "canary" } });
      expect([400, 404, 405]).toContain(status);
      expect(headers["content-type"]).not.toContain("message/http");
    },
  );
});

describeEmbedded("behind a proxy that encrypts", () => {
  test.each(["127.0.0.1", ""])(
    "with TRUSTED_PROXIES=%s browsers are told to come encrypted only if it is believed",
    async proxies => {
      const server = await startServer({ env: { ...(proxies && { TRUSTED_PROXIES: proxies }) } });
      const doors = ["/api/config", "/", "/api/nonsense", "/stream", "/hubs/chat/negotiate", "/ws", "/socket.io/"];
      const told: Record<string, string | null> = {};
      for (const path of doors) {
        const answer = await fetch(server.url + path, { headers: { "x-forwarded-proto": "https" } });
        await answer.body?.cancel();
        told[path] = answer.headers.get("strict-transport-security");
      }
      expect(told).toEqual(Object.fromEntries(doors.map(path => [path, proxies ? "max-age=31536000" : null])));
      await server.end();
    },
  );
});
