import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { printRows } from "./report";
import { measure, middleOf, type Extent, type Row } from "./scenarios";
import type { SeedPlan } from "./seed/seed";
import { clusterMissing, databasePids } from "./subjects/cluster";
import { CENTRIFUGE_MEMORY, CENTRIFUGE_REDIS, peers, RAW } from "./subjects/peers";
import { mustBeBuilt } from "./subjects/product";
import { GROUPS, type Subject } from "./subjects/subject";
import { moveAway, pinServers } from "./support/cores";
import { groundedCluster, groundedEmbedded } from "./support/ground";
import { run } from "./support/undo";

const USAGE = `node --import tsx bench/run.ts [--shape embedded|cluster|all] [--seconds N] [--warm N] [--rounds N] [--quick] [--only TEXT]
                                       [--json FILE] [--database-apart]
Compares the built product with others in one run, servers on one core and the generator on another.
  --warm N          seconds of load before counting begins, for everyone; default 8
  --rounds N        everything so often in turn, and of each figure the middle one; default 1
  --quick           short, to see that it works: its figures mean nothing
  --only            rows whose names have this in them; ratios to others are left out
  --database-apart  the cluster's database on the generator's core`;

const SHAPES = ["embedded", "cluster", "all"];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      shape: { type: "string", default: "all" },
      seconds: { type: "string" },
      warm: { type: "string" },
      rounds: { type: "string", default: "1" },
      quick: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      json: { type: "string" },
      "database-apart": { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return console.log(USAGE);
  if (!SHAPES.includes(values.shape)) throw new Error(`--shape: one of ${SHAPES.join(", ")}`);
  const seconds = Number(values.seconds ?? (values.quick ? 2 : 8));
  const warm = Number(values.warm ?? (values.quick ? 1 : 8));
  if (!(seconds > 0 && warm >= 0)) throw new Error("--seconds, --warm: give a number");
  const rounds = Number(values.rounds);
  if (!(Number.isInteger(rounds) && rounds > 0)) throw new Error("--rounds: give a whole number");
  const extent: Extent = { seconds, warm, idle: values.quick ? 1_000 : 5_000 };
  const plan: SeedPlan = { users: extent.idle, groups: GROUPS, messages: 0 };
  mustBeBuilt();
  pinServers();

  const rows: Row[] = [];
  const take = async (subject: Subject): Promise<void> => {
    rows.push(await measure(subject, extent, step => console.log(`${subject.name}: ${step}`)));
  };
  const wanted = (name: string): boolean => name.toLowerCase().includes(values.only.toLowerCase());
  for (let round = 1; round <= rounds; round++) {
    for (const { name, missing, start } of peers) {
      if (!wanted(name)) continue;
      if (missing !== undefined) {
        console.log(`${name}: left out, ${missing}`);
        continue;
      }
      const subject = await start();
      await take(subject);
      await subject.stop();
    }
    if (values.shape !== "cluster" && wanted("Rookery, embedded")) await embedded(plan, take);
    if (values.shape !== "embedded" && wanted("Rookery, cluster")) await cluster(plan, take, values["database-apart"]);
  }

  const nameOf = (peer: number): string => peers[peer]?.name ?? "";
  printRows(middleOf(rows), { raw: nameOf(RAW), memory: nameOf(CENTRIFUGE_MEMORY), redis: nameOf(CENTRIFUGE_REDIS) });
  if (values.json !== undefined) {
    const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
    writeFileSync(values.json, `${JSON.stringify({ at: new Date().toISOString(), machine, extent, rows }, null, 2)}\n`);
  }
}

type Take = (subject: Subject) => Promise<void>;

async function embedded(plan: SeedPlan, take: Take): Promise<void> {
  const subject = await groundedEmbedded(plan);
  await take(subject);
  await subject.stop();
}

/** Twice: through one gateway, and through all of them. */
async function cluster(plan: SeedPlan, take: Take, databaseApart: boolean): Promise<void> {
  if (clusterMissing !== undefined) return console.log(`Rookery, cluster: left out, ${clusterMissing}`);
  const { cluster: running, through, ground } = await groundedCluster(plan);
  if (databaseApart && running.mongo) databasePids(running.mongo).forEach(moveAway);
  for (const gateways of [1, running.gatewayUrls.length]) await take(through(gateways, ground));
  await running.stop();
}

run(main);
