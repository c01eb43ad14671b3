import { execFileSync } from "node:child_process";
import { join } from "node:path";

interface Run {
  testPathPatterns: { patterns: string[] };
}

/** Jest's global setup: builds the product once, if tests are wanted that start it as a process of its own. */
export default function build({ testPathPatterns: { patterns } }: Run): void {
  const wanted =
    patterns.length === 0 ||
    patterns.some(pattern => /acceptance|browser|faults|property|(^|\/)test\/?$/.test(pattern));
  if (!wanted || process.env.ROOKERY_URL) return;
  execFileSync("npm", ["run", "-s", "build"], { cwd: join(__dirname, "..", ".."), stdio: "inherit" });
}
