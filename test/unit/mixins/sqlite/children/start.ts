import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A script of this folder in a process of its own. */
export interface Child {
  process: ChildProcess;
  /** Resolves to the first line, past or coming, that matches; rejects if the process ends without it. */
  line(pattern: RegExp): Promise<string>;
  lines: string[];
  ended: Promise<number | null>;
}

const running = new Set<ChildProcess>();

afterEach(() => running.forEach(child => child.kill("SIGKILL")));

/** Starts `name` with tsx; it is killed after the test at the latest. `shell` may hold commands to run before it, for example `ulimit`. */
export function start(name: string, args: string[], shell = ""): Child {
  const command = [process.execPath, "--require", require.resolve("tsx/cjs"), join(__dirname, `${name}.ts`), ...args];
  const process_ = spawn("bash", ["-c", `${shell} exec "$@"`, "bash", ...command], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(process_);
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const look = () => waiting.forEach(check => check());
  let over = false;
  createInterface({ input: process_.stdout }).on("line", line => {
    lines.push(line);
    look();
  });
  const ended = new Promise<number | null>(resolve =>
    process_.once("close", code => {
      over = true;
      running.delete(process_);
      look();
      resolve(code);
    }),
  );
  const line = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const check = () => {
        const found = lines.find(text => pattern.test(text));
        if (found === undefined && !over) return;
        waiting.delete(check);
        if (found !== undefined) resolve(found);
        else reject(new Error(`${name} ended without ${pattern}: ${lines.slice(-5).join(" | ")}`));
      };
      waiting.add(check);
      check();
    });
  return { process: process_, line, lines, ended };
}
