import { createHmac, generateKeyPairSync, sign as signWith } from "node:crypto";
import { ADMISSIONS } from "../support/admission";
import { Stage, type Client } from "../support/client";
import { describeOwn, startServer } from "../support/server";
import { SocketClient } from "../support/socket";

const SECRET = "5f2c9d4b7a1e8036c4f7b2a95d8e1c60-tests";
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

describeOwn("tokens that are not ours, or not for this", () => {
  let stage: Stage;
  let ann: Client;
  let claims: Record<string, unknown>;

  beforeAll(async () => {
    stage = await Stage.on(await startServer({ env: { JWT_SECRET: SECRET } }));
    ann = await stage.user("ann");
    claims = JSON.parse(Buffer.from((ann.token as string).split(".")[1] as string, "base64url").toString()) as Record<
      string,
      unknown
    >;
  });
  afterAll(() => stage.end());

  const signed = (payload: object, { secret = SECRET, header = {} as object, alg = "HS256" } = {}): string => {
    const body = `${encode({ alg, typ: "JWT", ...header })}.${encode(payload)}`;
    return `${body}.${createHmac(alg.replace("HS", "sha"), secret).update(body).digest("base64url")}`;
  };
  const now = (): number => Math.floor(Date.now() / 1000);

  test("our own way of making one gets in, or none of what follows says anything", async () => {
    for (const { name, admit } of ADMISSIONS)
      expect([name, await admit(stage.server, signed(claims))]).toEqual([name, "in"]);
  });

  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const rsa = (payload: object, header: object = {}): string => {
    const body = `${encode({ alg: "RS256", typ: "JWT", ...header })}.${encode(payload)}`;
    return `${body}.${signWith("sha256", Buffer.from(body), privateKey).toString("base64url")}`;
  };

  const FORGED: Record<string, () => string> = {
    "unsigned, alg none": () => `${encode({ alg: "none", typ: "JWT" })}.${encode(claims)}.`,
    "unsigned, alg nOnE": () => `${encode({ alg: "nOnE", typ: "JWT" })}.${encode(claims)}.`,
    "signed by another secret": () => signed(claims, { secret: "another-secret-of-the-same-length-000000" }),
    "signed by an empty secret": () => signed(claims, { secret: "" }),
    "HS256 with a public key for its secret": () => signed(claims, { secret: publicKey }),
    "HS512, which is not ours": () => signed(claims, { alg: "HS512" }),
    "RS256 with a key of its own": () => rsa(claims),
    "RS256 with its key in jwk": () => rsa(claims, { jwk: { kty: "RSA", n: "AQAB", e: "AQAB" } }),
    "RS256 with its key at jku and x5u": () =>
      rsa(claims, { jku: `${stage.server.url}/api/openapi.json`, x5u: `${stage.server.url}/x` }),
    "a kid that leads to an empty file": () =>
      signed(claims, { secret: "", header: { kid: "../../../../../../dev/null" } }),
  };
  test.each(Object.keys(FORGED))("%s (S01: REST, native, SignalR, Socket.IO, stream, files)", async name => {
    const token = (FORGED[name] as () => string)();
    for (const { name: door, admit } of ADMISSIONS)
      expect([door, await admit(stage.server, token)]).toEqual([door, "UNAUTHENTICATED"]);
  });

  const MISUSED: Record<string, () => string> = {
    "a refresh token": () => ann.refreshToken,
    "of another audience": () => signed({ ...claims, aud: "somebody-else" }),
    "of another issuer": () => signed({ ...claims, iss: "somebody-else" }),
    "of another type": () => signed({ ...claims, typ: "refresh" }),
    "of no type": () => signed({ ...claims, typ: undefined }),
    "without a subject": () => signed({ ...claims, sub: undefined }),
    "without a session": () => signed({ ...claims, sid: undefined }),
    "without an end": () => signed({ ...claims, exp: undefined }),
    "whose subject is an object": () => signed({ ...claims, sub: { $ne: null } }),
  };
  test.each(Object.keys(MISUSED))("a token %s (S02: REST, native, SignalR, Socket.IO, stream, files)", async name => {
    const token = (MISUSED[name] as () => string)();
    for (const { name: door, admit } of ADMISSIONS)
      expect([door, await admit(stage.server, token)]).toEqual([door, "UNAUTHENTICATED"]);
  });

  test("no token opens no door, and who has not said who he is gets nothing (S21: REST, native, SignalR, Socket.IO, stream, files)", async () => {
    for (const { name, admit } of ADMISSIONS)
      expect([name, await admit(stage.server, "")]).toEqual([name, "UNAUTHENTICATED"]);
    const room = await stage.channel([ann]);
    for (const frame of [
      { t: "sub", rooms: [room] },
      { t: "send", room, text: "x" },
      { t: "history", room },
      { t: "call", method: "users.list", params: {} },
      { t: "call", method: "auth.audit", params: {} },
    ]) {
      const socket = await SocketClient.open(stage.server.wsUrl);
      expect([frame.t, await socket.request(frame)]).toMatchObject([frame.t, { t: "err", code: "UNAUTHENTICATED" }]);
      socket.cut();
    }
    expect((await stage.nobody.raw("POST", "/api/files?name=a.txt", "words")).status).toBe(401);
    expect((await fetch(`${stage.server.url}/stream`)).status).toBe(401);
  });

  test("an access token is no refresh token (S02: REST)", async () => {
    const answer = await stage.nobody.post("/api/auth/refresh", { refreshToken: ann.token });
    expect(answer).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
  });

  const SPENT: Record<string, () => string> = {
    expired: () => signed({ ...claims, exp: now() - 60 }),
    "not valid yet": () => signed({ ...claims, nbf: now() + 60 }),
    "changed in its claims": () => {
      const [head, , signature] = (ann.token as string).split(".");
      return `${head}.${encode({ ...claims, roles: ["Admin"], permissions: ["users.manage"] })}.${signature}`;
    },
    "cut short": () => (ann.token as string).slice(0, -4),
    "larger than any of ours": () => signed({ ...claims, pad: "x".repeat(5_000) }),
    "of ten thousand dots": () => ".".repeat(10_000),
    "of claims that nest a thousand deep": () =>
      signed({ ...claims, deep: JSON.parse("[".repeat(900) + "]".repeat(900)) }),
  };
  test.each(Object.keys(SPENT))("a token %s (S03: REST, native, SignalR, Socket.IO, stream, files)", async name => {
    const token = (SPENT[name] as () => string)();
    // What stands in a header may be refused for its length alone; what nests deep is one of ours and harms nobody.
    const expected = /deep/.test(name)
      ? /^in$/
      : /dots|larger/.test(name)
        ? /^(UNAUTHENTICATED|431|400)$/
        : /^UNAUTHENTICATED$/;
    for (const { name: door, admit } of ADMISSIONS) {
      const verdict = await admit(stage.server, token);
      expect([door, expected.test(verdict), verdict]).toEqual([door, true, verdict]);
    }
    expect((await ann.get("/api/users/me")).status).toBe(200);
  });

  test.each([[{ $ne: null }], [{ $gt: "" }], [["a"]], [[]], [true], [12], [{ toString: "x" }]])(
    "%j in place of a token or a password gets nobody in (S08: REST, native, Socket.IO)",
    async value => {
      for (const body of [
        { username: ann.username, password: value },
        { username: value, password: value },
        { username: { $regex: ".*" }, password: value },
      ])
        expect([401, 422]).toContain((await stage.nobody.post("/api/auth/login", body)).status);
      expect([401, 422]).toContain((await stage.nobody.post("/api/auth/refresh", { refreshToken: value })).status);
      const socket = await ann.connect();
      expect(await socket.request({ t: "hello", token: value })).toMatchObject({ t: "err" });
      const inside = await ann.socket();
      expect(await inside.request({ t: "auth", token: value })).toMatchObject({ t: "err" });
      const socketio = ADMISSIONS.find(({ name }) => name === "Socket.IO");
      expect(await socketio?.admit(stage.server, value as unknown as string)).not.toBe("in");
    },
  );

  test("a password that is wrong by a letter, empty, or another's gets nobody in (S08: REST, SignalR, stream, files)", async () => {
    const bob = await stage.user("bob", { password: "another-good-password" });
    for (const password of [
      "",
      `${ann.password}x`,
      ann.password.slice(0, -1),
      ann.password.toUpperCase(),
      bob.password,
    ]) {
      const answer = await stage.nobody.post("/api/auth/login", { username: ann.username, password });
      expect([401, 422]).toContain(answer.status);
      expect(answer.body).not.toHaveProperty("accessToken");
    }
    // Both take a token alone: a name and a password in its place are none.
    const basic = `Basic ${Buffer.from(`${ann.username}:${ann.password}`).toString("base64")}`;
    for (const [method, path] of [
      ["POST", "/hubs/chat/negotiate?negotiateVersion=1"],
      ["GET", "/stream"],
      ["POST", "/api/files?name=a.txt"],
    ] as const)
      expect((await fetch(stage.server.url + path, { method, headers: { authorization: basic } })).status).toBe(401);
  });

  test("a token in an address counts for nothing where a header or a frame can carry it (S18: REST, native, Socket.IO, stream, files)", async () => {
    const token = ann.token as string;
    const query = `access_token=${token}&token=${token}&auth=${token}`;
    for (const path of ["/api/users/me", "/stream"])
      expect((await fetch(`${stage.server.url}${path}?${query}`)).status).not.toBe(200);
    expect((await fetch(`${stage.server.url}/api/users/me?${query}`)).status).toBe(401);
    const file = (await ann.raw("POST", "/api/files?name=a.txt", "words")).body.url as string;
    for (const address of [`${file}?${query}`, `${file}?access_token=${token}`])
      expect([401, 404, 422]).toContain((await fetch(stage.server.url + address)).status);
    const socket = await SocketClient.open(`${stage.server.wsUrl}?${query}`);
    expect(await socket.request({ t: "sub", rooms: [] })).toMatchObject({ t: "err", code: "UNAUTHENTICATED" });
    socket.cut();
    const polled = await fetch(`${stage.server.url}/socket.io/?EIO=4&transport=polling&${query}`);
    const sid = /"sid":"([^"]+)"/.exec(await polled.text())?.[1];
    const address = `${stage.server.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
    expect((await fetch(address, { method: "POST", body: "40" })).status).toBe(200);
    expect(await (await fetch(address)).text()).toMatch(/^44.*UNAUTHENTICATED/);
  });
});
