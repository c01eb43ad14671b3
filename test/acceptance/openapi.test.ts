import { execFileSync } from "node:child_process";
import { Stage, type Client } from "../support/client";
import type { Body } from "../support/rest";
import { ROOT, startServer } from "../support/server";

describe("the documents", () => {
  let stage: Stage;
  let ann: Client;
  let document: Body;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    ann = await stage.user("ann");
    document = (await stage.nobody.get("/api/openapi.json")).body;
  });
  afterAll(() => stage.end());

  test("openapi.json is a valid OpenAPI 3.1 document", async () => {
    expect(document.openapi).toMatch(/^3\.1/);
    expect(validate(document)).toEqual({ valid: true });
  });

  test("every documented route is there: it answers, and never NOT_FOUND for its path", async () => {
    const base: string = document.servers?.[0]?.url?.startsWith("/api") ? "/api" : "";
    for (const [path, operations] of Object.entries<Body>(document.paths))
      for (const method of Object.keys(operations).filter(name =>
        ["get", "post", "put", "patch", "delete"].includes(name),
      )) {
        const url = base + path.replace(/\{\w+\}/g, "x");
        const answer = await stage.nobody.request(method.toUpperCase(), url, method === "get" ? undefined : {});
        const open = !/\{/.test(path) && method === "get" && answer.status === 200;
        const noSuchThing = answer.status === 404 && /docs\/\{|files\/\{|oidc\/\{/.test(path);
        const sentBack = answer.status === 302 && path.endsWith("/callback");
        const asked = [401, 422].includes(answer.status) || noSuchThing || sentBack;
        // Closed unless a setting opens it.
        const closed = path === "/api/auth/guest" && answer.status === 403;
        expect({ method, path, status: answer.status, fine: open || asked || closed }).toMatchObject({
          method,
          path,
          fine: true,
        });
      }
  });

  test("every route of the contract is documented", async () => {
    const documented = new Set(
      Object.entries<Body>(document.paths).flatMap(([path, operations]) =>
        Object.keys(operations).map(
          method => `${method.toUpperCase()} ${path.replace(/^\/api/, "").replace(/\{\w+\}/g, "*")}`,
        ),
      ),
    );
    const room = ["GET", "PATCH", "DELETE"]
      .map(method => `${method} `)
      .concat(
        [
          "POST /join",
          "POST /leave",
          "GET /members",
          "POST /members",
          "DELETE /members/*",
          "GET /messages",
          "POST /messages",
        ],
        ["POST /read", "POST /delivered", "POST /unread", "GET /open"],
      );
    const expected = [
      ...["register", "login", "refresh", "logout"].map(name => `POST /auth/${name}`),
      ...["GET /users/me", "PATCH /users/me", "GET /users", "GET /users/*", "PATCH /users/*", "DELETE /users/*"],
      ...["GET /channels", "POST /channels", "GET /conversations", "POST /conversations"],
      ...["channels", "conversations"].flatMap(kind => room.map(line => line.replace(" ", ` /${kind}/*`))),
      ...["GET /messages/*", "PATCH /messages/*", "DELETE /messages/*"],
      ...["PUT /messages/*/reactions/*", "DELETE /messages/*/reactions/*", "GET /messages/*/receipts", "GET /unread"],
      ...["POST /read", "GET /rooms"],
      ...["POST /files", "GET /files/*", "GET /files/*/link", "GET /health", "GET /config"],
    ];
    expect(expected.filter(route => !documented.has(route))).toEqual([]);
  });

  test("health, config and the documents are open; the docs page loads without foreign sources", async () => {
    for (const path of ["/api/health", "/api/config", "/api/openapi.json", "/api/docs"])
      expect((await stage.nobody.get(path)).status).toBe(200);
    const page = (await stage.nobody.get("/api/docs")).body as string;
    expect(page).not.toMatch(/(src|href)="https?:/);
  });

  test("answers carry a request id, and the rate limit's state", async () => {
    const answer = await ann.get("/api/users/me");
    expect(answer.headers.get("x-request-id")).toBeTruthy();
    for (const name of ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"])
      expect(answer.headers.get(name)).toMatch(/^\d+$/);
  });

  test("config tells the limits of the contract", async () => {
    expect((await stage.nobody.get("/api/config")).body.limits).toMatchObject({
      text: 4_000,
      metadata: 2_048,
      attachments: 10,
      frame: 65_536,
      file: 25 * 1024 * 1024,
      rooms: 500,
      page: 100,
      pageDefault: 50,
    });
  });
});

/** The validator is an ES module, which tests can only load in a process of its own. */
function validate(input: unknown): unknown {
  const script = `
    import { text } from "node:stream/consumers";
    import { Validator } from "@seriousme/openapi-schema-validator";
    const { valid, errors } = await new Validator().validate(JSON.parse(await text(process.stdin)));
    console.log(JSON.stringify({ valid, errors }));`;
  const options = { input: JSON.stringify(input), cwd: ROOT, encoding: "utf8" } as const;
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", script], options));
}
