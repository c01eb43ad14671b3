import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Child } from "../deploy/local/servers/child";
import { freePort } from "../deploy/local/servers/ports";
import type { Ground } from "./load/crowd";
import { load } from "./load/load";
import type { HttpOrder, HttpReport, Watched } from "./load/order";
import { total } from "./load/proc";
import type { BareAnswers } from "./rest/bare";
import { httpOrder, PAGE } from "./rest/orders";
import type { SeedPlan } from "./seed/seed";
import { mustBeBuilt } from "./subjects/product";
import { GROUPS } from "./subjects/subject";
import { pinServers } from "./support/cores";
import { groundedEmbedded, temporaryFolder } from "./support/ground";
import { isListening } from "./support/ports";
import { count, fixed, percent, printTable } from "./support/table";
import { onEnd, run } from "./support/undo";

const USAGE = `node --import tsx bench/rest.ts [--seconds 8]
REST of the built product beside a bare moleculer-web action that answers the same, over keep-alive HTTP.`;

const PLAN: SeedPlan = { users: 100, groups: { hundred: GROUPS.hundred }, messages: 20_000 };
const WARM = 2;

interface Server {
  name: string;
  port: number;
  watched: Watched[];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { seconds: { type: "string", default: "8" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) return console.log(USAGE);
  mustBeBuilt();
  pinServers();
  const product = await groundedEmbedded(PLAN);
  const ground = product.ground as string;
  const bare = await startBare(await answersOf(product.port, ground));
  const servers: Server[] = [
    { name: "Rookery", port: product.port, watched: product.watched() },
    { name: "bare moleculer-web", ...bare },
  ];
  for (const method of ["GET", "POST"] as const) {
    const reports: [string, HttpReport][] = [];
    for (const { name, port, watched } of servers) {
      const order = httpOrder(method, { port, ground, watched, warm: WARM, seconds: Number(values.seconds) });
      reports.push([name, await load(order)]);
    }
    print(method, reports);
  }
}

function print(method: HttpOrder["method"], reports: readonly [string, HttpReport][]): void {
  const perCpu = ({ requests, cpu }: HttpReport): number => requests / total(cpu);
  const bare = perCpu((reports.at(-1) as [string, HttpReport])[1]);
  printTable(
    method === "GET" ? `GET history, pages of ${PAGE}` : "POST message",
    ["", "requests/CPU s", "of bare", "requests/s", "CPU", "p50 ms", "p99 ms", "bytes", "refused"],
    reports.map(([name, report]) => [
      name,
      count(perCpu(report)),
      (perCpu(report) / bare).toFixed(2),
      count(report.requests / report.seconds),
      percent(total(report.cpu) / report.seconds),
      fixed(report.p50),
      fixed(report.p99),
      count(report.bodyBytes),
      String(report.refused),
    ]),
  );
}

/** What the product answers, asked once. */
async function answersOf(port: number, ground: string): Promise<BareAnswers> {
  const { tokens, groups } = JSON.parse(readFileSync(ground, "utf8")) as Ground;
  const url = `http://127.0.0.1:${port}/api/channels/${groups.hundred?.rooms[0]}/messages`;
  const ask = async (path: string, options: RequestInit = {}): Promise<unknown> => {
    const headers = { Authorization: `Bearer ${tokens[0]}`, "Content-Type": "application/json" };
    const answer = await fetch(url + path, { ...options, headers });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const page = await ask(`?limit=${PAGE}`);
  return {
    page,
    message: await ask("", {
      method: "POST",
      body: JSON.stringify({ text: "x".repeat(61), clientId: "of-this-bench" }),
    }),
  };
}

async function startBare(answers: BareAnswers): Promise<Omit<Server, "name">> {
  const file = join(temporaryFolder("rest"), "answers.json");
  writeFileSync(file, JSON.stringify(answers));
  const port = await freePort();
  const script = join(__dirname, "rest", "bare.ts");
  const child = Child.start("bare", process.execPath, ["--import", "tsx", script, String(port), file], {
    env: process.env,
  });
  onEnd(() => child.stop());
  await child.answers(() => isListening(port));
  return { port, watched: [{ role: "server", pid: child.pid }] };
}

run(main);
