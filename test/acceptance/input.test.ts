import { MISSING, say, Stage, type Client } from "../support/client";
import type { Answer, Body } from "../support/rest";
import { startServer } from "../support/server";

const CODES = [400, 401, 403, 404, 409, 413, 422];
const DEEP = 10_000;

/** Values that are wrong for every field of every route, but where objects are welcome. */
const WRONG: [string, unknown][] = [
  ["an operator object", { $gt: "" }],
  ["another operator object", { $ne: null }],
  ["a regular expression", { $regex: ".*" }],
  ["a script", { $where: "sleep(1000)" }],
  ["a list of operators", [{ $gt: "" }]],
  ["a list in a list", [[["x"]]]],
  ["a huge number", 1e308],
  ["a NUL", "a\u0000b"],
];

describe("bad input", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;
  let room: string;
  let message: Body;
  let routes: { method: string; path: string; fields: string[] }[];

  beforeAll(async () => {
    // Of its own: what others do meanwhile would look like a change.
    stage = await Stage.on(await startServer({ env: {} }));
    [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    room = await stage.channel([ann, bob], { owner: stage.admin });
    message = await say(ann, room, "untouched");
    const document = (await stage.nobody.get("/api/openapi.json")).body;
    routes = Object.entries<Body>(document.paths).flatMap(([path, methods]) =>
      Object.entries<Body>(methods).flatMap(([method, operation]) => {
        if (!["get", "post", "put", "patch", "delete"].includes(method)) return [];
        const ref: string | undefined = operation.requestBody?.content?.["application/json"]?.schema?.$ref;
        const schema = ref ? document.components.schemas[ref.split("/").at(-1) as string] : undefined;
        return [{ method: method.toUpperCase(), path, fields: Object.keys(schema?.properties ?? {}) }];
      }),
    );
  });
  afterAll(() => stage.end());

  /** Everything a bad request might have changed. */
  const state = async (): Promise<unknown> => {
    const paths = [
      "/api/users?pageSize=100",
      "/api/channels?pageSize=100",
      `/api/channels/${room}/messages`,
      `/api/channels/${room}/members`,
    ];
    const [users, ...rest] = await Promise.all(paths.map(path => stage.admin.get(path)));
    const own = await Promise.all(
      [ann, bob].flatMap(user => [user.get("/api/conversations"), user.get("/api/unread")]),
    );
    return [users?.body.total, ...[...rest, ...own].map(answer => answer.body)];
  };
  const unchanged = async (work: () => Promise<void>): Promise<void> => {
    const before = await state();
    await work();
    expect(await state()).toEqual(before);
    expect((await stage.nobody.get("/api/health")).status).toBe(200);
  };
  const refused = (answer: Answer, what: string): void => {
    expect({ what, status: answer.status, known: CODES.includes(answer.status) }).toMatchObject({ what, known: true });
    expect(answer.headers.get("content-type")).toContain("application/problem+json");
    expect(answer.body).toMatchObject({ status: answer.status, code: expect.any(String), type: expect.any(String) });
    expect(JSON.stringify(answer.body)).not.toMatch(/node_modules|at .*\.js|Error:|sqlite|\/services\//i);
  };
  const filled = (path: string): string =>
    path
      .replace("/messages/{id}", `/messages/${message.id}`)
      .replace("/users/{id}", `/users/${bob.id}`)
      .replace("{id}", room)
      .replace("{userId}", bob.id)
      .replace("{emoji}", "%F0%9F%91%8D");
  /** `/api` may be in the document's paths or in its servers. */
  const url = (path: string): string => (path.startsWith("/api") ? filled(path) : `/api${filled(path)}`);

  test.each(WRONG)(
    "%s in any field of any body is refused and changes nothing (S28: REST)",
    async (_, value) => {
      expect(routes.filter(route => route.fields.length > 0).length).toBeGreaterThan(10);
      await unchanged(async () => {
        for (const { method, path, fields } of routes)
          for (const field of fields) {
            // NUL is a character where texts are free, and a token that holds it is one that nobody has.
            const free =
              typeof value === "string" &&
              (["text", "name", "topic", "displayName", "avatarUrl", "refreshToken"].includes(field) ||
                path.endsWith("/auth/introspect"));
            if (free) continue;
            const valid = { text: "x", name: "x", type: "group", members: [bob.id], seq: 0, userId: bob.id };
            const body = Object.fromEntries(
              fields.filter(name => name in valid).map(name => [name, valid[name as keyof typeof valid]]),
            );
            refused(
              await stage.admin.request(method, url(path), { ...body, [field]: value }),
              `${method} ${path} ${field}`,
            );
          }
      });
    },
    60_000,
  );

  test.each([
    "nonsense",
    "..%2f..%2fx",
    "%00",
    "%7B%22%24gt%22%3A%22%22%7D",
    "a".repeat(190),
    "a".repeat(5_000),
    MISSING,
    "%F0%9F%91%8D",
    "constructor",
    "__proto__",
  ])(
    "an id %s is refused by every route",
    async id => {
      await unchanged(async () => {
        for (const { method, path } of routes.filter(route => /\{(id|userId)\}/.test(route.path))) {
          const target = (path.startsWith("/api") ? path : `/api${path}`)
            .replace("{id}", id)
            .replace("{userId}", id)
            .replace("{emoji}", "%F0%9F%91%8D");
          const body = { POST: {}, PATCH: {}, PUT: undefined, GET: undefined, DELETE: undefined }[method];
          refused(await ann.request(method, target, body), `${method} ${path}`);
        }
      });
    },
    60_000,
  );

  describe("bodies", () => {
    const send = (body: string | Uint8Array<ArrayBuffer>, type = "application/json") =>
      ann.raw("POST", `/api/channels/${room}/messages`, body, { "content-type": type });

    test.each([
      ["nothing", "", [400, 422]],
      ["no JSON", "{text:", [400]],
      ["half a JSON", '{"text":"a"', [400]],
      ["a text", '"text"', [400, 422]],
      ["a number", "5", [400, 422]],
      ["null", "null", [400, 422]],
      ["a list", '[{"text":"x"}]', [400, 422]],
      ["two objects", '{"text":"a"}{"text":"b"}', [400]],
      ["an unknown field", '{"text":"x","admin":true}', [422]],
      ["__proto__", '{"text":"x","__proto__":{"admin":true}}', [422]],
      ["__proto__ written otherwise", '{"text":"x","\\u005f_proto__":{"admin":true}}', [422]],
      ["__proto__ within metadata", '{"text":"x","metadata":{"__proto__":{"admin":true}}}', [422]],
      ["constructor.prototype", '{"text":"x","constructor":{"prototype":{"admin":true}}}', [422]],
      ["constructor within metadata", '{"text":"x","metadata":{"constructor":{"prototype":{"a":1}}}}', [422]],
      ["an operator within metadata", '{"text":"x","metadata":{"a":{"$gt":""}}}', [422]],
      [
        "metadata nested 10,000 deep",
        `{"text":"x","metadata":{"a":${"[".repeat(DEEP)}${"]".repeat(DEEP)}}}`,
        [400, 413, 422],
      ],
      ["objects nested 10,000 deep", `${'{"a":'.repeat(DEEP)}1${"}".repeat(DEEP)}`, [400, 413, 422]],
      ["a lone surrogate", '{"text":"a\\ud800b"}', [422]],
      ["a huge number in metadata", '{"text":"x","metadata":{"n":1e999}}', [400, 422]],
      ["a fraction as seq", '{"text":"x","replyTo":1.5}', [422]],
    ])("%s is refused", async (what, body, statuses) => {
      await unchanged(async () => {
        const answer = await send(body);
        refused(answer, what);
        expect(statuses).toContain(answer.status);
      });
    });

    test("a body over 64 KiB is TOO_LARGE, one below is judged by its content", async () => {
      await unchanged(async () => {
        expect(await send(JSON.stringify({ text: "x".repeat(66_000) }))).toMatchObject({
          status: 413,
          body: { code: "TOO_LARGE" },
        });
        expect((await send(JSON.stringify({ text: "x".repeat(60_000) }))).status).toBe(422);
        expect((await send("x".repeat(5_000_000)).catch(() => ({ status: 413 }))).status).toBe(413);
      });
    });

    test("bytes that are no UTF-8 are refused", async () => {
      await unchanged(async () => {
        const bytes = new Uint8Array([...Buffer.from('{"text":"'), 0xff, 0xfe, ...Buffer.from('"}')]);
        expect([400, 422]).toContain((await send(bytes)).status);
      });
    });

    test("another content type is refused", async () => {
      await unchanged(async () => {
        for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
          expect([400, 415, 422]).toContain((await send('{"text":"x"}', type)).status);
      });
    });

    test("a prototype cannot be polluted (S31: REST)", async () => {
      const proto = '{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}}}';
      for (const path of [
        "/api/auth/login",
        "/api/auth/register",
        "/api/auth/refresh",
        `/api/channels/${room}/read`,
        "/api/conversations",
      ])
        expect((await ann.raw("POST", path, proto, { "content-type": "application/json" })).status).toBe(422);
      for (const path of ["/api/users/me", "/api/config", "/api/health"])
        expect(JSON.stringify((await ann.get(path)).body)).not.toContain("polluted");
    });
  });

  test("NUL, surrogates and controls in a text are either kept to the letter or refused (S34: REST)", async () => {
    for (const text of ["a\u0000b", "\u0000", "\ufffe", "\u202e", "\u0007", "e\u0301"]) {
      const answer = await ann.post(`/api/channels/${room}/messages`, { text });
      if (answer.status === 201) expect((await ann.get(`/api/messages/${answer.body.id}`)).body.text).toBe(text);
      else expect(answer.status).toBe(422);
    }
  });

  test("an unknown path is NOT_FOUND, a wrong method NOT_FOUND or 405, all as problem+json (S36: REST)", async () => {
    for (const path of ["/api", "/api/", "/api/nothing", "/api/../api/nothing", "/api/channels/x/y/z"])
      expect(await ann.get(path)).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    for (const [method, path] of [
      ["DELETE", "/api/channels"],
      ["PUT", "/api/auth/login"],
      ["PATCH", "/api/unread"],
    ] as const)
      expect([404, 405]).toContain((await ann.request(method, path)).status);
  });

  test("repeated and nested query parameters are INVALID (S32: REST)", async () => {
    for (const query of [
      "page=1&page=2",
      "page[]=1",
      "page[$gt]=1",
      "__proto__[a]=1",
      "before=1&before=2",
      "constructor=1",
    ])
      expect(await ann.get(`/api/channels/${room}/messages?${query}`)).toMatchObject({ status: 422 });
  });

  describe("frames", () => {
    test.each(WRONG)(
      "%s in any field of any frame is an err, the socket lives, nothing changes (S28: native)",
      async (_, value) => {
        const socket = await ann.socket();
        const { id } = message;
        const frames: Record<string, unknown>[] = [
          { t: "sub", rooms: [MISSING] },
          { t: "unsub", rooms: [MISSING] },
          { t: "send", room: MISSING, text: "x", clientId: "x", attachments: [], replyTo: "x" },
          { t: "history", room: MISSING, before: 1, limit: 1 },
          { t: "edit", room: MISSING, id, text: "x" },
          { t: "delete", room: MISSING, id },
          { t: "react", room: MISSING, id, emoji: "👍", on: true },
          { t: "read", room: MISSING, seq: 1 },
          { t: "typing", room: MISSING, on: true },
          { t: "auth", token: "x" },
          { t: "call", method: "x" },
        ];
        await unchanged(async () => {
          for (const frame of frames)
            for (const field of Object.keys(frame).filter(name => name !== "t")) {
              const answer = await socket.request({ ...frame, [field]: value });
              expect({ frame, field, t: answer.t }).toEqual({ frame, field, t: "err" });
              expect(answer.status).toBeLessThan(500);
            }
          await socket.settle();
        });
      },
    );

    test("deep JSON, prototype keys and strange numbers harm nobody (S31, S34: native)", async () => {
      const deep = `{"t":"send","i":1000,"room":"${room}","text":"x","metadata":{"a":${"[".repeat(DEEP)}${"]".repeat(DEEP)}}}`;
      const proto = `{"t":"send","i":1001,"room":"${room}","text":"x","metadata":{"__proto__":{"polluted":"yes"}}}`;
      await unchanged(async () => {
        for (const text of [
          deep,
          proto,
          '{"t":"history","i":1e308,"room":"x"}',
          '{"t":"__proto__","i":1002}',
          '{"t":"constructor","i":1003}',
        ]) {
          const socket = await ann.socket();
          const from = socket.frames.length;
          socket.violations.push = () => 0;
          socket.write(text);
          await socket.settle();
          const answers = socket.frames.slice(from).filter(frame => frame.t !== "pong");
          expect(answers.filter(frame => frame.t !== "err" || frame.status >= 500)).toEqual([]);
        }
      });
    });

    test("call refuses operators and unknown parameters like REST (S28, S31: native)", async () => {
      const socket = await ann.socket();
      for (const [method, params] of [
        ["users.get", { id: { $ne: null } }],
        ["users.list", { search: { $regex: "." } }],
        ["users.updateMe", { roles: ["Admin"] }],
        ["messages.send", { id: room, text: { $gt: "" } }],
        ["rooms.converse", { type: "direct", members: [{ $ne: null }] }],
        ["rooms.join", { id: room, user: bob.id }],
      ] as const)
        expect(await socket.request({ t: "call", method, params })).toMatchObject({ t: "err", code: "INVALID" });
    });
  });
});
