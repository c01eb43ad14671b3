import { Secret, TOTP } from "otpauth";
import type { AuditRecord } from "../../services/core/contract";
import { expectStatus, Stage, unique } from "../support/client";
import { eventually } from "../support/eventually";
import { Browser, CLIENT, IdentityProvider } from "../support/oidc";
import type { Body } from "../support/rest";
import { describeOwn, startServer } from "../support/server";

const PUBLIC = "http://chat.example.test";

describeOwn("the audit log of how people come and go", () => {
  let stage: Stage;
  let issuer: IdentityProvider;

  beforeAll(async () => {
    issuer = await IdentityProvider.start([`${PUBLIC}/api/auth/oidc/company/callback`]);
    const providers = [{ id: "company", name: "Company", issuer: issuer.issuer, ...CLIENT }];
    const env = { PUBLIC_URL: PUBLIC, OIDC_PROVIDERS: JSON.stringify(providers), GUESTS: "true" };
    stage = await Stage.on(await startServer({ env }));
  });
  afterAll(async () => {
    issuer?.stop();
    await stage?.end();
  });

  const post = async (path: string, body: object, status = 200): Promise<Body> =>
    expectStatus(await stage.nobody.post(`/api/auth/${path}`, body), status).body;
  const sessionOf = ({ refreshToken }: Body): string => (refreshToken as string).split(".")[0] as string;

  /**
   * What stands there of somebody, oldest first: what, by whom, to what, how, and more of it. As much as there is to be: a
   * busy server stores some after its answer.
   */
  async function recordsOf(person: string, count: number) {
    const ours = await eventually(
      `${count} records`,
      async () => {
        const { items, hasBefore } = expectStatus(await stage.admin.get("/api/audit?limit=100"), 200).body;
        expect(hasBefore).toBe(false);
        return (items as AuditRecord[]).filter(({ actor, object }) => [actor, object].includes(person));
      },
      ({ length }) => length >= count,
    );
    return ours.reverse().map(({ type, actor, object, result, detail }) => [type, actor, object, result, detail]);
  }

  test("has one record of each thing, and none of what only goes on", async () => {
    const ann = await stage.user("ann");
    const { id, username, password } = ann;
    const login = (more: object = {}, status = 200) => post("login", { username, password, ...more }, status);
    const none = undefined;
    const expected: unknown[][] = [["account.register", id, id, "ok", none]];

    await login({ password: "not-hers" }, 401);
    expected.push(["login", null, id, "refused", none]);
    const first = await login();
    expected.push(["login", id, id, "ok", none]);
    const renewed = await post("refresh", { refreshToken: first.refreshToken });
    const me = stage.nobody.as(renewed.accessToken);
    expectStatus(await me.post("/api/auth/deactivate", { password: "not-hers" }), 403);
    expected.push([...["reauthentication", id, id, "refused"], { what: "auth.deactivate", factor: "password" }]);
    expectStatus(await me.post("/api/auth/logout", { refreshToken: renewed.refreshToken }), 204);
    expected.push(["logout", id, sessionOf(first), "ok", none]);

    const second = await login();
    const [session, family] = (second.refreshToken as string).split(".");
    for (let again = 0; again < 2; again++)
      await post("refresh", { refreshToken: `${session}.${family}.${"A".repeat(43)}` }, 401);
    expected.push(["login", id, id, "ok", none], ["token.reuse", id, session, "refused", none]);

    const made = { name: "program", scopes: ["users:read"] };
    const token = expectStatus(await ann.post("/api/auth/tokens", made), 201).body;
    for (let again = 0; again < 2; again++) await post("token", { token: token.token });
    expectStatus(await stage.nobody.as(token.token).get("/api/users/me"), 200);
    expectStatus(await ann.delete(`/api/auth/tokens/${token.id}`), 204);
    expected.push(["token.create", id, token.id, "ok", none], ["token.revoke", id, token.id, "ok", none]);

    const { secret } = expectStatus(await ann.post("/api/auth/totp", { password }), 201).body;
    const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
    const { recoveryCodes } = expectStatus(await ann.post("/api/auth/totp/confirm", { code }), 200).body;
    await login({}, 401);
    await login({ code: "nonsense" }, 401);
    await login({ code: recoveryCodes[0] });
    expected.push(
      ["second-factor.change", id, id, "ok", { to: "on" }],
      ["login", null, id, "refused", { factor: "code" }],
      ["login", id, id, "ok", none],
    );
    expect(await recordsOf(id, expected.length)).toEqual(expected);
  });

  test("has guests and who comes by a provider, from their first time on", async () => {
    const guest = await post("guest", {}, 201);
    expectStatus(await stage.nobody.as(guest.accessToken).post("/api/auth/logout", {}), 204);
    const { id } = guest.user;
    expect(await recordsOf(id, 2)).toEqual([
      ["account.register", id, id, "ok", { guest: true }],
      ["logout", id, sessionOf(guest), "ok", undefined],
    ]);

    const name = unique("pat");
    await issuer.now(name, { preferred_username: name, email: `${name}@example.org`, email_verified: true });
    const arrive = async (): Promise<Body> => {
      const browser = new Browser(PUBLIC, stage.server.url);
      const { hash } = await browser.go(`${PUBLIC}/api/auth/oidc/company/start`);
      const init = {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ code: new URLSearchParams(hash.slice(1)).get("oidc") }),
      };
      return (await browser.fetch(`${PUBLIC}/api/auth/oidc/exchange`, init)).json();
    };
    const pat = (await arrive()).user.id as string;
    await arrive();
    expect(await recordsOf(pat, 3)).toEqual([
      ["account.register", pat, pat, "ok", { provider: "company" }],
      ["login", pat, pat, "ok", undefined],
      ["login", pat, pat, "ok", undefined],
    ]);
  });
});
