import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROUTES } from "../../services/api-gateway/routes";
import { METHODS } from "../../services/core/methods";
import type { Verdict } from "../matrix/doors";
import { matrix, type Row } from "../matrix/matrix";
import { page } from "../matrix/page";
import { missing } from "../matrix/samples";
import type { Caller } from "../matrix/scene";
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
      const { nobody, deactivated, "signed out": out } = verdicts;
      expect([name, nobody, out, deactivated]).toEqual([name, ...Array<string>(3).fill("UNAUTHENTICATED")]);
      // Who holds a link was let in with it.
      if (name.endsWith("(by a link)")) continue;
      if (kind === "private" || kind === "direct") expect([name, verdicts.stranger]).toEqual([name, "NOT_FOUND"]);
      if (kind === "private") expect([name, verdicts.removed]).toEqual([name, "NOT_FOUND"]);
    }
  });

  /** Of every row what a caller is answered, where there is one like him. */
  const answers = (caller: Caller, kinds: readonly Row["kind"][]) =>
    rows
      .filter(({ kind, verdicts }) => kinds.includes(kind) && verdicts[caller] !== null)
      .map(({ kind, name, verdicts }) => [`${name} ${kind ?? ""}`.trim(), verdicts[caller]]);
  /** The same of somebody whom he is like, but where a rule says something else of him. */
  const like = (other: Caller, kinds: readonly Row["kind"][], rule: (name: string) => Verdict | undefined) =>
    answers(other, kinds).map(([name = "", verdict]) => [name, rule(name as string) ?? verdict]);
  /** Where the member of the room is named, and so names himself. */
  const NAMES_MEMBER = /^rooms\.(transfer|removeMember \(a member\))/;
  const noOther = (name: string): Verdict | undefined => (NAMES_MEMBER.test(name) ? "FORBIDDEN" : undefined);

  test("who is blocked does not find who blocks him nor write to him, and is like all others in rooms of more", () => {
    const found = /^(users\.get|rooms\.converse)/;
    const people = like("stranger", [null], name => (found.test(name) ? "NOT_FOUND" : undefined));
    expect(answers("blocked", [null])).toEqual(people);
    const writes = /^messages\.(send|edit|react|unreact|pin|unpin) /;
    const direct = like("member", ["direct"], name => (writes.test(name) ? "FORBIDDEN" : noOther(name)));
    expect(answers("blocked", ["direct"])).toEqual(direct);
    const shared = ["public", "private"] as const;
    expect(answers("blocked", shared)).toEqual(like("member", shared, noOther));
  });

  test("to a newcomer of a room whose history begins with his coming nothing is there from before, by any word", () => {
    const earlier =
      /^(messages\.(get|edit|remove|react|unreact|pin|unpin|versions|hide|replies|readThread|receipts)|files\.(open|link)) /;
    const rule = (name: string) => (earlier.test(name) ? "NOT_FOUND" : noOther(name));
    expect(answers("newcomer", ["private"])).toEqual(like("member", ["private"], rule));
  });

  test("an Admin who was banned before he was one runs the room, and neither reads nor joins it while he is", () => {
    // What a message said before is his in every room, as is an export of it.
    const said = /^(messages\.(?!versions)|files\.|sub |typing |rooms\.(join|invitation|accept) )/;
    for (const { name, verdicts } of rows) {
      const { Admin, "banned Admin": banned } = verdicts;
      if (banned === null) continue;
      if (said.test(`${name} `)) expect([name, ["FORBIDDEN", "NOT_FOUND"].includes(banned)]).toEqual([name, true]);
      else expect([name, banned]).toEqual([name, Admin]);
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
