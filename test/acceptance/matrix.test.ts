import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROUTES } from "../../services/api-gateway/routes";
import { METHODS } from "../../services/core/methods";
import { matrix, type Row } from "../matrix/matrix";
import { page } from "../matrix/page";
import { missing } from "../matrix/samples";
import { contractActions } from "../support/actions";
import { Stage } from "../support/client";
import { describeEmbedded, ROOT, startServer } from "../support/server";

const PAGE = join(ROOT, "docs/permissions.md");

describeEmbedded("who may do what", () => {
  let stage: Stage;
  let rows: Row[];
  beforeAll(async () => {
    stage = await Stage.on(await startServer({ env: { RATE_LIMIT: "off" } }));
    rows = await matrix(stage);
    if (process.env.MATRIX === "write") writeFileSync(PAGE, page(rows));
  }, 300_000);
  afterAll(() => stage.end());

  test("every method is asked for", () => {
    expect(missing()).toEqual([]);
  });

  test("every door gives everybody the same answer (S19: REST, native, SignalR, Socket.IO, stream)", () => {
    expect(rows.flatMap(({ disagreements }) => disagreements)).toEqual([]);
    const doors = new Set(rows.flatMap(row => row.doors));
    expect([...doors].sort()).toEqual(["REST", "SignalR", "Socket.IO", "native call", "native frame", "stream"]);
  });

  test("is as docs/permissions.md says: npm run matrix writes what has been changed", () => {
    expect(page(rows)).toBe(readFileSync(PAGE, "utf8"));
  });

  test("nobody gets anything without a session, and nothing of a private room reaches those outside", () => {
    for (const { name, kind, verdicts } of rows) {
      expect([name, verdicts.nobody, verdicts["signed out"]]).toEqual([name, "UNAUTHENTICATED", "UNAUTHENTICATED"]);
      // Who holds a link was let in with it.
      if (name.endsWith("(by a link)")) continue;
      if (kind === "private" || kind === "direct") expect([name, verdicts.stranger]).toEqual([name, "NOT_FOUND"]);
      if (kind === "private") expect([name, verdicts.removed]).toEqual([name, "NOT_FOUND"]);
    }
  });

  test("an action that is no method is at no door, whoever asks (S22: REST, native)", async () => {
    const inside = contractActions().filter(name => !(METHODS as readonly string[]).includes(name));
    expect(inside.length).toBeGreaterThan(30);
    const routes = new Set(ROUTES.filter(({ to }) => !inside.includes(to)).map(({ path }) => `/api${path}`));
    const socket = await stage.admin.socket();
    for (const method of inside) {
      expect([method, await socket.request({ t: "call", method, params: {} })]).toMatchObject([
        method,
        { t: "err", code: "NOT_FOUND" },
      ]);
      const [service, action] = method.split(".");
      for (const path of [`/api/${method}`, `/api/${service}/${action}`, `/${service}/${action}`]) {
        // A route of its own that happens to be called so: it leads to another action.
        if (routes.has(path)) continue;
        const { status, body } = await stage.admin.get(path);
        expect([path, [400, 404, 405].includes(status), JSON.stringify(body).includes("nodeID")]).toEqual([
          path,
          true,
          false,
        ]);
      }
    }
  });
});
