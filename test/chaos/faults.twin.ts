import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../config/root";
import { Child } from "../../deploy/local/servers/child";
import { freePort } from "../../deploy/local/servers/ports";
import { within } from "../support/eventually";
import type { Fault, Process } from "./ground";
import { pick } from "./random";

/** Milliseconds in which the second one must have ended by itself. */
const PATIENCE = 60_000;

/** A second process under the id of a node, or on the data folder of the one server: it must refuse to serve. */
export const twin: Fault = {
  name: "twin",
  shapes: ["embedded", "cluster"],
  async run({ processes }, random, told) {
    const one = pick(
      random,
      processes.filter(({ role }) => ["server", "gateway", "api", "services"].includes(role)),
    );
    if (!one) throw new Error("nobody here to be doubled");
    const second = await secondOf(one);
    told(one.name, "begin");
    try {
      const { code } = await within(PATIENCE, `the end of a second ${one.name}`, second.ended);
      if (code === 0 || /^ready /m.test(second.lastWords))
        throw new Error(`a second ${one.name} came up beside the first:\n${second.lastWords}`);
    } finally {
      await second.kill9();
      told(one.name, "end");
    }
  },
};

async function secondOf(one: Process): Promise<Child> {
  const first = environmentOf(one.pid);
  const ports = {
    PORT: String(await freePort()),
    WS_PORT: String(await freePort()),
    METRICS_PORT: String(await freePort()),
  };
  const program =
    one.role === "server"
      ? [join(projectRoot, "dist", "config", "start.js")]
      : ["--import", "tsx", join(__dirname, "twin.ts"), await nodeIdAt(first.METRICS_PORT as string)];
  return Child.start(`twin of ${one.name}`, process.execPath, program, {
    cwd: projectRoot,
    env: { ...first, ...ports },
  });
}

/** What a process was started with. Linux. Its disk may be recorded, and a second one would begin the record anew. */
const environmentOf = (pid: number): Record<string, string> =>
  Object.fromEntries(
    readFileSync(`/proc/${pid}/environ`, "utf8")
      .split("\0")
      .filter(pair => pair.includes("=") && !/^(LD_PRELOAD|POWERLOSS_\w+)=/.test(pair))
      .map(pair => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );

/** As a node calls itself in its metrics. */
async function nodeIdAt(metricsPort: string): Promise<string> {
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const id = /\bnode="([^"]+)"/.exec(metrics)?.[1];
  if (!id) throw new Error("the metrics do not name their node");
  return id;
}
