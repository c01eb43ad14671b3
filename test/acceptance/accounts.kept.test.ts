import { expectStatus, Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { Postbox } from "../support/postbox";
import { describeEmbedded, describeOwn, startServer } from "../support/server";

const NEXT = "another-good-one";

const emailOf = (user: Client): string => user.user.email as string;

describeOwn("an account that somebody else was in", () => {
  let postbox: Postbox;
  let stage: Stage;

  beforeAll(async () => {
    postbox = await Postbox.open();
    stage = await Stage.on(await startServer({ env: { SMTP_URL: postbox.url } }));
  });
  afterAll(() => stage?.end());

  const post = (path: string, body: object) => stage.nobody.post(`/api/auth/${path}`, body);
  const confirm = (token = "") => post("email/confirm", { token });
  const reset = (token = "", password = NEXT) => post("reset-password", { token, password });
  const ask = (user: Client, email: string, password = user.password) =>
    user.post("/api/auth/email", { email, password });
  const begin = async (user: Client) => {
    const email = `${unique("other")}@example.org`;
    expectStatus(await ask(user, email), 202);
    return { email, link: (await postbox.letter(email, /Confirm/)).links.email };
  };
  const forgotten = async (user: Client) => {
    expectStatus(await post("forgot-password", { email: emailOf(user) }), 202);
    return (await postbox.letter(emailOf(user), /new password/)).links.reset;
  };

  test("is its owner's again with another password: no change of e-mail that was begun before goes on", async () => {
    const [one, other] = (await stage.users("one", "other")) as [Client, Client];
    const [taken, second] = [await begin(one), await begin(other)];
    expectStatus(await reset(await forgotten(one)), 204);
    const body = { currentPassword: other.password, newPassword: NEXT };
    expectStatus(await other.post("/api/auth/password", body), 204);
    for (const { link, email } of [taken, second]) {
      expectStatus(await confirm(link), 422);
      expectStatus(await post("login", { username: email, password: NEXT }), 401);
    }
    // What is begun from then on does.
    const email = `${unique("own")}@example.org`;
    expectStatus(await ask(other, email, NEXT), 202);
    expectStatus(await confirm((await postbox.letter(email, /Confirm/)).links.email), 204);
  });

  test("is not had by a link for a new password that is older than the last one, or than the address", async () => {
    const [one, other] = (await stage.users("one", "other")) as [Client, Client];
    const [old, stale] = [await forgotten(one), await forgotten(other)];
    const body = { currentPassword: one.password, newPassword: NEXT };
    expectStatus(await one.post("/api/auth/password", body), 204);
    expectStatus(await reset(old, "yet-another-one"), 422);
    expectStatus(await confirm((await begin(other)).link), 204);
    expectStatus(await reset(stale, "yet-another-one"), 422);
    expectStatus(await post("login", { username: one.username, password: NEXT }), 200);
    expectStatus(await post("login", { username: other.username, password: other.password }), 200);
  });

  test("sends nobody more than a few mails that he has not asked for", async () => {
    const [one, other] = (await stage.users("one", "other")) as [Client, Client];
    const email = `${unique("bystander")}@example.org`;
    for (let n = 0; n < 5; n++) expectStatus(await ask(one, email), 202);
    for (const by of [one, other]) {
      const refused = expectStatus(await ask(by, email.toUpperCase()), 429);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(3_000);
    }
    // Nor his own address without end, by ever other ones.
    expectStatus(await ask(one, `${unique("next")}@example.org`), 429);
    expectStatus(await ask(other, `${unique("next")}@example.org`), 202);
    for (let n = 0; n < 5; n++) expectStatus(await stage.admin.post("/api/invitations", { email }), 201);
    expectStatus(await stage.admin.post("/api/invitations", { email }), 429);
    await postbox.letter(email, /invites you/, 5);
    expect(postbox.letters.filter(({ to }) => to === email).length).toBeLessThanOrEqual(10);
  });

  test("lets nobody in by its invitations to roles that it has not any more", async () => {
    const PASSWORD = "a-good-password";
    const register = (invitation: string) => {
      const username = unique("invited");
      return post("register", { username, email: `${username}@example.org`, password: PASSWORD, invitation });
    };
    const roles = async (user: Client, ...held: string[]) =>
      expectStatus(await stage.admin.patch(`/api/users/${user.id}`, { roles: held }), 200);
    const makers = [];
    for (const name of ["demoted", "lower", "dormant", "removed"]) {
      const maker = await stage.withRoles(name, ["Admin"]);
      const body = { roles: ["Admin"], uses: 9 };
      makers.push({ maker, code: expectStatus(await maker.post("/api/invitations", body), 201).body.invitation });
    }
    const [demoted, lower, dormant, removed] = makers as [
      (typeof makers)[0],
      (typeof makers)[0],
      (typeof makers)[0],
      (typeof makers)[0],
    ];
    expect((await register(demoted.code)).body.user.roles).toEqual(["Admin"]);
    await roles(demoted.maker, "User");
    await roles(lower.maker, "Moderator");
    expectStatus(await stage.admin.post(`/api/users/${dormant.maker.id}/deactivate`), 200);
    expectStatus(await stage.admin.delete(`/api/users/${removed.maker.id}`), 204);
    for (const { code } of makers) expectStatus(await register(code), 403);
    await roles(lower.maker, "Admin");
    expectStatus(await register(lower.code), 201);
  });

  test("is removed by nobody who has but a token of a program of its owner's", async () => {
    const user = await stage.user("owner");
    const scopes = ["admin", "users:write"];
    const { token } = expectStatus(await user.post("/api/auth/tokens", { name: "all", scopes }), 201).body;
    for (const query of ["", "?erase=true"])
      expectStatus(await stage.nobody.as(token).delete(`/api/users/${user.id}${query}`), 403);
    expectStatus(await user.delete(`/api/users/${user.id}`), 204);
  });

  test("leaves no address behind with the invitation that was for it alone", async () => {
    const email = `${unique("guest")}@example.org`;
    const invited = async (more: object) =>
      expectStatus(await stage.admin.post("/api/invitations", { expiresInDays: 300, uses: 2, ...more }), 201).body;
    const [own, open] = [await invited({ email }), await invited({})];
    const come = async (invitation: string, address: string) => {
      const body = { username: unique("guest"), email: address, password: NEXT, invitation };
      const { accessToken, user } = expectStatus(await post("register", body), 201).body;
      expectStatus(await stage.nobody.as(accessToken).delete(`/api/users/${user.id}?erase=true`), 204);
    };
    await come(own.invitation, email);
    await come(open.invitation, `${unique("guest")}@example.org`);
    const left = await eventually(
      "the invitation is gone",
      async () => (await stage.admin.get("/api/invitations")).body.items as { id: string; email?: string }[],
      items => items.every(({ id }) => id !== own.id),
    );
    expect(left.map(({ id }) => id)).toContain(open.id);
    expect(JSON.stringify(left)).not.toContain(email);
  });
});

describeEmbedded("mail that goes to the log", () => {
  test("can be used from there: each link stands on a line of its own, whatever it is for", async () => {
    const stage = await Stage.on(await startServer({ env: { LOG_LEVEL: "info" } }));
    const user = await stage.user("developer");
    const said = (link: RegExp) =>
      eventually(
        `a line with ${link}`,
        async () => link.exec(stage.server.output)?.[1],
        found => found !== undefined,
      );
    expectStatus(await stage.nobody.post("/api/auth/forgot-password", { email: emailOf(user) }), 202);
    const token = await said(/account\.html#reset\/([\w.-]+)( requestId=\S+)?$/m);
    expectStatus(await stage.nobody.post("/api/auth/reset-password", { token, password: NEXT }), 204);
    const me = await stage.nobody.post("/api/auth/login", { username: user.username, password: NEXT });
    const own = stage.nobody.as(expectStatus(me, 200).body.accessToken);
    const email = `${unique("next")}@example.org`;
    expectStatus(await own.post("/api/auth/email", { email, password: NEXT }), 202);
    const cancel = await said(/Stop the change:[^]*account\.html#email-cancel\/([\w.-]+)( requestId=\S+)?$/m);
    expectStatus(await stage.nobody.post("/api/auth/email/cancel", { token: cancel }), 204);
    await stage.end();
  });
});
