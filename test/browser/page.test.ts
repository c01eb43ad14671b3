import type { Browser, BrowserContextOptions } from "playwright-core";
import { expectStatus, say, Stage } from "../support/client";
import { eventually } from "../support/eventually";
import { external, startServer, type Server } from "../support/server";
import { CHROMIUM, launch, PASSWORD, PATIENCE, Visitor } from "./visitor";

const wanted = CHROMIUM !== undefined || Boolean(process.env.CI);
if (!wanted) process.stderr.write("page tests skipped: no chromium; apt-get install chromium, or CHROMIUM=path\n");
const itOwn = external ? it.skip : it;

(wanted ? describe : describe.skip)("the page", () => {
  jest.setTimeout(120_000);
  // A browser on a machine that is busy with other tests may miss what is shown for seconds only; twice it does not.
  jest.retryTimes(1, { logErrorsBeforeRetry: true });
  let server: Server;
  let browser: Browser;
  const there: Visitor[] = [];

  beforeAll(async () => {
    [server, browser] = await Promise.all([startServer(), launch()]);
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    const visitors = there.splice(0);
    await Promise.all(visitors.map(visitor => visitor.leave()));
    for (const { errors, refused, foreign } of visitors) {
      expect(errors).toEqual([]);
      expect(refused).toEqual([]);
      expect(foreign).toEqual([]);
    }
  });

  async function arrive(name: string, options?: BrowserContextOptions): Promise<Visitor> {
    const visitor = await Visitor.arrive(browser, server.url, name, options);
    there.push(visitor);
    return visitor;
  }

  /** Two people in #general. */
  async function two(): Promise<[Visitor, Visitor]> {
    const both = await Promise.all(["ana", "ben"].map(async name => (await arrive(name)).register()));
    for (const visitor of both) await visitor.join("general");
    return both as [Visitor, Visitor];
  }

  const unique = (text: string): string => `${text} ${Math.random().toString(36).slice(2, 9)}`;

  it("brings the messages of two people to each other, with edits, deletion and reactions", async () => {
    const [ana, ben] = await two();
    const [hello, answer] = [unique("hello"), unique("answer")];
    await ana.say(hello);
    await ben.sees(hello);
    await ben.say(answer);
    await ana.sees(answer);

    await ben.tool(hello, "React with 🎉");
    await ana.message(hello).getByRole("button", { name: "🎉 1", pressed: false }).click();
    await ben.message(hello).getByRole("button", { name: "🎉 2" }).waitFor();

    await ana.tool(hello, "Edit");
    await ana.draft.fill(`${hello} changed`);
    await ana.draft.press("Enter");
    await ben.sees(`${hello} changed (edited)`);

    await ben.tool(answer, "Delete");
    await ben.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await ana.sees("This message was deleted.");
    expect(await ana.message(answer).count()).toBe(0);
    expect(await ben.message(hello).getByRole("button", { name: "Delete" }).count()).toBe(0);
  });

  it("shows what a message answers, and says so where that is from before one came", async () => {
    const stage = await Stage.on(server);
    const guest = await arrive("cem");
    await guest.register();
    const { items } = expectStatus(await stage.admin.get(`/api/users?search=${guest.name}`), 200).body;
    const name = unique("later").replace(" ", "-");
    const { id } = expectStatus(
      await stage.admin.post("/api/channels", { name, isPrivate: true, history: "joined" }),
      201,
    ).body;
    const earlier = await say(stage.admin, id, unique("earlier"));
    expectStatus(await stage.admin.post(`/api/channels/${id}/members`, { userId: items[0].id }), 201);
    await guest.open(name);
    const [late, later] = [unique("late"), unique("answer")];
    const first = await say(stage.admin, id, late, { replyTo: earlier.id });
    await say(stage.admin, id, later, { replyTo: first.id });
    await guest.message(late).getByText("In reply to a message that is not available").waitFor();
    await guest.message(later).getByText(`In reply to admin: ${late}`).waitFor();
    await guest.draft.waitFor();
    expect(await guest.page.content()).not.toContain(earlier.text);
  });

  it("shows who is typing", async () => {
    const [ana, ben] = await two();
    const shown = ana.page.getByText(`${ben.name} is typing`);
    // Typing is shown and forgotten: what was typed before the other's page followed the room is never seen there.
    await eventually(
      "the other sees the typing",
      async () => {
        await ben.draft.pressSequentially("I am ");
        return shown.isVisible();
      },
      Boolean,
      PATIENCE,
    );
    await ben.draft.press("Enter");
    await ana.page.getByText(`${ben.name} is typing`).waitFor({ state: "hidden" });
  });

  it("counts members as they come and go, without asking for the lists again", async () => {
    const [ana, ben] = await two();
    const about = (visitor: Visitor): Promise<string | null> => visitor.page.locator("#room-about").textContent();
    const members = (text: string | null): number => Number(/^(\d+) members?\b/.exec(text ?? "")?.[1]);
    const before = await eventually(
      "both see the same number",
      async () => [await about(ana), await about(ben)].map(members),
      ([one, other]) => one === other,
      PATIENCE,
    ).then(([number]) => number as number);
    // No list is ever answered from now on: what moves is moved by the entries of the room.
    await ana.page.route(/\/api\/(channels|conversations)\?/, () => undefined);
    const sees = (count: number): Promise<unknown> =>
      eventually(
        "the number of members",
        async () => members(await about(ana)),
        now => now === count,
        PATIENCE,
      );
    await ben.page.getByRole("button", { name: "Leave" }).click();
    await sees(before - 1);
    await ben.join("general");
    await sees(before);
  });

  it("counts what was not read in another room until it is opened", async () => {
    const [ana, ben] = await two();
    await ana.join("random");
    await ana.open("general");
    await ben.join("random");
    const text = unique("elsewhere");
    await ben.say(text);
    await ben.say(`${text} again`);
    await ana.room("random").getByText("2", { exact: true }).waitFor();
    await ana.page.reload();
    await ana.room("random").getByText("2", { exact: true }).waitFor();
    await ana.open("random");
    await ana.sees(`${text} again`);
    await ana.page.getByText("New", { exact: true }).waitFor();
    await ana.room("random").getByText("2", { exact: true }).waitFor({ state: "detached" });
    await ana.page.reload();
    await ana.sees(`${text} again`);
    await eventually(
      "nothing is unread",
      () => ana.page.locator(".badge").count(),
      count => count === 0,
    );
  });

  it("opens a direct conversation that the other finds with what was written", async () => {
    const [ana, ben] = await two();
    const { page } = ana;
    await page.getByRole("button", { name: "New direct message" }).click();
    await page.getByLabel("Find people").fill(ben.name);
    await page.getByRole("button", { name: `Choose ${ben.name}` }).click();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: ben.name }).waitFor();
    await page.getByText("online", { exact: true }).waitFor();
    const text = unique("between us");
    await ana.say(text);
    await ben.room(ana.name).getByText("1", { exact: true }).waitFor();
    await ben.open(ana.name);
    await ben.sees(text);
  });

  it("shows hostile text as text and runs none of it", async () => {
    const [ana, ben] = await two();
    const mark = unique("hostile");
    const texts = [
      `${mark} <img src=x onerror="globalThis.hacked = 1"><script>globalThis.hacked = 1</script>`,
      `${mark} javascript:globalThis.hacked=1 data:text/html,<b>x</b> JaVaScRiPt://x%0aalert(1)`,
      `${mark} https://example.com/a"onmouseover="globalThis.hacked=1 end`,
    ];
    for (const text of texts) await ana.say(text);
    for (const text of texts) await ben.sees(text);
    expect(await ben.texts(mark)).toEqual(texts);
    expect(await ben.page.locator(".message img, .message script, .message b").count()).toBe(0);
    const links = await ben.message(mark).getByRole("link").all();
    expect(links).toHaveLength(1);
    expect(await links[0]?.getAttribute("href")).toBe("https://example.com/a");
    expect(await links[0]?.getAttribute("rel")).toContain("noopener");
    for (const { page } of [ana, ben])
      expect(await page.evaluate(() => (globalThis as { hacked?: unknown }).hacked)).toBeUndefined();
  });

  it("shows an attached image to the other and offers other files for download", async () => {
    const [ana, ben] = await two();
    const pixel = Buffer.from("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=", "base64");
    const files = [
      { name: "pixel.gif", mimeType: "image/gif", buffer: pixel },
      { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("remember the milk") },
    ];
    await ana.page.locator("#picker").setInputFiles(files);
    await eventually(
      "both are uploaded",
      () => ana.page.locator(".uploads li:not(.busy)").count(),
      count => count === 2,
    );
    await ana.say(unique("two files"));
    await ben.page.getByRole("img", { name: "pixel.gif" }).waitFor();
    const [download] = await Promise.all([
      ben.page.waitForEvent("download"),
      ben.page.getByRole("button", { name: "notes.txt" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("notes.txt");
  });

  it("keeps the place while older messages come in", async () => {
    const [ana, ben] = await two();
    const mark = unique("line");
    for (let line = 1; line <= 120; line++) await ben.say(`${mark} ${line}.`);
    await ana.sees(`${mark} 120.`);
    await ana.page.reload();
    await ana.sees(`${mark} 120.`);
    expect(await ana.message(`${mark} 1.`).count()).toBe(0);
    const scroller = ana.page.locator("#scroller");
    // Line 71 is the first of the newest page; where it stands on the screen must not change when the page before comes.
    const toTop = (): Promise<unknown> => scroller.evaluate(node => (node.scrollTop = 0));
    await toTop();
    await ana.message(`${mark} 40.`).waitFor({ state: "attached" });
    const place = (): Promise<number | undefined> =>
      ana
        .message(`${mark} 71.`)
        .boundingBox()
        .then(box => box?.y);
    await eventually("line 71 is near the top", place, y => y !== undefined && y > 0 && y < 240);
    await toTop();
    await ana.message(`${mark} 1.`).waitFor({ state: "attached" });
    expect(await ana.texts(mark)).toEqual(Array.from({ length: 120 }, (_, at) => `${mark} ${at + 1}.`));
  });

  itOwn(
    "comes back by itself after the server was killed, with what was written meanwhile once and in order",
    async () => {
      const [ana, ben] = await two();
      const mark = unique("outage");
      await ana.say(`${mark} before`);
      await ben.sees(`${mark} before`);
      await server.process.kill();
      await Promise.all([ana, ben].map(({ page }) => page.getByText("No connection.").waitFor()));
      await ana.say(`${mark} one`);
      await ana.say(`${mark} two`);
      expect(await ben.texts(mark)).toEqual([`${mark} before`]);
      await server.process.start();

      await Promise.all(
        [ana, ben].map(({ page }) => page.getByText("No connection.").waitFor({ state: "hidden", timeout: 60_000 })),
      );
      await ben.sees(`${mark} two`);
      await ben.say(`${mark} three`);
      const expected = ["before", "one", "two", "three"].map(text => `${mark} ${text}`);
      for (const visitor of [ana, ben])
        await eventually(
          "all messages, once",
          () => visitor.texts(mark),
          texts => texts.length >= 4,
          PATIENCE,
        ).then(texts => expect(texts).toEqual(expected));
      await eventually(
        "nothing is on its way",
        () => ana.page.locator(".message.waiting, .message.stored").count(),
        count => count === 0,
      );
      await ana.page.reload();
      await ana.sees(`${mark} three`);
      expect(await ana.texts(mark)).toEqual(expected);
      for (const visitor of [ana, ben]) visitor.refused.length = 0;
    },
  );

  it("says clearly that a password is wrong, and stays signed in over a reload", async () => {
    const ana = await (await arrive("ana")).register();
    const { page } = ana;
    await page.reload();
    await ana.room("general").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("User name").fill(ana.name);
    await page.getByLabel("Password").fill("something else");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("That user name and password do not go together.").waitFor();
    // The browser reports the 401 itself.
    expect(ana.refused.splice(0)).toEqual([expect.stringContaining("401")]);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByLabel("Password").press("Enter");
    await ana.room("general").waitFor();
  });

  it("shows one pane at a time on a phone", async () => {
    const ana = await (
      await arrive("ana", { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true })
    ).register();
    const { page } = ana;
    expect(await page.getByRole("main").isVisible()).toBe(false);
    await ana.join("general");
    expect(await page.getByRole("navigation").isVisible()).toBe(false);
    const text = unique(`a rather long message ${"without-any-space".repeat(10)}`);
    await ana.say(text);
    await ana.sees(text);
    const wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
    expect(wide).toBe(false);
    const box = await ana.draft.boundingBox();
    expect(box && box.y + box.height).toBeLessThanOrEqual(640);
    await page.getByRole("button", { name: "Back to the rooms" }).click();
    await ana.room("general").waitFor();
  });

  it("can be used with the keyboard alone", async () => {
    const [ana, ben] = await two();
    const text = unique("first line");
    await ana.draft.focus();
    await ana.page.keyboard.type(text);
    await ana.page.keyboard.press("Shift+Enter");
    await ana.page.keyboard.type("second line");
    await ana.page.keyboard.press("Enter");
    await ben.sees(text);
    expect(await ben.texts(text)).toEqual([`${text}\nsecond line`]);
    await eventually(
      "the message is stored",
      () => ana.page.locator(".message.waiting, .message.stored").count(),
      count => count === 0,
    );
    await ana.page.keyboard.press("ArrowUp");
    await ana.page.getByText("Editing your message").waitFor();
    await ana.page.keyboard.press("Escape");
    await ana.page.getByText("Editing your message").waitFor({ state: "hidden" });
    expect(await ana.draft.inputValue()).toBe("");
  });
});
