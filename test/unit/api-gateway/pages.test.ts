import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { webClient } from "../../../services/api-gateway/pages";
import { temporaryFolder } from "../../support/temp";

let server: Server;
let origin: string;
beforeAll(async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "index.html"), "<!doctype html>hello");
  writeFileSync(join(folder, ".secret"), "hidden");
  mkdirSync(join(folder, "parts"));
  writeFileSync(join(folder, "parts", "app.js"), "1");
  const files = webClient(folder);
  server = createServer((req, res) => files(req, res, () => res.writeHead(404).end()));
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

describe("the web client's files", () => {
  it("has its page at /, with validators", async () => {
    const page = await fetch(`${origin}/`);
    expect([page.status, await page.text()]).toEqual([200, "<!doctype html>hello"]);
    expect(page.headers.get("content-type")).toMatch(/^text\/html/);
    expect(page.headers.get("last-modified")).not.toBeNull();
    const etag = page.headers.get("etag") as string;
    expect(
      (await fetch(`${origin}/`, { headers: { "If-None-Match": etag, "Cache-Control": "max-age=0" } })).status,
    ).toBe(304);
  });

  it("has the right type for scripts", async () => {
    const script = await fetch(`${origin}/parts/app.js`);
    expect([script.status, script.headers.get("content-type")]).toEqual([200, "text/javascript; charset=utf-8"]);
  });

  it.each(["/.secret", "/parts", "/parts/", "/missing"])("has nothing at %s", async path => {
    expect((await fetch(origin + path, { redirect: "manual" })).status).toBe(404);
  });

  it("takes no other method", async () => {
    expect((await fetch(`${origin}/`, { method: "DELETE" })).status).toBe(404);
  });
});
