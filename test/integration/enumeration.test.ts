import type { ServiceBroker } from "moleculer";
import { call } from "../../services/core/contract";
import Auth from "../../services/auth/auth.service";
import Presence from "../../services/presence/presence.service";
import Users from "../../services/users/users.service";
import { identity, startNode } from "../support/broker";

const PASSWORD = "a-good-password";
let count = 0;
const fresh = () => `somebody${++count}`;

/** Hashes and comparisons: all that takes long enough to be measured from outside. */
describe("the work of an answer", () => {
  let node: ServiceBroker;
  let hashing: { completed: number };

  beforeAll(async () => {
    const env = { EMAIL_VERIFICATION: "required", GUESTS: "true" };
    node = await startNode({ services: [Users, Auth, Presence], env });
    const auth = node.getLocalService("auth") as unknown as { passwords: { pool: { completed: number } } };
    hashing = auth.passwords.pool;
    // What is compared with for those who have no password is made once.
    await work(() => login("nobody"));
  });

  const emailOf = (name: string): string => `${name}@example.org`;
  const register = (username: string, email = emailOf(username)) =>
    call(node, "auth.register", { username, email, password: PASSWORD });
  const login = (username: string, password = "not-this-one") => call(node, "auth.login", { username, password });
  const admin = () => identity(undefined, ["Admin"]);

  /** How it was answered, and hashes made for it. */
  async function work(ask: () => Promise<unknown>): Promise<{ answer: string; hashes: number }> {
    const before = hashing.completed;
    const answer = await ask().then(
      value => JSON.stringify(value),
      (error: { type: string; code: number; message: string; data?: unknown }) =>
        JSON.stringify([error.type, error.code, error.message, error.data]),
    );
    return { answer, hashes: hashing.completed - before };
  }
  /** Someone whose e-mail is his, as the link in the mail would have it. */
  async function known(): Promise<{ id: string; username: string }> {
    const { user } = await register(fresh());
    await call(node, "users.verified", { id: user.id, email: user.email as string });
    return user;
  }

  it("to a sign-in is the same whoever is named, by name or e-mail, if anybody is (S10: REST)", async () => {
    const [one, gone, unverified] = [await known(), await known(), (await register(fresh())).user];
    await call(node, "users.deactivate", { id: gone.id }, { meta: { user: admin() } } as never);
    const bot = await call(node, "users.createBot", { username: fresh() }, { meta: { user: admin() } } as never);
    const guest = await call(node, "auth.guest", {});
    const names = [
      ...[one, gone, unverified].flatMap(({ username }) => [
        username,
        emailOf(username),
        emailOf(username).toUpperCase(),
      ]),
      ...[bot.username, guest.user.username, fresh(), emailOf(fresh()), ` ${one.username} `, "@", "x@"],
    ];
    const found = [];
    for (const name of names) found.push({ name, ...(await work(() => login(name))) });
    for (const { name, answer, hashes } of found) expect([name, answer, hashes]).toEqual([name, found[0]?.answer, 1]);
    expect(found[0]?.answer).toContain("UNAUTHENTICATED");
    expect((await login(one.username, PASSWORD)).user.id).toBe(one.id);
  });

  it("to whoever registers is the same if somebody has the e-mail, and so is what he can do then (S10: REST)", async () => {
    const owner = await known();
    const [taken, free] = [fresh(), fresh()];
    const shape = (text: string, name: string) =>
      text
        .replaceAll(name, "NAME")
        .replace(/"id":"[^"]*"/, "ID")
        .replace(/"createdAt":"[^"]*"/, "AT");
    const address = "fresh-address@example.org";
    const refused = await work(() => register(taken, emailOf(owner.username).toUpperCase()));
    const made = await work(() => register(free, address));
    expect(refused.hashes).toBe(made.hashes);
    expect(shape(refused.answer, taken).replace(emailOf(owner.username).toUpperCase(), "MAIL")).toBe(
      shape(made.answer, free).replace(address, "MAIL"),
    );
    // By the name it is his, by the e-mail nobody's; the same for both.
    for (const [name, email] of [
      [taken, emailOf(owner.username)],
      [free, address],
    ] as const) {
      expect(await work(() => login(name, PASSWORD))).toMatchObject({ answer: expect.stringContaining("FORBIDDEN") });
      expect(await work(() => login(email, "not-this-one"))).toMatchObject({
        answer: expect.stringContaining("UNAUTHENTICATED"),
        hashes: 1,
      });
      expect((await work(() => register(name, emailOf(fresh())))).answer).toContain("CONFLICT");
      expect((await work(() => register(fresh(), email))).answer).toContain('"verification":"required"');
    }
    const byMail = [await work(() => login(address, PASSWORD)), await work(() => login(emailOf(fresh()), PASSWORD))];
    expect(byMail[0]).toEqual(byMail[1]);
    expect((await login(emailOf(owner.username), PASSWORD)).user.id).toBe(owner.id);
  });

  it("to who asks for a mail is none, and the same for everybody (S10: REST)", async () => {
    const one = await known();
    for (const action of ["auth.forgotPassword", "auth.forgotUsername", "auth.resendVerification"] as const) {
      const answers = [];
      for (const email of [emailOf(one.username), emailOf(fresh())])
        answers.push(await work(() => call(node, action, { email })));
      expect([action, answers]).toEqual([action, [answers[0], { answer: answers[0]?.answer, hashes: 0 }]]);
    }
  });
});
