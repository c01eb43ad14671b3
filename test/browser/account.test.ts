import jsqr from "jsqr";
import { Secret, TOTP } from "otpauth";
import type { Browser, Page } from "playwright-core";
import { expectStatus, Stage } from "../support/client";
import { eventually } from "../support/eventually";
import { CLIENT, IdentityProvider } from "../support/oidc";
import { Postbox } from "../support/postbox";
import { external, freePorts, startServer, type Server } from "../support/server";
import { CHROMIUM, launch, PASSWORD, PATIENCE, Visitor } from "./visitor";

const wanted = !external && (CHROMIUM !== undefined || Boolean(process.env.CI));
const NEXT = "another-good-one";
/** In the page: the QR code as a camera has it, a sign for each point; thousands of numbers would take seconds to get here. */
const POINTS = `(async () => {
  const image = document.querySelector("img.qr");
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { width, height, data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { width, height, points: Array.from({ length: width * height }, (_, at) => (data[4 * at] > 127 ? "1" : "0")).join("") };
})()`;
/** One pixel. */
const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

(wanted ? describe : describe.skip)("the pages of accounts", () => {
  jest.setTimeout(120_000);
  jest.retryTimes(1, { logErrorsBeforeRetry: true });
  let postbox: Postbox;
  let issuer: IdentityProvider;
  let server: Server;
  let browser: Browser;
  const there: Visitor[] = [];

  beforeAll(async () => {
    const ports = await freePorts();
    const origin = `http://127.0.0.1:${ports.port}`;
    [postbox, issuer, browser] = await Promise.all([
      Postbox.open(),
      IdentityProvider.start([`${origin}/api/auth/oidc/company/callback`]),
      launch(),
    ]);
    const env = {
      PUBLIC_URL: origin,
      SMTP_URL: postbox.url,
      EMAIL_VERIFICATION: "required",
      REQUIRE_SECOND_FACTOR_FOR: "Moderator",
      GUESTS: "true",
      OIDC_PROVIDERS: JSON.stringify([
        { id: "company", name: "Company", issuer: issuer.issuer, ...CLIENT },
        { id: "away", name: "Away", issuer: "http://127.0.0.1:9", ...CLIENT },
      ]),
    };
    server = await startServer({ ports, env });
  });
  afterAll(async () => {
    issuer?.stop();
    await browser?.close();
  });
  afterEach(async () => {
    const visitors = there.splice(0);
    await Promise.all(visitors.map(visitor => visitor.leave()));
    for (const { errors, foreign } of visitors) {
      expect(errors).toEqual([]);
      expect(foreign.filter(url => !url.startsWith(issuer.issuer))).toEqual([]);
    }
  });

  async function arrive(name: string): Promise<Visitor> {
    const visitor = await Visitor.arrive(browser, server.url, name);
    there.push(visitor);
    return visitor;
  }

  const emailOf = ({ name }: Visitor): string => `${name}@example.com`;

  async function post(path: string, body: object): Promise<void> {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${server.url}/api/auth/${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  }

  /** Somebody with an account, in front of the form to sign in. */
  async function member(name: string): Promise<Visitor> {
    const visitor = await arrive(name);
    await post("register", { username: visitor.name, email: emailOf(visitor), password: PASSWORD });
    const { links } = await postbox.letter(emailOf(visitor), /Verify/);
    await post("verify", { token: links.verify });
    return visitor;
  }

  async function signIn({ page, name }: Visitor, password = PASSWORD): Promise<void> {
    await page.getByLabel("User name").fill(name);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
  }

  const isIn = (page: Page): Promise<void> => page.getByRole("link", { name: "Your account" }).waitFor();

  async function openPart(page: Page, part: string): Promise<void> {
    if (!page.url().includes("/settings.html")) await page.getByRole("link", { name: "Your account" }).click();
    await page.getByRole("navigation").getByRole("link", { name: part }).click();
    await page.getByRole("heading", { level: 2, name: part }).waitFor();
  }

  async function signOut(page: Page): Promise<void> {
    await openPart(page, "Devices");
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
  }

  /** What a camera reads that is held before the QR code on the page. */
  async function seen(page: Page): Promise<string | undefined> {
    await page.getByRole("img", { name: "The key as a QR code" }).waitFor();
    const { width, height, points } = await page.evaluate<{ width: number; height: number; points: string }>(POINTS);
    const pixels = [...points].flatMap(point => [...Array<number>(3).fill(point === "1" ? 255 : 0), 255]);
    return jsqr(Uint8ClampedArray.from(pixels), width, height)?.data;
  }

  /** Gives the code of the app that took the key the page shows. */
  async function confirm(page: Page): Promise<void> {
    const uri = await seen(page);
    const secret = Secret.fromBase32(new URL(uri ?? "").searchParams.get("secret") ?? "");
    await page.getByRole("textbox", { name: "Code" }).fill(new TOTP({ secret }).generate());
    await page.getByRole("button", { name: "Turn it on" }).click();
  }

  it("makes an account whose e-mail is verified by the link in a mail, which can be sent again", async () => {
    const ana = await arrive("ana");
    const { page } = ana;
    await page.getByRole("button", { name: "Create an account" }).click();
    await page.getByLabel("User name").fill("n!");
    await page.getByLabel("E-mail").fill(emailOf(ana));
    await page.getByLabel("Password").fill("password1");
    await page.getByRole("button", { name: "Create account" }).click();
    const name = page.getByRole("textbox", { name: "User name" });
    await eventually(
      "the field is wrong",
      () => name.getAttribute("aria-invalid"),
      value => value === "true",
    );
    await page.getByText("3 to 32 letters").waitFor();
    await name.fill(ana.name);
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByText("Too many people have this password.").waitFor();
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByText("follow the link in the mail, then sign in").waitFor();
    await postbox.letter(emailOf(ana), /Verify/);

    await page.getByRole("button", { name: "Go back" }).click();
    await signIn(ana);
    await page.getByText("Verify your e-mail first").waitFor();
    await page.getByLabel("E-mail").fill(emailOf(ana));
    await page.getByRole("button", { name: "Send it again" }).click();
    await page.getByText("the mail is on its way").waitFor();
    const { links } = await postbox.letter(emailOf(ana), /Verify/, 2);
    await page.goto(`${server.url}/account.html#verify/${links.verify}`);
    await page.getByRole("button", { name: "Verify it" }).click();
    await page.getByRole("link", { name: "Go on to sign in" }).click();
    await signIn(ana);
    await isIn(page);
  });

  it("asks for a code at every door once there is a second factor", async () => {
    const ana = await member("ana");
    const { page } = ana;
    await signIn(ana);
    await openPart(page, "Second factor");
    await page.getByLabel("Your password").fill("not-this-one");
    await page.getByRole("button", { name: "Begin" }).click();
    await page.getByText("The password is wrong.").waitFor();
    await page.getByLabel("Your password").fill(PASSWORD);
    await page.getByRole("button", { name: "Begin" }).click();
    const key = (await page.getByLabel("Key", { exact: true }).textContent()) ?? "";
    const uri = await page.getByRole("link", { name: "open the app from here" }).getAttribute("href");
    expect(uri).toMatch(/^otpauth:/);
    expect(await seen(page)).toBe(uri);
    expect(uri).toContain(key.replaceAll(" ", ""));
    await confirm(page);
    const [first = "", second = "", third = "", ...more] = (
      (await page.getByLabel("Recovery codes").textContent()) ?? ""
    ).split("\n");
    expect(more).toHaveLength(7);
    await page.getByRole("button", { name: "I have kept them" }).click();
    await page.getByText("10 recovery codes are left.").waitFor();

    await issuer.now(ana.name, {
      preferred_username: ana.name,
      email: `${ana.name}@company.example`,
      email_verified: true,
    });
    await openPart(page, "Other ways to sign in");
    await page.getByLabel("Your password").fill(PASSWORD);
    await page.getByRole("button", { name: "Go there" }).click();
    await page.getByRole("textbox", { name: "Code" }).fill(first);
    await page.getByRole("button", { name: "Go there" }).click();
    await page.getByText("It is linked").waitFor();
    await page.getByRole("list", { name: "Linked accounts" }).getByText(`${ana.name}@company.example`).waitFor();

    await signOut(page);
    await signIn(ana);
    await page.getByRole("textbox", { name: "Code" }).fill(first);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("The code is wrong.").waitFor();
    await page.getByRole("textbox", { name: "Code" }).fill(second);
    await page.getByRole("button", { name: "Sign in" }).click();
    await isIn(page);

    await signOut(page);
    await page.getByRole("link", { name: "Continue with Company" }).click();
    await page.getByText("Give a code of your second factor.").waitFor();
    expect(new URL(page.url()).hash).toBe("");
    await page.getByRole("textbox", { name: "Code" }).fill(third);
    await page.getByRole("button", { name: "Sign in" }).click();
    await isIn(page);
  });

  it("is set up by who gets a role that needs one before he does anything else", async () => {
    const mo = await member("mo");
    const { page } = mo;
    await signIn(mo);
    await isIn(page);
    const { admin } = await Stage.on(server);
    const [{ id }] = expectStatus(await admin.get(`/api/users?search=${mo.name}`), 200).body.items;
    expectStatus(await admin.patch(`/api/users/${id}`, { roles: ["User", "Moderator"] }), 200);
    await page.getByText("Your role asks for a second factor.").waitFor();
    const parts = await page.getByRole("navigation").getByRole("link").allTextContents();
    expect([parts, await page.getByRole("link", { name: "Back to the chat" }).count()]).toEqual([["Second factor"], 0]);
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn(mo);
    await page.getByText("Your role asks for a second factor.").waitFor();
    await page.goto(server.url);
    await page.getByLabel("Your password").fill(PASSWORD);
    await page.getByRole("button", { name: "Begin" }).click();
    await confirm(page);
    await page.getByRole("button", { name: "I have kept them" }).click();
    await isIn(page);
    await openPart(page, "Profile");
    await page.getByRole("link", { name: "Back to the chat" }).click();
    await isIn(page);
  });

  it("brings newcomers in by a provider, and says what stands against it", async () => {
    const pat = await arrive("pat");
    const { page } = pat;
    await issuer.now(pat.name, {
      preferred_username: pat.name,
      name: "Pat P",
      email: emailOf(pat),
      email_verified: true,
    });
    await page.getByRole("link", { name: "Continue with Company" }).click();
    await page.getByText("Pat P", { exact: true }).waitFor();
    expect(page.url()).not.toContain("oidc");

    const ben = await member("ben");
    await issuer.now(ben.name, { preferred_username: ben.name, email: emailOf(ben), email_verified: true });
    await ben.page.getByRole("link", { name: "Continue with Company" }).click();
    await ben.page.getByText("There is an account with your e-mail already.").waitFor();
    await ben.page.getByRole("link", { name: "Continue with Away" }).click();
    await ben.page.getByText("That provider cannot be reached right now.").waitFor();
  });

  it("leads who forgot his password to a new one, and signs him out elsewhere", async () => {
    const ana = await member("ana");
    const { page } = ana;
    await signIn(ana);
    await isIn(page);
    const other = await arrive("other");
    await other.page.getByRole("button", { name: "Forgot your password?" }).click();
    await other.page.getByLabel("E-mail").fill(emailOf(ana));
    await other.page.getByRole("button", { name: "Send the mail" }).click();
    await other.page.getByText("the mail is on its way").waitFor();
    const link = `${server.url}/account.html#reset/${(await postbox.letter(emailOf(ana), /new password/)).links.reset}`;
    await other.page.goto(link);
    await other.page.getByLabel("Password").fill("iloveyou1");
    await other.page.getByRole("button", { name: "Set it" }).click();
    await other.page.getByText("Too many people have this password.").waitFor();
    await other.page.getByLabel("Password").fill(NEXT);
    await other.page.getByRole("button", { name: "Set it" }).click();
    await other.page.getByText("Your password is set").waitFor();
    await page.getByText("You were signed out.").waitFor();
    await signIn(ana, NEXT);
    await isIn(page);

    await other.page.goto(link);
    await other.page.getByLabel("Password").fill(NEXT);
    await other.page.getByRole("button", { name: "Set it" }).click();
    await other.page.getByRole("link", { name: "Ask for another" }).click();
    await other.page.getByRole("button", { name: "Send the mail" }).waitFor();
  });

  it("shows where one is signed in, ends it there, and keeps what one says of oneself", async () => {
    const ana = await member("ana");
    const { page } = ana;
    const other = await arrive("other");
    for (const visitor of [ana, other]) {
      await signIn(Object.assign(visitor, { name: ana.name }));
      await isIn(visitor.page);
    }
    await openPart(page, "Devices");
    const devices = page.getByRole("list", { name: "Devices" }).getByRole("listitem");
    await eventually(
      "two devices",
      () => devices.count(),
      count => count === 2,
    );
    await devices.getByRole("button", { name: "Sign out" }).click();
    await other.page.getByText("You were signed out.").waitFor();
    await eventually(
      "one device",
      () => devices.count(),
      count => count === 1,
      PATIENCE,
    );

    await openPart(page, "Profile");
    await page.getByLabel("Name", { exact: true }).fill("Ana A");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved.").waitFor();
    const chooser = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "Choose a picture" }).click();
    await (await chooser).setFiles({ name: "me.png", mimeType: "image/png", buffer: PICTURE });
    await page.getByRole("img", { name: "Your picture" }).waitFor();
    await page.getByRole("link", { name: "Back to the chat" }).click();
    await page.getByText("Ana A", { exact: true }).waitFor();
    await page.locator("#me img").waitFor();
  });

  it("changes the e-mail once both addresses have confirmed it, and lets people be friends", async () => {
    const [ana, ben] = await Promise.all([member("ana"), member("ben")]);
    await Promise.all([signIn(ana), signIn(ben)]);
    const { page } = ana;
    await openPart(page, "Name, e-mail, password");
    const form = page.getByRole("region", { name: "E-mail" });
    const fresh = `new-${emailOf(ana)}`;
    await form.getByLabel("New e-mail").fill(fresh);
    await form.getByLabel("Your password").fill(PASSWORD);
    await form.getByRole("button", { name: "Change e-mail" }).click();
    await form.getByText("A mail is on its way").waitFor();
    const letters = [await postbox.letter(fresh, /Confirm/), await postbox.letter(emailOf(ana), /about to change/)];
    for (const { links } of letters) {
      await page.goto(`${server.url}/account.html#email/${links.email}`);
      await page.getByRole("button", { name: "Confirm" }).click();
      await page.getByText("Confirmed.").waitFor();
    }
    await page.getByRole("link", { name: "Go on to sign in" }).click();
    await openPart(page, "Name, e-mail, password");
    await page.getByText(`It is ${fresh}.`).waitFor();

    await openPart(page, "Friends and blocks");
    await page.getByLabel("User name").fill(ben.name);
    await page.getByRole("button", { name: "Find" }).click();
    await page.getByRole("button", { name: `Ask ${ben.name} to be friends` }).click();
    await page.getByRole("list", { name: "Your requests" }).getByText(ben.name).waitFor();
    await openPart(ben.page, "Friends and blocks");
    await ben.page.getByRole("button", { name: `Accept ${ana.name}` }).click();
    await ben.page.getByRole("list", { name: "Friends" }).getByText(ana.name).waitFor();
    await ben.page.getByRole("button", { name: `Block ${ana.name}` }).click();
    await ben.page.getByRole("list", { name: "Blocked" }).getByText(ana.name).waitFor();
    await ben.page.getByRole("button", { name: `Unblock ${ana.name}` }).click();
    await ben.page.getByText("Nobody.", { exact: true }).waitFor();
  });

  it("lets guests in under the name they give, without what needs a password", async () => {
    const { page } = await arrive("guest");
    await page.getByRole("button", { name: "Come in as a guest" }).click();
    await page.getByLabel("Your name").fill("Gus <b>");
    await page.getByRole("button", { name: "Come in", exact: true }).click();
    await page.getByText("Gus <b>", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Your account" }).click();
    await page.getByRole("heading", { level: 2, name: "Profile" }).waitFor();
    const parts = await page.getByRole("navigation").getByRole("link").allTextContents();
    expect(parts).toEqual(["Profile", "Devices", "Friends and blocks", "Preferences", "Your data, leaving"]);
  });
});
