import { Secret, TOTP } from "otpauth";
import { shut } from "../support/admission";
import { expectStatus, Stage, unique } from "../support/client";
import { Browser, CLIENT, IdentityProvider } from "../support/oidc";
import { Postbox } from "../support/postbox";
import type { Answer, Body, Rest } from "../support/rest";
import { describeOwn, startServer } from "../support/server";
import { SocketClient } from "../support/socket";

const PUBLIC = "http://chat.example.test";
const PASSWORD = "a-good-password";
const NEXT = "another-good-one";

/** Whoever may not come in, at every door: with mail, verification, invitations and a provider that links by e-mail. */
describeOwn("all doors", () => {
  let stage: Stage;
  let postbox: Postbox;
  let issuer: IdentityProvider;
  const sockets: SocketClient[] = [];

  beforeAll(async () => {
    postbox = await Postbox.open();
    issuer = await IdentityProvider.start([`${PUBLIC}/api/auth/oidc/company/callback`]);
    const provider = { id: "company", issuer: issuer.issuer, ...CLIENT, link: "email" };
    const env = {
      SMTP_URL: postbox.url,
      PUBLIC_URL: PUBLIC,
      REGISTRATION: "invited",
      EMAIL_VERIFICATION: "required",
      OIDC_PROVIDERS: JSON.stringify([provider]),
    };
    stage = await Stage.on(await startServer({ env }));
  });
  afterAll(async () => {
    issuer?.stop();
    for (const socket of sockets) socket.cut();
    await stage?.end();
  });

  interface Person {
    user: Body;
    me: Rest;
    refreshToken: string;
  }

  const post = (path: string, body: object): Promise<Answer> => stage.nobody.post(`/api/auth/${path}`, body);
  const login = ({ username }: Body, more: object = {}) => post("login", { username, password: PASSWORD, ...more });

  /** Registered, with an e-mail that is still to be verified. */
  async function invited(name: string): Promise<Body> {
    const { invitation } = expectStatus(await stage.admin.post("/api/invitations", {}), 201).body;
    const username = unique(name);
    const body = { username, email: `${username}@example.org`, password: PASSWORD, invitation };
    return expectStatus(await post("register", body), 201).body.user;
  }

  async function verify({ email }: Body): Promise<void> {
    const { links } = await postbox.letter(email, /Verify/);
    expectStatus(await post("verify", { token: links.verify }), 204);
  }

  async function come(name: string): Promise<Person> {
    const user = await invited(name);
    await verify(user);
    const { accessToken, refreshToken } = expectStatus(await login(user), 200).body;
    return { user, me: stage.nobody.as(accessToken), refreshToken };
  }

  async function resetToken({ email }: Body): Promise<string> {
    expectStatus(await post("forgot-password", { email }), 202);
    return (await postbox.letter(email, /new password/)).links.reset as string;
  }

  /** With the provider's word that the e-mail is his; `#...` is what the page is told in place of a code. */
  async function byProvider(email: string, sub = email): Promise<{ code: string; exchange(): Promise<Answer> }> {
    await issuer.now(sub, { email, email_verified: true, preferred_username: email.split("@")[0] });
    const browser = new Browser(PUBLIC, stage.server.url);
    const { hash } = await browser.go(`${PUBLIC}/api/auth/oidc/company/start`);
    const code = new URLSearchParams(hash.slice(1)).get("oidc") ?? hash;
    const exchange = async (): Promise<Answer> => {
      const init = {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ code }),
      };
      const answer = await browser.fetch(`${PUBLIC}/api/auth/oidc/exchange`, init);
      return { status: answer.status, body: await answer.json(), headers: answer.headers } as Answer;
    };
    return { code, exchange };
  }

  async function hello(token: string) {
    const socket = await SocketClient.open(stage.server.wsUrl);
    sockets.push(socket);
    return socket.hello(token);
  }

  test("are closed to who is deactivated, until he is active again (S09: REST, native, SignalR, Socket.IO, stream, files)", async () => {
    const { user, me, refreshToken } = await come("gone");
    const reset = await resetToken(user);
    const scopes = ["users:read", "messages:read", "rooms:read"];
    const { token } = expectStatus(await me.post("/api/auth/tokens", { name: "program", scopes }), 201).body;
    const program = stage.nobody.as(token);
    // Known at both gateways from here on.
    expectStatus(await program.get("/api/users/me"), 200);
    expect(await hello(token)).toMatchObject({ t: "welcome" });
    const { accessToken } = expectStatus(await post("token", { token }), 200).body;
    const early = await byProvider(user.email);

    expectStatus(await stage.admin.post(`/api/users/${user.id}/deactivate`), 200);
    expectStatus(await login(user), 403);
    expectStatus(await post("refresh", { refreshToken }), 401);
    expectStatus(await post("reset-password", { token: reset, password: NEXT }), 403);
    expectStatus(await post("token", { token }), 401);
    for (const bearer of [program, stage.nobody.as(accessToken), me])
      expectStatus(await bearer.get("/api/users/me"), 401);
    expectStatus(await early.exchange(), 403);
    expectStatus(await (await byProvider(user.email)).exchange(), 403);
    for (const text of [token, accessToken, me.token as string]) await shut(stage.server, text);
    expect((await stage.admin.post("/api/auth/introspect", { token })).body).toEqual({ active: false });

    expectStatus(await stage.admin.post(`/api/users/${user.id}/activate`), 200);
    expectStatus(await login(user), 200);
    expectStatus(await program.get("/api/users/me"), 200);
    expectStatus(await (await byProvider(user.email)).exchange(), 200);
  });

  test("are closed to an e-mail that is not verified, also where a provider vouches for it (S09: REST)", async () => {
    const user = await invited("early");
    expectStatus(await login(user), 403);
    // Whoever registered with it may have invented it: its owner would share the account with him.
    expect((await byProvider(user.email)).code).toBe("#oidc_error=CONFLICT");
    await verify(user);
    const linked = expectStatus(await (await byProvider(user.email)).exchange(), 200).body;
    expect(linked.user.id).toBe(user.id);
  });

  test("are closed to whom a provider sends and nobody has invited (S09: REST)", async () => {
    const email = `${unique("stranger")}@example.org`;
    expect((await byProvider(email)).code).toBe("#oidc_error=FORBIDDEN");
    expect((await stage.admin.get(`/api/users?search=${email.split("@")[0]}`)).body.items).toEqual([]);
  });

  test("take the second factor where a password is set or something changes by it (S09: REST)", async () => {
    const { user, me } = await come("guarded");
    const { secret } = expectStatus(await me.post("/api/auth/totp", { password: PASSWORD }), 201).body;
    const totp = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
    const { recoveryCodes } = expectStatus(await me.post("/api/auth/totp/confirm", { code: totp }), 200).body;
    const codes = recoveryCodes as string[];
    const asked = { status: 401, body: { errors: [{ field: "code" }] } };
    // A 401 would tell clients that the session is over.
    const askedAgain = { ...asked, status: 403 };
    const changes: [string, object][] = [
      ["password", { currentPassword: PASSWORD, newPassword: NEXT }],
      ["username", { password: PASSWORD, username: unique("other") }],
      ["email", { password: PASSWORD, email: `${unique("other")}@example.org` }],
      ["deactivate", { password: PASSWORD }],
    ];
    for (const [path, body] of changes)
      for (const more of [{}, { code: totp }])
        expect(await me.post(`/api/auth/${path}`, { ...body, ...more })).toMatchObject(askedAgain);
    const token = await resetToken(user);
    const reset = (more: object) => post("reset-password", { token, password: NEXT, ...more });
    expect(await reset({})).toMatchObject(asked);
    expectStatus(await login(user, { code: codes.pop() }), 200);
    // What was refused has left the link as it is.
    expectStatus(await reset({ code: codes.pop() }), 204);
    expect(await login(user, { password: NEXT })).toMatchObject(asked);
    const again = expectStatus(await login(user, { password: NEXT, code: codes.pop() }), 200).body;
    const late = stage.nobody.as(again.accessToken);
    expectStatus(await late.post("/api/auth/deactivate", { password: NEXT, code: codes.pop() }), 204);
  });
});
