import { openDocuments } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { EMAIL_CHANGES, EmailChanges, type EmailChange } from "../../../services/auth/email-changes";
import { Links, LINKS, LinkSecrets, type Link } from "../../../services/auth/links";
import { letter } from "../../../services/auth/mail/letters";
import { Undeliverable, type Mail } from "../../../services/auth/mail/mail";
import { MAILS, Outbox, type MailRequest } from "../../../services/auth/mail/outbox";
import { RookeryError } from "../../../services/core/errors";
import { newId } from "../../../services/core/ids";
import { SECRET, TestClock } from "../../support/broker";
import { eventually } from "../../support/eventually";
import { temporaryFolder } from "../../support/temp";

const HOUR = 3_600_000;
const clock = new TestClock(Date.now());
const secrets = new LinkSecrets(SECRET);
let database: SqliteDatabase;

beforeEach(async () => {
  database = await SqliteDatabase.open(`${temporaryFolder()}/test.db`);
});
afterEach(() => database.close());

describe("the outbox", () => {
  const mail: Mail = { to: "ann@example.org", subject: "s", text: "t", html: "h" };
  let sent: string[];
  let lost: string[];

  let slow: Promise<void> | undefined;

  beforeEach(() => {
    [sent, lost, slow] = [[], [], undefined];
  });

  const outbox = async (fail: () => Error | null = () => null, write = async (): Promise<Mail | null> => mail) =>
    new Outbox({
      mails: await openDocuments<MailRequest>(database, MAILS),
      transport: {
        async send(_, id) {
          const error = fail();
          if (error) throw error;
          sent.push(id);
          await slow;
        },
        close: () => undefined,
      },
      clock,
      write,
      lost: why => lost.push(why),
      failed: () => undefined,
    });

  it("sends a mail once, though several nodes look at it", async () => {
    const nodes = [await outbox(), await outbox(), await outbox()] as const;
    await nodes[0].put({ kind: "reset", to: "ann@example.org" });
    // The mail is under way until the others have looked at it.
    let open = (): void => undefined;
    slow = new Promise(resolve => (open = resolve));
    let ended = 0;
    const sweeps = nodes.map(node => node.sweep().then(() => ended++));
    await eventually("all have sent or gone", () => ended + sent.length === nodes.length);
    open();
    await Promise.all(sweeps);
    expect(sent).toHaveLength(1);
    expect(await nodes[0].sweep()).toBe(0);
  });

  it("takes up what a node that died was sending, under the same id", async () => {
    const dying = await outbox(() => null);
    await dying.put({ kind: "reset", to: "ann@example.org" });
    const mails = await openDocuments<MailRequest>(database, MAILS);
    const [{ id }] = (await mails.find()) as [MailRequest];
    // It claimed the mail and sent it, and never came to remove it.
    await mails.update(id, known => ({ ...known, dueAt: clock.now() + 120_000, tries: 1 }));
    const other = await outbox();
    await other.sweep();
    expect(sent).toEqual([]);
    clock.advance(121_000);
    await other.sweep();
    expect(sent).toEqual([id]);
  });

  it("tries again with longer and longer pauses, and gives up after a day", async () => {
    let tries = 0;
    const node = await outbox(() => {
      tries++;
      return new Error("away");
    });
    await node.put({ kind: "reset", to: "ann@example.org" });
    for (let minute = 0; minute < 60; minute++, clock.advance(60_000)) await node.sweep();
    expect(tries).toBeGreaterThan(4);
    expect(tries).toBeLessThan(15);
    expect(lost).toEqual([]);
    for (let hour = 0; hour < 25; hour++, clock.advance(HOUR)) await node.sweep();
    expect(lost).toEqual(["given up after a day"]);
    expect(await node.sweep()).toBe(0);
  });

  it("drops at once what is refused for good, and what nobody is to get", async () => {
    const refused = await outbox(() => new Undeliverable("no such mailbox"));
    await refused.put({ kind: "reset", to: "ann@example.org" });
    await refused.sweep();
    expect(lost).toEqual(["no such mailbox"]);
    const nobody = await outbox(
      () => null,
      async () => null,
    );
    await nobody.put({ kind: "reset", to: "nobody@example.org" });
    await nobody.sweep();
    clock.advance(HOUR);
    expect(await nobody.sweep()).toBe(0);
    expect(sent).toEqual([]);
  });
});

describe("links", () => {
  const user = { id: newId(), email: "ann@example.org" };
  const links = async () => new Links(await openDocuments<Link>(database, LINKS), secrets, clock);
  const made = async (all: Links, mail = newId()) => (await all.issue("reset", user, mail)) as string;

  it("hold once, for their time, and not for another purpose", async () => {
    const all = await links();
    const token = await made(all);
    expect(await all.find("verify", token)).toBeNull();
    expect(await all.spend("verify", token)).toBe(false);
    expect(await all.find("reset", token)).toMatchObject({ userId: user.id });
    const spent = await Promise.all([1, 2, 3].map(() => all.spend("reset", token)));
    expect(spent.filter(Boolean)).toHaveLength(1);
    expect(await all.find("reset", token)).toBeNull();
    const late = await made(all);
    clock.advance(HOUR / 2);
    expect(await all.spend("reset", late)).toBe(false);
  });

  it("are the same when their mail is sent again, and stay spent", async () => {
    const [all, mail] = [await links(), newId()];
    const token = await made(all, mail);
    expect(await made(all, mail)).toBe(token);
    expect(await all.spend("reset", token)).toBe(true);
    expect(await all.issue("reset", user, mail)).toBeNull();
  });

  it("give way to newer ones, and never take their place back", async () => {
    const [all, older, newer] = [await links(), newId(), newId()];
    const first = await made(all, older);
    const second = await made(all, newer);
    expect(await all.issue("reset", user, older)).toBeNull();
    expect(await all.spend("reset", first)).toBe(false);
    expect(await all.spend("reset", second)).toBe(true);
  });

  it("are not made without end", async () => {
    const all = await links();
    for (let n = 0; n < 5; n++) expect(await made(all)).not.toBeNull();
    expect(await made(all)).toBeNull();
    clock.advance(HOUR + 1);
    expect(await made(all)).not.toBeNull();
  });

  it("stand in the store as digests alone", async () => {
    const token = await made(await links());
    const stored = JSON.stringify(await (await openDocuments<Link>(database, LINKS)).find());
    expect(stored).not.toContain(token.split(".")[1]);
  });
});

describe("changes of e-mail", () => {
  const user = newId();
  let applied: string[];
  const apply = async (_: string, email: string): Promise<void> => void applied.push(email);
  const changes = async () =>
    new EmailChanges(await openDocuments<EmailChange>(database, EMAIL_CHANGES), secrets, clock);
  const begun = async (all: EmailChanges, email: string, both = true) =>
    (await all.open(user, await all.begin(user, email, both))) as EmailChange;

  beforeEach(() => {
    applied = [];
  });

  it("need both links, in any order", async () => {
    const all = await changes();
    const change = await begun(all, "new@example.org");
    expect(await all.confirm(all.token("old", change), apply)).toEqual({ userId: user, changed: false });
    expect(await all.confirm(all.token("old", change), apply)).toBeNull();
    expect(await all.confirm(all.token("cancel", change), apply)).toBeNull();
    expect(await all.confirm(all.token("fresh", change), apply)).toEqual({ userId: user, changed: true });
    expect(applied).toEqual(["new@example.org"]);
    expect(await all.cancel(all.token("cancel", change))).toBe(false);
  });

  it("give way to another", async () => {
    const all = await changes();
    const first = await begun(all, "one@example.org", false);
    const second = await begun(all, "two@example.org", false);
    expect(await all.open(user, first.change)).toBeNull();
    expect(await all.confirm(all.token("fresh", first), apply)).toBeNull();
    expect(await all.cancel(all.token("cancel", first))).toBe(false);
    expect(await all.confirm(all.token("fresh", second), apply)).toMatchObject({ changed: true });
    expect(applied).toEqual(["two@example.org"]);
  });

  it("are finished by a sweep where the node that had them died, and dropped if the address is taken", async () => {
    const all = await changes();
    const change = await begun(all, "new@example.org", false);
    const away = () => Promise.reject(new RookeryError("UNAVAILABLE"));
    await expect(all.confirm(all.token("fresh", change), away)).rejects.toMatchObject({ type: "UNAVAILABLE" });
    clock.advance(5_000);
    await all.sweep(apply);
    await all.sweep(apply);
    expect(applied).toEqual(["new@example.org"]);
    const other = await begun(all, "taken@example.org", false);
    const taken = () => Promise.reject(new RookeryError("CONFLICT"));
    await expect(all.confirm(all.token("fresh", other), taken)).rejects.toMatchObject({ type: "CONFLICT" });
    clock.advance(5_000);
    await all.sweep(apply);
    expect(applied).toEqual(["new@example.org"]);
  });

  it("end after a day", async () => {
    const all = await changes();
    const change = await begun(all, "new@example.org", false);
    clock.advance(24 * HOUR);
    expect(await all.confirm(all.token("fresh", change), apply)).toBeNull();
    await all.sweep(apply);
    expect(await (await openDocuments<EmailChange>(database, EMAIL_CHANGES)).count()).toBe(0);
  });
});

test("a letter escapes what people have named themselves", () => {
  const { html, text } = letter("en", "verify", "a@example.org", {
    username: '<img src="x" onerror=alert(1)>\n\nevil',
    link: 'https://chat.example.com/"><script>',
  });
  expect(html).not.toMatch(/<img|<script|\n\nevil/);
  expect(html).toContain("&lt;img");
  expect(text).not.toContain("\n\nevil");
});
