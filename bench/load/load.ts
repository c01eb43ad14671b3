import { join } from "node:path";
import { Child } from "../../deploy/local/servers/child";
import { pinned } from "../support/cores";
import type { Order, ReportOf } from "./order";

const GENERATOR = join(__dirname, "generator.ts");
/** Milliseconds beyond the time an order names: connections have to be opened. */
const PATIENCE = 120_000;

/** Has an order carried out by a generator on a core of its own. Rejects with its last words. */
export async function load<O extends Order>(order: O): Promise<ReportOf<O>> {
  let answer = "";
  const [program, ...args] = pinned("generator", [
    process.execPath,
    "--import",
    "tsx",
    GENERATOR,
    JSON.stringify(order),
  ]);
  const generator = Child.start("generator", program as string, args, {
    env: process.env,
    onLine: line => (answer = line),
  });
  running.add(generator);
  const seconds = order.seconds + ("warm" in order ? order.warm : 0);
  const timer = setTimeout(() => generator.kill("SIGKILL"), seconds * 1_000 + PATIENCE);
  const { code, signal } = await generator.ended.finally(() => {
    clearTimeout(timer);
    running.delete(generator);
  });
  if (code !== 0) throw new Error(`the generator ended with ${signal ?? code}: ${generator.lastWords}`);
  return JSON.parse(answer) as ReportOf<O>;
}

const running = new Set<Child>();

/** Ends those that run now. */
export async function stopLoads(): Promise<void> {
  await Promise.all([...running].map(generator => generator.kill9()));
}
