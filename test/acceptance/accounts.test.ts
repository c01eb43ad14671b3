import { expectStatus, say, Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { Postbox } from "../support/postbox";
import { describeOwn, startServer } from "../support/server";

const NEXT = "another-good-one";

describeOwn("accounts", () => {
  let postbox: Postbox;
  let stage: Stage;

  beforeAll(async () => {
    postbox = await Postbox.open();
    const env = {
      SMTP_URL: postbox.url,
      MAIL_FROM: "Rookery <chat@example.com>",
      PUBLIC_URL: "https://chat.example.com/",
      GUESTS: "true",
    };
    stage = await Stage.on(await startServer({ env }));
  });
  afterAll(() => stage?.end());

  const emailOf = (user: Client): string => user.user.email as string;
  const login = (username: string, password: string) => stage.nobody.post("/api/auth/login", { username, password });
  const forgot = (email: string) => stage.nobody.post("/api/auth/forgot-password", { email });
  const refresh = ({ refreshToken }: Client) => stage.nobody.post("/api/auth/refresh", { refreshToken });
  const works = async (user: Client): Promise<boolean> => (await user.get("/api/users/me")).status === 200;

  describe("a forgotten password", () => {
    test("is set anew by the link in a mail, once, and all sessions end", async () => {
      const user = await stage.user("forgot");
      const socket = await user.socket();
      expectStatus(await forgot(emailOf(user).toUpperCase()), 202);
      const mail = await postbox.letter(emailOf(user), /new password/);
      expect(mail.text).toContain(`Hello ${user.username}`);
      expect(mail.text).toContain("https://chat.example.com/account.html#reset/");
      expect(mail.html).toContain(`href="https://chat.example.com/account.html#reset/`);
      expect(mail.headers["from"]).toBe("Rookery <chat@example.com>");
      const token = mail.links.reset as string;
      const reset = (password: string) => stage.nobody.post("/api/auth/reset-password", { token, password });
      // What is refused leaves the link as it is.
      expectStatus(await reset("12345678"), 422);
      expectStatus(await reset(user.username), 422);
      const answers = await Promise.all([reset(NEXT), reset(NEXT)]);
      expect(answers.map(({ status }) => status).sort()).toEqual([204, 422]);
      expect(await socket.untilClosed()).toMatchObject({ code: 4101 });
      expectStatus(await refresh(user), 401);
      expect(await works(user)).toBe(false);
      expectStatus(await login(user.username, user.password), 401);
      expectStatus(await login(user.username, NEXT), 200);
      const told = await postbox.letter(emailOf(user), /was changed/);
      expect(told.text).toMatch(/does not end what was made there/);
      expectStatus(await reset("and-yet-another"), 422);
    });

    test("is answered with the same bytes for whom nobody knows, who gets no mail (S10: REST)", async () => {
      const user = await stage.user("known");
      const nobody = `${unique("nobody")}@example.org`;
      for (const path of ["forgot-password", "forgot-username", "verify/resend"]) {
        const ask = (email: string) => stage.nobody.post(`/api/auth/${path}`, { email });
        const [known, unknown] = [await ask(emailOf(user)), await ask(nobody)];
        expect([known.status, unknown.status]).toEqual([202, 202]);
        expect(unknown.body).toEqual(known.body);
      }
      await postbox.letter(emailOf(user), /new password/);
      await postbox.letter(emailOf(user), /user name/);
      expect(postbox.letters.filter(({ to }) => to === nobody)).toEqual([]);
    });

    test("takes the last link alone", async () => {
      const user = await stage.user("twice");
      expectStatus(await forgot(emailOf(user)), 202);
      const first = await postbox.letter(emailOf(user), /new password/);
      expectStatus(await forgot(emailOf(user)), 202);
      const second = await postbox.letter(emailOf(user), /new password/, 2);
      const reset = (token = "") => stage.nobody.post("/api/auth/reset-password", { token, password: NEXT });
      expectStatus(await reset(first.links.reset), 422);
      expectStatus(await reset(`${second.links.reset}x`), 422);
      expectStatus(await reset("nonsense"), 422);
      expectStatus(await reset(second.links.reset), 204);
    });

    test("gets its mail when the mail server comes to itself", async () => {
      const user = await stage.user("later");
      postbox.refuse = 1;
      expectStatus(await forgot(emailOf(user)), 202);
      const { links } = await postbox.letter(emailOf(user), /new password/);
      expectStatus(await stage.nobody.post("/api/auth/reset-password", { token: links.reset, password: NEXT }), 204);
    });
  });

  test("a forgotten user name comes by mail", async () => {
    const user = await stage.user("name");
    expectStatus(await stage.nobody.post("/api/auth/forgot-username", { email: emailOf(user) }), 202);
    expect((await postbox.letter(emailOf(user), /user name/)).text).toContain(user.username);
  });

  describe("a password", () => {
    test("is changed by who knows it, and the other sessions end (S17: REST)", async () => {
      const user = await stage.user("change");
      const other = await stage.login(user);
      const [mine, theirs] = [await user.socket(), await other.socket()];
      const change = (currentPassword: string, newPassword: string) =>
        user.post("/api/auth/password", { currentPassword, newPassword });
      expectStatus(await change("not-this-one", NEXT), 403);
      expectStatus(await change(user.password, "iloveyou1"), 422);
      expectStatus(await change(user.password, "x".repeat(73)), 422);
      expectStatus(await change(user.password, NEXT), 204);
      expect(await theirs.untilClosed()).toMatchObject({ code: 4103 });
      expectStatus(await refresh(other), 401);
      expect(await works(other)).toBe(false);
      expect(await works(user)).toBe(true);
      expect(await mine.request({ t: "ping" })).toMatchObject({ t: "pong" });
      expectStatus(await refresh(user), 200);
      expectStatus(await login(user.username, user.password), 401);
      expectStatus(await login(user.username, NEXT), 200);
    });

    test.each([
      ["common", "Password1"],
      ["common", "qwertyuiop"],
    ])("that is %s is refused: %s (S12: REST)", async (_, password) => {
      const username = unique("weak");
      const answer = await stage.nobody.post("/api/auth/register", {
        username,
        email: `${username}@example.org`,
        password,
      });
      expect(answer).toMatchObject({ status: 422, body: { errors: [{ field: "password" }] } });
    });
  });

  test("a password of one kind of characters is as good as any (S12: REST)", async () => {
    for (const password of ["rookeriesandravens", "8204617395"]) {
      const user = await stage.user("plain", { password });
      expectStatus(await login(user.username, password), 200);
    }
  });

  test("sessions are listed to their owner, and ended one by one or all others at once (S17: REST)", async () => {
    const user = await stage.user("sessions");
    const others = [await stage.login(user), await stage.login(user), await stage.login(user)] as const;
    const stranger = await stage.user("stranger");
    const list = async () => expectStatus(await user.get("/api/auth/sessions"), 200).body.items;
    const all = await list();
    expect(all).toHaveLength(4);
    expect(all.filter(({ current }: { current: boolean }) => current)).toHaveLength(1);
    expect(all[0]).toEqual({
      id: expect.any(String),
      createdAt: expect.any(String),
      lastUsedAt: expect.any(String),
      address: expect.any(String),
      userAgent: expect.any(String),
      current: false,
    });
    const last = (await others[2].get("/api/auth/sessions")).body.items.find(
      ({ current }: { current: boolean }) => current,
    );
    expectStatus(await stranger.delete(`/api/auth/sessions/${last.id}`), 404);
    const socket = await others[2].socket();
    expectStatus(await user.delete(`/api/auth/sessions/${last.id}`), 204);
    expect(await socket.untilClosed()).toMatchObject({ code: 4103 });
    expectStatus(await refresh(others[2]), 401);
    expectStatus(await user.delete(`/api/auth/sessions/${last.id}`), 404);
    expect(await list()).toHaveLength(3);
    expectStatus(await user.delete("/api/auth/sessions"), 204);
    expect(await list()).toMatchObject([{ current: true }]);
    expect(await Promise.all([user, others[0], others[1]].map(works))).toEqual([true, false, false]);
  });

  test("a user name changes with the password, and only to one that is free", async () => {
    const user = await stage.user("before");
    const taken = await stage.user("taken");
    const username = unique("after");
    const change = (name: string, password = user.password) =>
      user.post("/api/auth/username", { username: name, password });
    expectStatus(await change(username, "not-this-one"), 403);
    expectStatus(await change(taken.username.toUpperCase()), 409);
    expectStatus(await change("all"), 422);
    expect(expectStatus(await change(username), 200).body).toMatchObject({ id: user.id, username });
    expectStatus(await login(username, user.password), 200);
    expectStatus(await login(user.username, user.password), 401);
    expect((await taken.get(`/api/users/${user.id}`)).body.username).toBe(username);
  });

  describe("an e-mail", () => {
    const begin = async (name: string) => {
      const user = await stage.user(name);
      const email = `${unique("new")}@example.org`;
      expectStatus(await user.post("/api/auth/email", { email, password: "not-this-one" }), 403);
      expectStatus(await user.post("/api/auth/email", { email, password: user.password }), 202);
      const fresh = await postbox.letter(email, /Confirm/);
      const old = await postbox.letter(emailOf(user), /about to change/);
      return { user, email, fresh, old };
    };
    const confirm = (token = "") => stage.nobody.post("/api/auth/email/confirm", { token });
    const cancel = (token = "") => stage.nobody.post("/api/auth/email/cancel", { token });
    const current = async (user: Client) => (await user.get("/api/users/me")).body.email as string;

    test("changes by the link that the new address gets; the old one is told", async () => {
      const { user, email, fresh, old } = await begin("mail");
      expect(await current(user)).toBe(emailOf(user));
      expect(old.text).toContain(email);
      expect(old.links).toEqual({ "email-cancel": expect.any(String) });
      expectStatus(await confirm(fresh.links.email), 204);
      expect(await current(user)).toBe(email);
      expectStatus(await confirm(fresh.links.email), 422);
      expectStatus(await cancel(old.links["email-cancel"]), 422);
      expectStatus(await login(email, user.password), 200);
    });

    test("stays if the old address stops it", async () => {
      const { user, fresh, old } = await begin("stopped");
      expectStatus(await cancel(old.links["email-cancel"]), 204);
      expectStatus(await confirm(fresh.links.email), 422);
      expect(await current(user)).toBe(emailOf(user));
    });

    test("that somebody else has is not told at once, and cannot be had (S10: REST)", async () => {
      const user = await stage.user("wants");
      const other = await stage.user("has");
      const body = { email: emailOf(other), password: user.password };
      expectStatus(await user.post("/api/auth/email", body), 202);
      const { links } = await postbox.letter(emailOf(other), /Confirm/);
      expectStatus(await confirm(links.email), 409);
      expect(await current(user)).toBe(emailOf(user));
    });
  });

  describe("a deactivated account", () => {
    test("comes in by no door until an administrator activates it; what it said stays", async () => {
      const user = await stage.user("gone");
      const peer = await stage.user("peer");
      const room = await stage.channel([user, peer]);
      const { id } = expectStatus(await user.post(`/api/channels/${room}/messages`, { text: "hello" }), 201).body;
      expectStatus(await forgot(emailOf(user)), 202);
      const { links } = await postbox.letter(emailOf(user), /new password/);
      const socket = await user.socket();
      expectStatus(await peer.post(`/api/users/${user.id}/deactivate`), 403);
      expect(expectStatus(await stage.admin.post(`/api/users/${user.id}/deactivate`), 200).body.deactivated).toBe(true);
      expect(await socket.untilClosed()).toMatchObject({ code: 4503 });
      expect(await works(user)).toBe(false);
      expectStatus(await refresh(user), 401);
      const wrong = await login(user.username, "not-this-one");
      expect(wrong).toMatchObject({ status: 401, body: (await login(unique("no"), "not-this-one")).body });
      expect(await login(user.username, user.password)).toMatchObject({
        status: 403,
        body: { detail: "The account is deactivated." },
      });
      const reset = { token: links.reset, password: NEXT };
      expectStatus(await stage.nobody.post("/api/auth/reset-password", reset), 403);
      expect((await peer.get(`/api/messages/${id}`)).body).toMatchObject({ text: "hello", senderId: user.id });
      const found = async (by: Client) => (await by.get(`/api/users?search=${user.username}`)).body.items.length;
      expect([await found(peer), await found(stage.admin)]).toEqual([0, 1]);
      expectStatus(await stage.admin.post(`/api/users/${user.id}/activate`), 200);
      expectStatus(await login(user.username, user.password), 200);
      expect(await found(peer)).toBe(1);
    });

    test("may be one's own, with the password; not the last administrator's", async () => {
      const user = await stage.user("leaves");
      expectStatus(await user.post("/api/auth/deactivate", { password: "not-this-one" }), 403);
      expectStatus(await user.post("/api/auth/deactivate", { password: user.password }), 204);
      expect(await works(user)).toBe(false);
      expectStatus(await login(user.username, user.password), 403);
      const { password } = stage.admin;
      expectStatus(await stage.admin.post("/api/auth/deactivate", { password }), 409);
      expectStatus(await stage.admin.post(`/api/users/${stage.admin.id}/deactivate`), 409);
    });
  });

  describe("an erased account", () => {
    const gone = (id: string) =>
      eventually(
        "the erasure is done",
        async () => (await stage.admin.get(`/api/users/${id}/erasure`)).body,
        ({ state }) => state === "done",
      );

    test("leaves tombstones, no reaction, no name and no e-mail", async () => {
      const [user, peer] = (await stage.users("leaver", "peer")) as [Client, Client];
      const room = await stage.channel([user, peer]);
      const direct = await stage.direct(user, peer);
      const file = expectStatus(await user.raw("POST", "/api/files?name=x.txt", "text", {}), 201).body.id as string;
      const mine = [
        await say(user, room, "a secret"),
        await say(user, room, "with a file", { attachments: [file] }),
        (await user.post(`/api/conversations/${direct}/messages`, { text: "another" })).body,
      ];
      expectStatus(await user.patch(`/api/messages/${mine[0].id}`, { text: "a changed secret" }), 200);
      const theirs = await say(peer, room, `hello @${user.username}`);
      expect(theirs.mentions).toEqual([user.id]);
      expectStatus(await user.put(`/api/messages/${theirs.id}/reactions/${encodeURIComponent("👍")}`), 200);
      expectStatus(await peer.delete(`/api/users/${user.id}?erase=true`), 403);
      expectStatus(await stage.admin.get(`/api/users/${user.id}/erasure`), 404);
      const watching = await peer.socket([room]);
      expectStatus(await user.delete(`/api/users/${user.id}?erase=true`), 204);
      expect(await gone(user.id)).toMatchObject({ messages: 3, finishedAt: expect.any(String) });
      for (const { id } of mine) {
        const { body } = await peer.get(`/api/messages/${id}`);
        expect(body).toMatchObject({ senderId: user.id, text: "", attachments: [], deletedAt: expect.any(String) });
        expect((await stage.admin.get(`/api/messages/${id}/versions`)).body.items).toEqual([]);
      }
      const kept = (await peer.get(`/api/messages/${theirs.id}`)).body;
      expect(kept.reactions).toBeUndefined();
      // Words of others are theirs. Whom they meant is an id, which leads to nobody.
      expect(kept).toMatchObject({ text: theirs.text, mentions: [user.id] });
      expect(JSON.stringify({ ...kept, text: "" })).not.toContain(user.username);
      await watching.frame("the tombstone", ({ kind, data }) => kind === "delete" && data.id === mine[0].id);
      expectStatus(await peer.get(`/api/files/${file}`), 404);
      expectStatus(await peer.get(`/api/users/${user.id}`), 404);
      expectStatus(await login(user.username, user.password), 401);
      const again = { username: user.username, email: `${unique("x")}@example.org`, password: "a-good-password" };
      expectStatus(await stage.nobody.post("/api/auth/register", again), 409);
      expectStatus(await peer.get(`/api/users/${user.id}/erasure`), 403);
    });

    test("may have been deleted before; a hold keeps its words for who manages channels", async () => {
      const user = await stage.user("held");
      const room = await stage.channel([user]);
      const { id } = await say(user, room, "kept");
      expectStatus(await stage.admin.patch(`/api/channels/${room}`, { legalHold: true }), 200);
      expectStatus(await stage.admin.delete(`/api/users/${user.id}`), 204);
      expect((await stage.admin.get(`/api/messages/${id}`)).body.text).toBe("kept");
      expectStatus(await stage.admin.delete(`/api/users/${user.id}?erase=true`), 204);
      expectStatus(await stage.admin.delete(`/api/users/${user.id}?erase=true`), 204);
      await gone(user.id);
      expect((await stage.admin.get(`/api/messages/${id}`)).body.text).toBe("");
      expect((await stage.admin.get(`/api/messages/${id}/versions`)).body.items).toMatchObject([{ text: "kept" }]);
    });
  });

  test("a guest comes in with a name of his own and no more rights than a guest has", async () => {
    const answer = expectStatus(await stage.nobody.post("/api/auth/guest", { displayName: "Just Me" }), 201);
    const { user, accessToken, refreshToken } = answer.body;
    expect(user).toMatchObject({
      displayName: "Just Me",
      roles: ["Guest"],
      username: expect.stringMatching(/^guest-/),
    });
    expect(user.email).toBeUndefined();
    const guest = stage.nobody.as(accessToken);
    expectStatus(await guest.get("/api/users/me"), 200);
    expectStatus(await guest.post("/api/invitations", {}), 403);
    expectStatus(await stage.nobody.post("/api/auth/refresh", { refreshToken }), 200);
    expectStatus(await stage.nobody.post("/api/auth/guest"), 201);
  });
});

describeOwn("accounts of who is invited, with verified e-mail", () => {
  let postbox: Postbox;
  let stage: Stage;

  beforeAll(async () => {
    postbox = await Postbox.open();
    const env = { SMTP_URL: postbox.url, REGISTRATION: "invited", EMAIL_VERIFICATION: "required" };
    stage = await Stage.on(await startServer({ env }));
  });
  afterAll(() => stage?.end());

  const PASSWORD = "a-good-password";
  const login = (username: string, password = PASSWORD) => stage.nobody.post("/api/auth/login", { username, password });
  const invite = async (body: object) => expectStatus(await stage.admin.post("/api/invitations", body), 201).body;
  const register = (invitation?: string, email?: string) => {
    const username = unique("guest");
    const body = { username, email: email ?? `${username}@example.org`, password: PASSWORD };
    return stage.nobody.post("/api/auth/register", { ...body, ...(invitation !== undefined && { invitation }) });
  };
  const verify = (token = "") => stage.nobody.post("/api/auth/verify", { token });
  const newcomer = async () => {
    const { invitation } = await invite({});
    const { user } = expectStatus(await register(invitation), 201).body;
    expectStatus(await verify((await postbox.letter(user.email, /Verify/)).links.verify), 204);
    return user;
  };

  test("sign in once the e-mail is verified, and learn that only with the right password", async () => {
    const { invitation } = await invite({});
    const made = expectStatus(await register(invitation), 201);
    expect(made.body).toEqual({ user: expect.objectContaining({ roles: ["User"] }), verification: "required" });
    const { username, email } = made.body.user;
    expect((await login(username, "not-this-one")).body).toEqual((await login(unique("no"), "not-this-one")).body);
    expect(await login(username)).toMatchObject({ status: 403, body: { detail: expect.stringMatching(/Verify/) } });
    const first = await postbox.letter(email, /Verify/);
    expect(first.text).toContain(`an account with the user name ${username} was made with this address`);
    expectStatus(await stage.nobody.post("/api/auth/verify/resend", { email }), 202);
    const second = await postbox.letter(email, /Verify/, 2);
    expectStatus(await verify(first.links.verify), 422);
    expectStatus(await verify(second.links.verify), 204);
    expectStatus(await verify(second.links.verify), 422);
    expectStatus(await login(username), 200);
    expectStatus(await login(email), 200);
  });

  test("need an invitation that holds, is for them, and has a place left", async () => {
    expectStatus(await register(), 403);
    expectStatus(await register("nonsense"), 403);
    const { id, invitation } = await invite({ uses: 2, roles: ["Moderator"] });
    expectStatus(await register(`${invitation}x`), 403);
    const answers = await Promise.all([1, 2, 3].map(() => register(invitation)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 403]);
    const roles = answers.flatMap(({ body }) => body.user?.roles ?? []);
    expect(roles).toEqual(["Moderator", "Moderator"]);
    const shown = (await stage.admin.get("/api/invitations")).body.items.find((item: { id: string }) => item.id === id);
    expect(shown).toMatchObject({ uses: 2, used: 2, roles: ["Moderator"], createdBy: stage.admin.id });
    expect(shown.invitation).toBeUndefined();
    expect(JSON.stringify(shown)).not.toContain(invitation.split(".")[1]);

    const email = `${unique("invited")}@example.org`;
    const meant = await invite({ email });
    const { links, text } = await postbox.letter(email, /invites you/);
    expect(text).toContain("admin invites you");
    expect(links.invitation).toBe(meant.invitation);
    expectStatus(await register(meant.invitation), 403);
    expectStatus(await register(links.invitation, email), 201);

    const withdrawn = await invite({});
    expectStatus(await stage.admin.delete(`/api/invitations/${withdrawn.id}`), 204);
    expectStatus(await stage.admin.delete(`/api/invitations/${withdrawn.id}`), 404);
    expectStatus(await register(withdrawn.invitation), 403);
  });

  test("a place is given back by who could not register after all", async () => {
    const { invitation } = await invite({});
    const taken = await newcomer();
    const email = `${unique("other")}@example.org`;
    const body = { username: taken.username.toUpperCase(), email, password: PASSWORD, invitation };
    expectStatus(await stage.nobody.post("/api/auth/register", body), 409);
    expectStatus(await register(invitation), 201);
  });

  test("are invited by who may, to roles that may do no more than he", async () => {
    const user = await newcomer();
    const come = async () => stage.nobody.as(expectStatus(await login(user.username), 200).body.accessToken);
    expectStatus(await (await come()).post("/api/invitations", {}), 403);
    expectStatus(await stage.admin.patch(`/api/users/${user.id}`, { roles: ["Moderator"] }), 200);
    const moderator = await come();
    expectStatus(await moderator.post("/api/invitations", { roles: ["Admin"] }), 403);
    expectStatus(await moderator.post("/api/invitations", { roles: ["User"] }), 201);
    expect((await moderator.get("/api/invitations")).body.items).toHaveLength(1);
    const other = await invite({});
    expectStatus(await moderator.delete(`/api/invitations/${other.id}`), 404);
  });

  test("are not told that somebody has their e-mail: he is, and the account stays shut (S10: REST)", async () => {
    const owner = await newcomer();
    const come = async (email: string) => {
      const username = unique("late");
      const { invitation } = await invite({});
      const body = { username, email, password: PASSWORD, invitation };
      const answer = expectStatus(await stage.nobody.post("/api/auth/register", body), 201);
      const { user, verification } = answer.body as { user: object; verification: string };
      expect(user).toMatchObject({ username, email, roles: ["User"] });
      return { username, shape: [[...answer.headers].map(([name]) => name), Object.keys(user), verification] };
    };
    const [taken, free] = [await come(owner.email), await come(`${unique("free")}@example.org`)];
    expect(taken.shape).toEqual(free.shape);
    const told = await postbox.letter(owner.email, /already/);
    expect(told.text).toContain(`Hello ${owner.username}`);
    expect(told.text).not.toContain(taken.username);
    expect(told.links).not.toHaveProperty("verify");
    for (const { username } of [taken, free]) expectStatus(await login(username), 403);
    // Asked for again, it is the owner's matter still, who has nothing to verify.
    expectStatus(await stage.nobody.post("/api/auth/verify/resend", { email: owner.email }), 202);
    expectStatus(await login(owner.email), 200);
  });

  test("change their e-mail once both addresses have confirmed it", async () => {
    const user = await newcomer();
    const me = stage.nobody.as(expectStatus(await login(user.username), 200).body.accessToken);
    const email = `${unique("next")}@example.org`;
    expectStatus(await me.post("/api/auth/email", { email, password: PASSWORD }), 202);
    const fresh = await postbox.letter(email, /Confirm/);
    const old = await postbox.letter(user.email, /about to change/);
    const confirm = (token = "") => stage.nobody.post("/api/auth/email/confirm", { token });
    const current = async () => (await me.get("/api/users/me")).body.email;
    expectStatus(await confirm(fresh.links.email), 204);
    expectStatus(await confirm(fresh.links.email), 422);
    expect(await current()).toBe(user.email);
    expectStatus(await confirm(old.links.email), 204);
    expect(await current()).toBe(email);
  });

  test("no guests come in where they are not let", async () => {
    expectStatus(await stage.nobody.post("/api/auth/guest", {}), 403);
  });
});
