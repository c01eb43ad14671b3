import { parseArgs } from "node:util";
import { load } from "./load/load";
import type { HttpOrder, Measured, Watched } from "./load/order";
import { readProfiles, type ThreadProfile } from "./profile/profile";
import { httpOrder } from "./rest/orders";
import { fanOut, join, scenarios } from "./scenarios";
import { clusterMissing } from "./subjects/cluster";
import { mustBeBuilt, PRODUCT } from "./subjects/product";
import { GROUPS, type Subject } from "./subjects/subject";
import { pinServers } from "./support/cores";
import { groundedCluster, groundedEmbedded, temporaryFolder } from "./support/ground";
import { fixed, percent, printTable } from "./support/table";
import { run } from "./support/undo";

const USAGE = `node --import tsx bench/profile.ts --scenario A|B|join|rest [--process NAME] [--seconds 8] [--top 30]
Where the built product spends its time while it is measured: by function and file, for each of its threads. On a busy
machine a thread that waits for its core counts as busy; CPU by thread does not count that.
  --process  of a cluster, as ws-gateway-1, services-1, api-gateway; default: the product as one process`;

/** A running product and the process of it that is looked at. */
interface Watching {
  subject: Subject;
  pid: number;
  restPort: number;
  ground: string;
  stop(): Promise<unknown>;
}

const USERS = 1_000;
const MESSAGES = 10_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      scenario: { type: "string", default: "B" },
      process: { type: "string" },
      seconds: { type: "string", default: "8" },
      top: { type: "string", default: "30" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return console.log(USAGE);
  const measure = measures[values.scenario];
  if (!measure) throw new Error(`--scenario: one of ${Object.keys(measures).join(", ")}`);
  mustBeBuilt();
  pinServers();
  const folder = temporaryFolder("profile");
  const profiler = ["--cpu-prof", `--cpu-prof-dir=${folder}`];
  const watching = await (values.process === undefined ? one(profiler) : ofCluster(profiler, values.process));
  const measured = await measure(watching, Number(values.seconds));
  await watching.stop();

  printThreads(measured);
  const profiles = readProfiles(folder, watching.pid, measured.from, measured.to);
  if (profiles.length === 0) throw new Error("it wrote no profile: it was killed, or ended before its time");
  for (const profile of profiles) printProfile(profile, Number(values.top));
}

async function one(profiler: readonly string[]): Promise<Watching> {
  const subject = await groundedEmbedded(plan, profiler);
  const { pid, port, stop, ground = "" } = subject;
  return { subject: withThreads(subject, pid), pid, restPort: port, ground, stop };
}

async function ofCluster(profiler: readonly string[], name: string): Promise<Watching> {
  if (clusterMissing !== undefined) throw new Error(clusterMissing);
  const { cluster, through, ground } = await groundedCluster(plan, [...profiler, ...PRODUCT]);
  const { pid } = cluster.node(name);
  const subject = withThreads(through(cluster.gatewayUrls.length, ground), pid);
  const restPort = cluster.node("api-gateway").port;
  return { subject, pid, restPort, ground, stop: () => cluster.stop() };
}

const plan = {
  users: USERS,
  groups: { hundred: GROUPS.hundred, one: GROUPS.one, idle: GROUPS.idle },
  messages: MESSAGES,
};

const withThreads = (subject: Subject, pid: number): Subject => ({
  ...subject,
  watched: () => subject.watched().map((one): Watched => ({ ...one, threads: one.pid === pid })),
});

const WARM = 2;

/** Connections that join again and again would be another thing: there are as many as a few seconds take. */
const JOINS_A_SECOND = 2_000;

const measures: Record<string, (watching: Watching, seconds: number) => Promise<Measured>> = {
  A: ({ subject }, seconds) => fanOut(subject, scenarios.A, { warm: WARM, seconds }),
  B: ({ subject }, seconds) => fanOut(subject, scenarios.B, { warm: WARM, seconds }),
  join: ({ subject }, seconds) => join(subject, { idle: Math.min(JOINS_A_SECOND * seconds, 15_000), seconds: 1 }, 5),
  async rest({ subject, restPort, ground }, seconds) {
    const order = (method: HttpOrder["method"], share: number) =>
      load(
        httpOrder(method, { port: restPort, ground, watched: subject.watched(), warm: WARM, seconds: seconds * share }),
      );
    const history = await order("GET", 0.5);
    const post = await order("POST", 0.5);
    const before = new Map(history.threads.map(({ tid, cpu }) => [tid, cpu]));
    const threads = post.threads.map(thread => ({ ...thread, cpu: thread.cpu + (before.get(thread.tid) ?? 0) }));
    return { ...post, threads, seconds: history.seconds + post.seconds, from: history.from };
  },
};

function printThreads({ threads, seconds }: Measured): void {
  const used = threads.filter(({ cpu }) => cpu > 0).toSorted((a, b) => b.cpu - a.cpu);
  const sum = used.reduce((total, { cpu }) => total + cpu, 0);
  printTable(
    `CPU of the process by thread in ${seconds.toFixed(1)} s`,
    ["thread", "CPU s", "of a core", "share"],
    used.map(({ pid, tid, name, cpu }) => [
      `${name}${tid === pid ? " (main)" : ` +${tid - pid}`}`,
      fixed(cpu),
      percent(cpu / seconds),
      percent(cpu / sum),
    ]),
  );
}

function printProfile({ thread, byFunction, byFile, busy }: ThreadProfile, top: number): void {
  if (busy === 0) return;
  const name = thread === 0 ? "main thread" : `worker ${thread}`;
  for (const [what, sums] of [
    ["function", byFunction],
    ["file", byFile],
  ] as const) {
    const rows = [...sums].toSorted(([, a], [, b]) => b - a).slice(0, top);
    printTable(
      `${name}: self time by ${what}, of ${(busy / 1_000).toFixed(1)} s busy`,
      [what, "ms", "share"],
      rows.map(([key, ms]) => [key, fixed(ms, 0), `${((100 * ms) / busy).toFixed(1)} %`]),
    );
  }
}

run(main);
