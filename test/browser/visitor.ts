import { existsSync } from "node:fs";
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from "playwright-core";

/** The browser of the machine; playwright-core brings none. */
export const CHROMIUM = [process.env.CHROMIUM ?? "", "/usr/bin/chromium"].find(path => path !== "" && existsSync(path));

/** Milliseconds a page may take for anything; generous, so that a slow machine fails nothing. */
export const PATIENCE = 15_000;
export const PASSWORD = "correct-horse-battery";

export const launch = (): Promise<Browser> => chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });

/** Somebody with a browser of his own, and everything that went wrong in it. */
export class Visitor {
  /** Uncaught errors, messages of the console that are errors, dialogs. */
  readonly errors: string[] = [];
  /** Requests that failed or were refused. */
  readonly refused: string[] = [];
  /** Requests to any other origin. */
  readonly foreign: string[] = [];

  private constructor(
    readonly page: Page,
    readonly name: string,
    origin: string,
  ) {
    page.setDefaultTimeout(PATIENCE);
    page.on("pageerror", error => this.errors.push(String(error)));
    page.on("dialog", dialog => {
      this.errors.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("console", message => {
      if (message.type() !== "error") return;
      const network = /^(Failed to load resource|WebSocket connection)/.test(message.text());
      (network ? this.refused : this.errors).push(message.text());
    });
    const look = (url: string): void => {
      if (!/^(blob|data):/.test(url) && new URL(url).host !== new URL(origin).host) this.foreign.push(url);
    };
    page.on("request", request => look(request.url()));
    page.on("websocket", socket => look(socket.url()));
  }

  static async arrive(
    browser: Browser,
    origin: string,
    name: string,
    options?: BrowserContextOptions,
  ): Promise<Visitor> {
    const context = await browser.newContext({ viewport: { width: 1200, height: 760 }, ...options });
    const visitor = new Visitor(await context.newPage(), `${name}-${Math.random().toString(36).slice(2, 9)}`, origin);
    await visitor.page.goto(origin);
    return visitor;
  }

  async register(): Promise<this> {
    const { page } = this;
    await page.getByRole("button", { name: "Create an account" }).click();
    await page.getByLabel("User name").fill(this.name);
    await page.getByLabel("E-mail").fill(`${this.name}@example.com`);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Create account" }).click();
    await this.room("general").waitFor();
    return this;
  }

  /** The row of a room in the list. */
  room(title: string): Locator {
    return this.page.getByRole("navigation").getByRole("link", { name: title });
  }

  async open(title: string): Promise<void> {
    await this.room(title).click();
    await this.page.getByRole("heading", { level: 1, name: title }).waitFor();
  }

  async join(title: string): Promise<void> {
    await this.open(title);
    await this.page.getByRole("main").getByRole("button", { name: "Join" }).click();
    await this.draft.waitFor();
  }

  get draft(): Locator {
    return this.page.getByRole("textbox", { name: "Message", exact: true });
  }

  async say(text: string): Promise<void> {
    await this.draft.fill(text);
    await this.draft.press("Enter");
  }

  /** The message with this text. */
  message(text: string): Locator {
    return this.page.getByRole("list", { name: "Messages" }).getByRole("listitem").filter({ hasText: text });
  }

  async sees(text: string): Promise<void> {
    await this.message(text).waitFor();
  }

  /** Texts of the messages that contain `part`, from top to bottom. */
  async texts(part: string): Promise<string[]> {
    return (await this.page.locator(".message .text").allTextContents()).filter(text => text.includes(part));
  }

  /** The button of a message that shows when it is pointed at. */
  async tool(text: string, name: string): Promise<void> {
    await this.message(text).hover();
    await this.message(text).getByRole("button", { name }).click();
  }

  async leave(): Promise<void> {
    await this.page.context().close();
  }
}
