import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { FAILURES, page } from "../../failures";

const root = resolve(__dirname, "../../..");
const PAGE = join(root, "docs/failures.md");

describe("what has gone wrong elsewhere", () => {
  if (process.env.FAILURES === "write") writeFileSync(PAGE, page());

  it("has a test here or a reason why it cannot, not both", () => {
    const wrong = Object.entries(FAILURES).filter(
      ([, { tests = [], none = "" }]) => tests.length > 0 === none.length > 0,
    );
    expect(wrong).toEqual([]);
    const places = ["Rocket.Chat", "Mattermost", "Synapse", "Vartalap", "socket.io", "ws", "uWebSockets", "NATS"];
    for (const place of places) expect(Object.keys(FAILURES).some(where => where.startsWith(place))).toBe(true);
    for (let n = 1; n <= 16; n++)
      expect(Object.keys(FAILURES).filter(where => where.includes(`(G${n})`))).toHaveLength(1);
  });

  it("is kept away by tests that are there, under these titles", () => {
    const lost = Object.entries(FAILURES).flatMap(([where, { tests = [] }]) =>
      tests
        .filter(({ file, title }) => {
          const path = join(root, "test", `${file.replace(/\.test$/, "")}.test.ts`);
          if (title.length < 10 || !existsSync(path)) return true;
          // A title follows the call that makes a test of it, or stands on a line of its own.
          return !readFileSync(path, "utf8")
            .split("\n")
            .some(line => /^\s*((it|test)\b.*\(|\]?.*\]\)\(|\)\()?["'`]/.test(line) && line.includes(title));
        })
        .map(({ file, title }) => [where, file, title]),
    );
    expect(lost).toEqual([]);
  });

  it("is told in docs/failures.md as it is here", () => {
    expect(readFileSync(PAGE, "utf8")).toBe(page());
  });
});
