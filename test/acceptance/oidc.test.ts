import { Secret, TOTP } from "otpauth";
import { expectStatus, Stage, unique, type Client } from "../support/client";
import { Browser, CLIENT, IdentityProvider } from "../support/oidc";
import type { Body } from "../support/rest";
import { describeOwn, startServer } from "../support/server";

const PUBLIC = "http://chat.example.test";

describeOwn("sign-in with others", () => {
  let stage: Stage;
  let issuer: IdentityProvider;
  const redirect = (id: string): string => `${PUBLIC}/api/auth/oidc/${id}/callback`;

  beforeAll(async () => {
    issuer = await IdentityProvider.start([redirect("strict"), redirect("other")]);
    const common = { issuer: issuer.issuer, ...CLIENT };
    const providers = [
      {
        id: "strict",
        name: "Strict",
        ...common,
        roles: { claim: "realm.roles", map: { mods: "Moderator", chiefs: "Admin" } },
      },
      { id: "other", name: "Other", ...common },
      { id: "away", name: "Away", ...common, issuer: "http://127.0.0.1:9" },
    ];
    const env = { PUBLIC_URL: PUBLIC, OIDC_PROVIDERS: JSON.stringify(providers) };
    stage = await Stage.on(await startServer({ env }));
  });
  afterAll(async () => {
    issuer.stop();
    await stage.end();
  });

  const browser = (): Browser => new Browser(PUBLIC, stage.server.url);
  const start = (provider: string, returnTo = "/rooms?x=1"): string =>
    `${PUBLIC}/api/auth/oidc/${provider}/start?returnTo=${encodeURIComponent(returnTo)}`;
  const post = async (
    who: Browser,
    path: string,
    body: object,
    token?: string,
  ): Promise<{ status: number; body: Body }> => {
    const headers = {
      "content-type": "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    const answer = await who.fetch(PUBLIC + path, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: answer.status, body: await answer.json() };
  };
  const landed = (url: URL): string => new URLSearchParams(url.hash.slice(1)).get("oidc") ?? url.hash;
  const signIn = async (provider: string, who = browser()): Promise<Body> => {
    const { status, body } = await post(who, "/api/auth/oidc/exchange", {
      code: landed(await who.go(start(provider))),
    });
    if (status !== 200) throw new Error(JSON.stringify(body));
    return body;
  };
  /** Somebody at the provider, of whom it says this. */
  const person = async (claims: Record<string, unknown> = {}) => {
    const name = unique("pat");
    const own = {
      preferred_username: name,
      name: "Pat P",
      email: `${name}@example.org`,
      email_verified: true,
      ...claims,
    };
    await issuer.now(name, own);
    return { sub: name, ...own };
  };

  test("makes an account for a newcomer and finds it again; tokens are in no address, and the code is good once", async () => {
    expect((await stage.nobody.get("/api/auth/oidc")).body.items[0]).toEqual({ id: "strict", name: "Strict" });
    const pat = await person();
    const who = browser();
    const page = await who.go(start("strict"));
    expect([page.pathname, page.search]).toEqual(["/rooms", "?x=1"]);
    const code = landed(page);
    expect(await post(browser(), "/api/auth/oidc/exchange", { code })).toMatchObject({ status: 401 });
    const { status, body } = await post(who, "/api/auth/oidc/exchange", { code });
    expect([status, body.user]).toEqual([
      200,
      expect.objectContaining({
        username: pat.preferred_username,
        displayName: "Pat P",
        email: pat.email,
        roles: ["User"],
      }),
    ]);
    expect(await post(who, "/api/auth/oidc/exchange", { code })).toMatchObject({ status: 401 });
    for (const token of [body.accessToken, body.refreshToken]) expect(who.visited.join()).not.toContain(token);
    expect((await stage.nobody.as(body.accessToken).get("/api/users/me")).body).toMatchObject({ id: body.user.id });

    // Another name and address, the same subject: the same person.
    await issuer.now(pat.sub, { ...pat, preferred_username: "somebody-else", email: "other@example.org" });
    expect((await signIn("strict")).user).toMatchObject({ id: body.user.id, username: pat.preferred_username });
    // The same name, another subject: another person.
    await person({ preferred_username: pat.preferred_username });
    const other = (await signIn("strict")).user;
    expect(other.id).not.toBe(body.user.id);
    expect(other.username).toMatch(new RegExp(`^${pat.preferred_username}-`));
  });

  test("gives and takes the roles that the provider's claims lead to, at each sign-in, and never the last Admin's", async () => {
    const pat = await person({ realm: { roles: ["mods", "nonsense"] } });
    const first = await signIn("strict");
    expect(first.user.roles).toEqual(["User", "Moderator"]);
    await issuer.now(pat.sub, { ...pat, realm: { roles: [] } });
    const second = await signIn("strict");
    expect(second.user.roles).toEqual(["User"]);
    // The token of the former sign-in has lost them too.
    expect((await stage.nobody.as(first.accessToken).get("/api/users/me")).status).toBe(401);
    const records = await stage.admin.get(`/api/audit?type=roles.change&object=${second.user.id}`);
    expect((records.body.items as object[]).reverse()).toMatchObject(
      ["User,Moderator", "User"].map(roles => ({ actor: null, result: "ok", detail: { roles, provider: "strict" } })),
    );
    await issuer.now(pat.sub, { ...pat, realm: { roles: ["chiefs"] } });
    const chief = await signIn("strict");
    expect(chief.user.roles).toEqual(["User", "Admin"]);
    const demoted = { roles: ["User"] };
    const asChief = stage.nobody.as(chief.accessToken);
    expectStatus(await asChief.patch(`/api/users/${stage.admin.id}`, demoted), 200);
    await issuer.now(pat.sub, { ...pat, realm: { roles: [] } });
    expect((await signIn("strict")).user.roles).toEqual(["User", "Admin"]);
    const again = await signIn("strict");
    expectStatus(
      await stage.nobody.as(again.accessToken).patch(`/api/users/${stage.admin.id}`, { roles: ["Admin"] }),
      200,
    );
    expect((await signIn("strict")).user.roles).toEqual(["User"]);
    await refresh(stage.admin);
  });

  async function refresh(client: Client): Promise<void> {
    Object.assign(client, { token: (await stage.login(client)).token });
  }

  test("takes nobody else's account by its e-mail, and knows nobody by one that the provider has not verified", async () => {
    const ann = await stage.user("ann");
    const email = `${ann.username}@example.org`;
    await person({ email });
    expect((await browser().go(start("strict"))).hash).toBe("#oidc_error=CONFLICT");
    const unsure = await person({ email, email_verified: false });
    const stranger = (await signIn("other")).user;
    expect(stranger.id).not.toBe(ann.id);
    expect(stranger.email).toBeUndefined();
    expect(stranger.username).toBe(unsure.preferred_username);
  });

  test("links to one who is signed in, after his password; his second factor is asked for here too", async () => {
    const [ann, eve] = (await stage.users("ann", "eve")) as [Client, Client];
    const pat = await person({ email: `${unique("x")}@example.org` });
    const who = browser();
    const link = (body: object, by = ann) =>
      post(who, "/api/auth/oidc/strict/link", { returnTo: "/settings", ...body }, by.token);
    expect((await link({})).status).toBe(403);
    expect((await link({ password: "not this one" })).status).toBe(403);
    const { url } = (await link({ password: ann.password })).body;
    expect(landed(await who.go(url))).toBe("linked");
    const { items } = (await ann.get("/api/auth/identities")).body;
    expect(items).toMatchObject([{ provider: "strict", issuer: issuer.issuer, name: pat.email }]);
    expect((await signIn("strict")).user.id).toBe(ann.id);
    const stolen = (await link({ password: eve.password }, eve)).body;
    expect((await who.go(stolen.url)).hash).toBe("#oidc_error=CONFLICT");

    const { secret } = (await ann.post("/api/auth/totp", { password: ann.password })).body;
    const totp = (step: number): string =>
      new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + step * 30_000 });
    expectStatus(await ann.post("/api/auth/totp/confirm", { code: totp(0) }), 200);
    const code = landed(await who.go(start("strict")));
    const exchange = (more: object) => post(who, "/api/auth/oidc/exchange", { code, ...more });
    expect(await exchange({})).toMatchObject({ status: 401, body: { errors: [{ field: "totp" }] } });
    expect(await exchange({ totp: "nonsense" })).toMatchObject({ status: 401, body: { errors: [{ field: "totp" }] } });
    expect(await exchange({ totp: totp(1) })).toMatchObject({ status: 200, body: { user: { id: ann.id } } });

    expect((await eve.delete(`/api/auth/identities/${items[0].id}`)).status).toBe(404);
    expect((await ann.delete(`/api/auth/identities/${items[0].id}`)).status).toBe(204);
    const newcomer = await signIn("strict");
    expect(newcomer.user.id).not.toBe(ann.id);
    const own = stage.nobody.as(newcomer.accessToken);
    const [only] = (await own.get("/api/auth/identities")).body.items;
    expect((await own.delete(`/api/auth/identities/${only.id}`)).status).toBe(409);
    expect((await own.post("/api/auth/totp", { password: "none-at-all" })).status).toBe(409);
  });

  test("links to nobody whose session has ended since he asked for it", async () => {
    const [signedOut, changed, removed] = (await stage.users("out", "changed", "removed")) as [Client, Client, Client];
    const own = await stage.login(changed);
    const endings = [
      { user: signedOut, end: () => signedOut.post("/api/auth/logout", {}) },
      {
        user: changed,
        end: () =>
          own.post("/api/auth/password", { currentPassword: changed.password, newPassword: "another-good-one" }),
      },
      { user: removed, end: () => removed.delete(`/api/users/${removed.id}?erase=true`) },
    ];
    for (const { user, end } of endings) {
      await person({ email: `${unique("x")}@example.org` });
      const who = browser();
      const { url } = (await post(who, "/api/auth/oidc/strict/link", { password: user.password }, user.token)).body;
      expectStatus(await end(), 204);
      expect((await who.go(url)).hash).toBe("#oidc_error=UNAUTHENTICATED");
      // He is a stranger there, as before.
      expect((await signIn("strict")).user.id).not.toBe(user.id);
    }
  });

  test("ends in the browser it began in, once, and leads to pages of this origin alone", async () => {
    await person();
    const [victim, thief] = [browser(), browser()];
    const toProvider = (await thief.fetch(start("strict"))).headers.get("location") as string;
    // The thief's own callback, which he has somebody else's browser open.
    let callback = toProvider;
    while (!callback.startsWith(PUBLIC))
      callback = new URL((await thief.fetch(callback)).headers.get("location") as string, callback).href;
    expect((await victim.go(callback)).hash).toBe("#oidc_error=UNAUTHENTICATED");
    await victim.go(start("other"));
    expect((await victim.go(callback)).hash).toBe("#oidc_error=UNAUTHENTICATED");
    const other = callback.replace("/strict/", "/other/");
    expect((await thief.go(other)).hash).toBe("#oidc_error=UNAUTHENTICATED");
    expect(landed(await thief.go(callback))).toMatch(/^[\w-]{43}$/);
    expect((await thief.go(callback)).hash).toBe("#oidc_error=UNAUTHENTICATED");

    for (const bad of ["//evil.example", "/\\evil.example", "https://evil.example", "rooms", "/a#b", "/a b"])
      expect((await browser().fetch(start("strict", bad))).status).toBe(422);
    for (const odd of ["/\u0001", "/\u007f", "/\ud800"]) {
      const [ann] = (await stage.users("ann")) as [Client];
      const body = { password: ann.password, returnTo: odd };
      expect((await post(browser(), "/api/auth/oidc/strict/link", body, ann.token)).status).toBe(422);
    }
    const far = await browser().go(start("away", "/r\u00e4ume/\u6f22"));
    expect(far.pathname + far.hash).toBe("/r%C3%A4ume/%E6%BC%A2#oidc_error=UNAVAILABLE");
    await issuer.now("nobody");
    expect((await browser().go(start("strict"))).hash).toBe("#oidc_error=UNAUTHENTICATED");
    const away = await browser().go(start("away"));
    expect(away.pathname + away.search + away.hash).toBe("/rooms?x=1#oidc_error=UNAVAILABLE");
    expect((await browser().fetch(start("unknown"))).status).toBe(404);
    expect(stage.server.output).not.toContain(CLIENT.clientSecret);
  });
});
