import type { Browser } from "playwright-core";
import { startServer, type Server } from "../support/server";
import { CHROMIUM, launch, Visitor } from "./visitor";

const wanted = CHROMIUM !== undefined || Boolean(process.env.CI);

(wanted ? describe : describe.skip)("the page of the sockets", () => {
  jest.setTimeout(60_000);
  let server: Server;
  let browser: Browser;

  beforeAll(async () => {
    [server, browser] = await Promise.all([startServer(), launch()]);
  });
  afterAll(() => browser?.close());

  it.each([1280, 390])("is read at a width of %d without anything refused, and leads to what it names", async width => {
    const visitor = await Visitor.arrive(browser, `${server.url}/api/docs/sockets`, "ana", {
      viewport: { width, height: 800 },
    });
    const { page, errors, refused, foreign } = visitor;
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    // The stylesheets are there: without them nothing sets the measure of the table.
    expect(await page.evaluate("getComputedStyle(document.querySelector('table')).tableLayout")).toBe("fixed");
    await page.getByRole("navigation").getByRole("link", { name: "Close codes" }).click();
    await page.getByRole("row", { name: "4103 session revoked" }).waitFor();
    await page.getByRole("link", { name: "Message", exact: true }).first().click();
    expect(page.url()).toMatch(/#shape-Message$/);
    expect({ errors, refused, foreign }).toEqual({ errors: [], refused: [], foreign: [] });
    await visitor.leave();
  });
});
