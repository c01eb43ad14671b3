import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { Progress } from "./seed/progress";
import { keepGround, seed } from "./seed/seed";
import { secretFile, type Installation } from "./seed/stores";

const USAGE = `node --import tsx bench/seed.ts --data FOLDER [--mongo URL] [--users 1000] [--rooms 100] [--each 5]
                                        [--messages 10000] [--out seed.json]
Makes users, rooms, memberships, messages and access tokens, which hold for a day.
  --data      the data folder of one process, which must not run; with --mongo that of a local cluster
  --mongo     the database of a cluster, which may run
  --each      rooms that every user is a member of
  --out       file for {tokens, rooms}; printed if it is -`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      mongo: { type: "string" },
      users: { type: "string", default: "1000" },
      rooms: { type: "string", default: "100" },
      each: { type: "string", default: "5" },
      messages: { type: "string", default: "10000" },
      out: { type: "string", default: "seed.json" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help || values.data === undefined) return console.log(USAGE);
  const dataDir = resolve(values.data);
  const where: Installation =
    values.mongo === undefined
      ? { dataDir }
      : { mongoUrl: values.mongo, jwtSecret: readFileSync(secretFile(dataDir), "utf8") };
  const plan = {
    users: whole("users", values.users),
    groups: { all: { rooms: whole("rooms", values.rooms), each: whole("each", values.each) } },
    messages: whole("messages", values.messages),
  };
  const toStdout = values.out === "-";
  const ground = await seed(where, plan, new Progress(toStdout ? process.stderr : process.stdout));
  if (toStdout) console.log(JSON.stringify({ tokens: ground.tokens, rooms: ground.groups.all?.rooms ?? [] }));
  else keepGround(resolve(values.out), ground);
}

function whole(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${name}: give a whole number, not "${text}"`);
  return Number(text);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
