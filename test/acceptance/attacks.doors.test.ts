import { digest } from "../../services/core/ids";
import { LIMITS } from "../../services/core/limits";
import { expectStatus, MISSING, say, Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";
import { speaker, SPEAKERS, type Reply, type Speaker, type SpeakerDoor } from "../support/speakers";

/** What an answer to somebody outside may not hold. */
const INTERNALS =
  /node_modules|\bat .*\.[jt]s|sqlite|mongo|moleculer|\/services\/|nodeID|TypeError|SyntaxError|\/tmp\//i;

/** What other files try at the doors of REST and the native socket, tried at each of the others as well. */
describe("attacks at every door", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;
  let eve: Client;
  /** Ann's and Bob's, private; Eve's own, private, where she may do what she likes. */
  let room: string;
  let den: string;
  let message: Body;
  let file: string;
  const open: Speaker[] = [];

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    [ann, bob, eve] = (await stage.users("ann", "bob", "eve")) as [Client, Client, Client];
    room = await stage.channel([ann, bob], { isPrivate: true });
    den = await stage.channel([eve, bob], { isPrivate: true });
    file = expectStatus(await ann.raw("POST", "/api/files?name=a.txt", "words"), 201).body.id as string;
    message = await say(ann, room, "words of ours", { attachments: [file] });
  });
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });
  afterAll(() => stage.end());

  const at = async (door: SpeakerDoor, client: Client): Promise<Speaker> => {
    const one = await speaker(door, stage.server.url, client);
    open.push(one);
    return one;
  };
  /** What eve can see change. */
  const state = async (): Promise<string> => {
    const paths = [`/api/channels/${den}/messages`, `/api/channels/${den}/members`, `/api/channels/${den}`];
    const { roles, displayName } = (await stage.admin.get(`/api/users/${eve.id}`)).body as Body;
    const answers = await Promise.all([...paths.map(path => bob.get(path)), ann.get(`/api/channels/${room}/messages`)]);
    return digest(JSON.stringify([roles, displayName, ...answers.map(({ body }) => body as unknown)]));
  };
  const upload = (query: string) => eve.raw("POST", `/api/files?${query}`, "words");

  test.each(SPEAKERS)(
    "%s: what one may not know of is like what there is not (S19: native, SignalR, Socket.IO, stream)",
    async door => {
      const one = await at(door, eve);
      const asks: ((id: string, place: string) => Promise<Reply>)[] = [
        (_, place) => one.join(place),
        (_, place) => one.send(place, { text: "x" }),
        id => one.change("edit", id, { text: "x" }),
        id => one.change("delete", id),
        id => one.change("react", id, { emoji: "👍" }),
        id => one.send(den, { text: "x", replyTo: id }),
      ];
      for (const ask of asks) {
        const [there, not] = [await ask(message.id as string, room), await ask(MISSING, MISSING)];
        expect([there.code, there.text]).toEqual([not.code, not.text]);
        expect(["NOT_FOUND", "INVALID"]).toContain(there.code);
      }
    },
  );

  test("a file and its link are like what there is not, to all who see no message with it (S19: files)", async () => {
    const ask = async (method: string, path: string): Promise<string> => {
      const { status, body } = await eve.request(method, path);
      return JSON.stringify([status, body]);
    };
    for (const below of ["", "/link"])
      expect(await ask("GET", `/api/files/${file}${below}`)).toBe(await ask("GET", `/api/files/${MISSING}${below}`));
  });

  test("a file is not reached through a room one is in, nor by the link of another (S20: stream, files)", async () => {
    const one = await at("stream", eve);
    for (const more of [{ attachments: [file] }, { replyTo: message.id }, { threadId: message.id }])
      expect((await one.send(den, { text: "x", ...more })).code).toBe("INVALID");
    expect((await one.change("edit", message.id, { text: "mine" })).code).toBe("NOT_FOUND");
    expect((await one.change("delete", message.id)).code).toBe("NOT_FOUND");
    const own = expectStatus(await upload("name=own.txt"), 201).body.id as string;
    const { url } = expectStatus(await eve.get(`/api/files/${own}/link`), 200).body as { url: string };
    expectStatus(await stage.nobody.get(url), 200);
    expectStatus(await stage.nobody.get(url.replace(own, file)), 404);
    expectStatus(await eve.get(url.replace(own, file)), 404);
  });

  test("what is no call at a door cannot be called there, whatever it is called (S22: SignalR, Socket.IO, stream)", async () => {
    const names = [
      ...["$node.options", "$node.list", "users.insert", "users.find", "users.create", "auth.record", "rooms.access"],
      ...["files.eraseOwn", "messages.append", "ws-gateway.put", "node.health", "constructor", "__proto__", "toString"],
      ...["hasOwnProperty", "OnConnectedAsync", "disconnect-all", "", " ", "x".repeat(200)],
    ];
    const before = await state();
    for (const door of ["SignalR", "Socket.IO", "stream"] as const) {
      const one = await at(door, stage.admin);
      for (const name of names)
        for (const given of [{}, { id: eve.id }]) {
          const { code, text } = await one.call(name, given);
          expect([door, name, ["INVALID", "NOT_FOUND", "BAD_REQUEST"].includes(code), code]).toEqual([
            door,
            name,
            true,
            code,
          ]);
          expect(text).not.toMatch(INTERNALS);
        }
    }
    expect(await state()).toBe(before);
  });

  test("nobody says what is the server's to say, and nobody's e-mail is told (S23: SignalR, Socket.IO, stream)", async () => {
    const taken = {
      ...{ senderId: ann.id, seq: 1, offset: 1, createdAt: "x", editedAt: "x", deletedAt: "x", id: MISSING },
      ...{ mentions: [ann.id], reactions: [], pinned: true, sender: { id: ann.id }, roles: ["Admin"] },
    };
    for (const door of ["SignalR", "Socket.IO", "stream"] as const) {
      const [one, reader] = [await at(door, eve), await at(door, bob)];
      expect((await reader.join(den)).code).toBe("ok");
      for (const [field, value] of Object.entries(taken)) {
        const { code, message: sent } = await one.send(den, { text: "x", [field]: value });
        // Unknown fields of a native frame are passed over: they say nothing.
        if (code !== "ok") expect([door, field, code]).toEqual([door, field, "INVALID"]);
        else expect([door, field, sent?.senderId, sent?.[field] === value]).toEqual([door, field, eve.id, false]);
      }
      const last = unique("the last");
      expect((await one.send(den, { text: last })).code).toBe("ok");
      const heard = await eventually(
        "it is heard",
        () => reader.heard(),
        text => text.includes(last),
      );
      expect(heard).not.toMatch(/@example\.org|"password|"hash"|"digest"|refreshToken/i);
    }
  });

  test("nor whose a file is, of what kind and where it lies (S23: files)", async () => {
    for (const field of ["owner", "id", "rooms", "size", "mimeType", "inline", "key"])
      expect([field, (await upload(`name=a.txt&${field}=x`)).status]).toEqual([field, 422]);
    const form = new FormData();
    for (const [field, value] of Object.entries({ owner: ann.id, id: MISSING, size: "1", inline: "true" }))
      form.set(field, value);
    form.set("file", new Blob(["words"], { type: "text/html" }), "a.html");
    const made = expectStatus(await eve.raw("POST", "/api/files", form), 201).body as Body;
    expect(made.id).not.toBe(MISSING);
    expect(made.size).toBe(5);
    // It is eve's, and nobody else's.
    expect((await ann.get(`/api/files/${made.id}`)).status).toBe(404);
    expect((await eve.get(`/api/files/${made.id}`)).status).toBe(200);
  });

  test("what was said is told no more by a stream once it is deleted (S26: stream)", async () => {
    const secret = unique("regretted");
    const said = await say(eve, den, `${secret} one`);
    await eve.patch(`/api/messages/${said.id}`, { text: `${secret} two` });
    expectStatus(await eve.delete(`/api/messages/${said.id}`), 200);
    const after = await say(eve, den, unique("after it"));
    const one = await at("stream", bob);
    expect((await one.join(den, "beginning")).code).toBe("ok");
    const heard = await eventually(
      "what came after it",
      () => one.heard(),
      text => text.includes(after.text as string),
    );
    expect(heard).not.toContain(secret);
    const history = await one.call("messages.history", { id: den });
    expect(history.text).toContain(after.id);
    expect(history.text).not.toContain(secret);
  });

  const WRONG: [string, unknown][] = [
    ["an operator", { $ne: null }],
    ["a regular expression", { $regex: ".*" }],
    ["a script", { $where: "sleep(1000)" }],
    ["a list of operators", [{ $gt: "" }]],
    ["a list in a list", [[["x"]]]],
    ["a number", 1e308],
    ["no number", true],
  ];
  test.each(SPEAKERS)(
    "%s: no operator of a query is taken for a value (S28: native, SignalR, Socket.IO, stream)",
    async door => {
      const before = await state();
      const one = await at(door, eve);
      for (const [what, value] of WRONG) {
        const replies = [
          await one.join(value),
          await one.send(value, { text: "x" }),
          ...(await Promise.all(
            ["text", "clientId", "replyTo", "threadId", "attachments"].map(field =>
              one.send(den, { text: "x", [field]: value }),
            ),
          )),
          await one.send(den, { text: "x", metadata: { a: { $gt: "" } } }),
          await one.change("edit", value, { text: "x" }),
          await one.change("edit", message.id, { text: value }),
          await one.change("delete", value),
          await one.change("react", value, { emoji: "x" }),
          await one.change("react", message.id, { emoji: value }),
        ];
        for (const [n, { code, text }] of replies.entries()) {
          expect([what, n, code]).toEqual([what, n, "INVALID"]);
          expect(text).not.toMatch(INTERNALS);
        }
      }
      expect(await state()).toBe(before);
    },
  );

  const QUERIES = [
    ...[
      "id[$ne]=1",
      "$where=1",
      "name[$gt]=",
      "expires[$gt]=1&signature[$ne]=x",
      "query={}",
      "fields=id",
      "sort=-owner",
    ],
    ...["__proto__=1", "__proto__[a]=1", "constructor.prototype.a=1", "constructor=1"],
  ];
  test("no operator, prototype or second value is taken from a query (S28, S31, S32: stream, files)", async () => {
    const headers = { authorization: `Bearer ${eve.token}` };
    for (const query of [...QUERIES, "name=a&name=b"]) {
      expect([query, (await upload(query)).status]).toEqual([query, 422]);
      if (query.startsWith("name=")) continue;
      expect([query, (await eve.get(`/api/files/${MISSING}?${query}`)).status]).toEqual([query, 422]);
    }
    const before = await state();
    // What a stream does not know it does not look at; of two values the first counts, and only that.
    for (const query of [...QUERIES, `rooms=${den}&rooms=${room}`, "rooms[$ne]=1"]) {
      const gone = new AbortController();
      const answer = await fetch(`${stage.server.url}/stream?${query}`, { headers, signal: gone.signal });
      expect([query, answer.status]).toEqual([query, 200]);
      let heard = "";
      for await (const part of answer.body!) if ((heard += Buffer.from(part)).includes("welcome")) break;
      expect(heard).not.toContain(room);
      gone.abort();
    }
    expect(await state()).toBe(before);
  });

  test("no list of a socket takes queries, fields, sorts or sizes that are not offered (S29: native, stream)", async () => {
    for (const door of ["native", "stream"] as const) {
      const one = await at(door, eve);
      for (const [method, params] of [
        ["users.list", {}],
        ["rooms.list", {}],
        ["rooms.members", { id: den }],
        ["messages.history", { id: den }],
      ] as const)
        for (const more of [
          { query: { password: { $gt: "" } } },
          { searchFields: "password" },
          { fields: ["password"] },
          { sort: "-password" },
          { populate: ["credentials"] },
          { pageSize: { $gt: 1 } },
          { limit: -1 },
          { offset: { $gt: 0 } },
        ]) {
          const { code, text } = await one.call(method, { ...params, ...more });
          expect([door, method, more, code]).toEqual([door, method, more, "INVALID"]);
          expect(text).not.toMatch(/\$2[aby]\$/);
        }
      const { code, text } = await one.call("users.list", { pageSize: 1e9 });
      expect([door, code, (JSON.parse(text) as Body).result.pageSize]).toEqual([door, "ok", LIMITS.page]);
    }
  });

  test("names of prototypes change nobody's (S31: SignalR, Socket.IO, stream, files)", async () => {
    const before = await state();
    const proto = (): Body =>
      JSON.parse('{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}}}');
    for (const door of ["SignalR", "Socket.IO", "stream"] as const) {
      const one = await at(door, eve);
      for (const metadata of [proto(), { a: proto() }, { "constructor.prototype.x": 1, $set: 1 }])
        expect([door, (await one.send(den, { text: "x", metadata })).code]).toEqual([door, "INVALID"]);
      for (const name of ["__proto__", "constructor", "prototype"]) {
        expect([door, (await one.join(name)).code]).toEqual([door, "NOT_FOUND"]);
        expect((await one.change("delete", name)).code).not.toBe("ok");
      }
    }
    const form = new FormData();
    form.set("__proto__", "x");
    form.set("constructor", "x");
    form.set("file", new Blob(["words"]), "__proto__");
    const made = expectStatus(await eve.raw("POST", "/api/files", form), 201).body as Body;
    expect(made.name).toBe("__proto__");
    const config = (await stage.nobody.get("/api/config")).body as Body;
    expect(JSON.stringify([made, config])).not.toContain("polluted");
    expect(await state()).toBe(before);
  });

  test("odd characters are kept to the letter or refused, and what is deep or endless is refused (S34: SignalR, Socket.IO, stream)", async () => {
    const deep = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth));
    for (const door of ["SignalR", "Socket.IO", "stream"] as const) {
      const one = await at(door, eve);
      for (const text of ["a\u0000b", "\ufffe", "\u202eabc", "\u0007", "e\u0301", "\ud800", "👨‍👩‍👧‍👦"]) {
        const { code, message: sent } = await one.send(den, { text });
        if (code === "ok") expect((await bob.get(`/api/messages/${sent?.id}`)).body.text).toBe(text);
        else expect([door, code]).toEqual([door, "INVALID"]);
      }
      expect((await one.send(den, { text: "\ud800" })).code).toBe("INVALID");
      for (const metadata of [{ a: deep(17) }, { a: deep(2_000) }, { a: 1, b: "x".repeat(20_000) }])
        expect([door, ["INVALID", "TOO_LARGE"].includes((await one.send(den, { text: "x", metadata })).code)]).toEqual([
          door,
          true,
        ]);
      expect((await one.send(den, { text: "still here" })).code).toBe("ok");
    }
  });

  test("names of files hold no path and nothing unseen, and are never too long (S34: files)", async () => {
    for (const name of [
      "%00",
      "%0d%0aX-Evil:%201",
      "%E2%80%AEgpj.exe",
      "x".repeat(4_000),
      "..%2f..%2fa",
      "%ff%fe",
      "%ed%a0%80",
    ]) {
      const answer = await upload(`name=${name}`);
      if (answer.status !== 201) {
        expect([name, [400, 422].includes(answer.status)]).toEqual([name, true]);
        continue;
      }
      const { id, name: kept } = answer.body as { id: string; name: string };
      expect(kept).toMatch(/^[^\p{Cc}/\\\u202e]+$/u);
      expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(255);
      const { headers } = await eve.get(`/api/files/${id}`);
      expect(headers.get("x-evil")).toBeNull();
      expect(headers.get("content-disposition")).toMatch(/^attachment; /);
    }
  });

  const SCRIPTS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "[x](javascript:alert(1))",
    "</title><script>alert(1)</script>",
    "{{constructor.constructor('alert(1)')()}}",
  ];
  test.each(SPEAKERS)(
    "%s: a script in a text is a text, told as JSON to the letter (S35: native, SignalR, Socket.IO, stream)",
    async door => {
      const [one, reader] = [await at(door, eve), await at(door, bob)];
      expect((await reader.join(den)).code).toBe("ok");
      for (const text of SCRIPTS) {
        const sent = await one.send(den, { text });
        expect([sent.code, sent.message?.text]).toEqual(["ok", text]);
        await eventually(
          `${door} tells it`,
          () => reader.heard(),
          heard =>
            heard.includes(JSON.stringify(text)) || heard.includes(JSON.stringify(JSON.stringify(text)).slice(1, -1)),
        );
      }
    },
  );

  test("a script in a name, a topic, a file's name or a file is nowhere shown as a page (S35: REST, files)", async () => {
    const [script = ""] = SCRIPTS;
    expectStatus(await eve.patch("/api/users/me", { displayName: script, bio: script }), 200);
    expectStatus(await stage.admin.patch(`/api/channels/${den}`, { topic: script }), 200);
    for (const avatarUrl of [
      "javascript:alert(1)",
      "data:text/html,<script>",
      "vbscript:x",
      "https://a:b@example.org/x",
    ])
      expect([avatarUrl, (await eve.patch("/api/users/me", { avatarUrl })).status]).toEqual([avatarUrl, 422]);
    for (const path of [
      `/api/users/${eve.id}`,
      `/api/channels/${den}`,
      `/api/users?search=${encodeURIComponent(script)}`,
    ]) {
      const { headers } = await bob.get(path);
      expect(headers.get("content-type")).toMatch(/^application\/(problem\+)?json/);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
    expect((await bob.get(`/api/users/${eve.id}`)).body.displayName).toBe(script);
    // Not even what was asked for comes back as HTML.
    const lost = await fetch(`${stage.server.url}/api/${encodeURIComponent(script)}`);
    expect(lost.headers.get("content-type")).toContain("application/problem+json");
    const bodies: [string, string, string][] = [
      ["a.html", "text/html", "<!doctype html><script>alert(1)</script>"],
      ["a.svg", "image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'],
      [
        "a.xml",
        "text/xml",
        '<?xml version="1.0"?><x xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></x>',
      ],
      ["a.gif", "image/gif", "GIF89a/*<script>*/=alert(1)//"],
      ["a.png", "image/png", "<script>alert(1)</script>"],
      [`${script}.js`, "text/javascript", "alert(1)"],
    ];
    for (const [name, type, text] of bodies) {
      const headers = { "content-type": type };
      const made = await eve.raw("POST", `/api/files?name=${encodeURIComponent(name)}`, text, headers);
      const got = await fetch(`${stage.server.url}${expectStatus(made, 201).body.url}`, {
        headers: { authorization: `Bearer ${eve.token}` },
      });
      const shown = got.headers.get("content-disposition")?.split(";")[0];
      const kind = got.headers.get("content-type") ?? "";
      expect([name, shown === "attachment" || /^image\/(gif|png)$/.test(kind), kind]).toEqual([name, true, kind]);
      expect(kind).not.toMatch(/html|svg|xml|javascript/);
      expect(got.headers.get("x-content-type-options")).toBe("nosniff");
      expect(got.headers.get("content-security-policy")).toMatch(/^sandbox; default-src 'none'/);
    }
  });

  test("a refusal says no more than its code and what to mend (S36: native, SignalR, Socket.IO, stream, files)", async () => {
    for (const door of SPEAKERS) {
      const one = await at(door, eve);
      const replies = [
        await one.send(MISSING, { text: "x" }),
        await one.send(den, { text: "x".repeat(30_000) }),
        await one.send(den, {}),
        await one.send(null, null),
        await one.change("edit", message.id, {}),
        await one.change("react", message.id, { emoji: "\u0000" }),
        await one.join(null),
        await one.call("users.get", { id: "'; DROP TABLE users; --" }),
        await one.call("x", null),
      ];
      for (const { code, text } of replies) {
        expect([door, /^[A-Z_]{3,}$/.test(code) && code !== "INTERNAL" && code !== "CLOSED", code]).toEqual([
          door,
          true,
          code,
        ]);
        expect(text).not.toMatch(INTERNALS);
      }
    }
    const answers = [
      await eve.get("/api/files/x"),
      await eve.get(`/api/files/${MISSING}?expires=x&signature=y`),
      await eve.raw("POST", "/api/files", "--x\r\nbroken", { "content-type": "multipart/form-data; boundary=x" }),
      await eve.raw("POST", "/api/files", "x", { "content-type": "multipart/form-data" }),
    ];
    for (const { status, body } of answers) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect(JSON.stringify(body)).not.toMatch(INTERNALS);
    }
  });

  test("a room keeps an owner, whoever demotes whom at once by calls (S27: native, stream)", async () => {
    const [one, other] = (await stage.users("one", "other")) as [Client, Client];
    const own = await stage.channel([one, other]);
    for (const { id: userId } of [one, other])
      expectStatus(await stage.admin.post(`/api/channels/${own}/members`, { userId, role: "owner" }), 201);
    expectStatus(await stage.admin.post(`/api/channels/${own}/leave`), 204);
    for (const door of ["native", "stream"] as const)
      for (let round = 0; round < 3; round++) {
        const [a, b] = [await at(door, one), await at(door, other)];
        const demote = (by: Speaker, { id: user }: Client) =>
          by.call("rooms.addMember", { id: own, userId: user, role: "member" });
        const codes = await Promise.all([demote(a, other), demote(b, one), demote(a, one), demote(b, other)]);
        expect(codes.map(({ code }) => code)).toContain("ok");
        const { items } = (await one.get(`/api/channels/${own}/members`)).body as { items: Body[] };
        const owners = items.filter(({ role }) => role === "owner");
        expect(owners.length).toBeGreaterThanOrEqual(1);
        const owner = owners[0]?.userId === one.id ? one : other;
        for (const { id: userId } of [one, other])
          expectStatus(await owner.post(`/api/channels/${own}/members`, { userId, role: "owner" }), 201);
      }
  });

  test("of sessions one sees and ends one's own alone, by calls, too (S17: native, stream)", async () => {
    const theirs = ((await ann.get("/api/auth/sessions")).body.items as Body[])[0]?.id as string;
    expect(theirs).toEqual(expect.any(String));
    for (const door of ["native", "stream"] as const) {
      const one = await at(door, eve);
      const listed = await one.call("auth.ownSessions", {});
      expect(listed.code).toBe("ok");
      expect(listed.text).not.toContain(theirs);
      for (const id of [theirs, MISSING]) expect((await one.call("auth.endOwn", { id })).code).toBe("NOT_FOUND");
      expect((await one.call("auth.changePassword", { currentPassword: eve.password, newPassword: "x" })).code).toBe(
        "NOT_FOUND",
      );
    }
    expectStatus(await ann.get("/api/users/me"), 200);
  });
});
