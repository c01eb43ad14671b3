import type { ByRole, FanOutReport } from "./load/order";
import { total } from "./load/proc";
import { deliveriesPerCpu, joinsPerCpu, kibEach, productCpu, type Row } from "./scenarios";
import { DATABASE } from "./subjects/subject";
import { count, fixed, percent, printTable, ratio } from "./support/table";

/** Rows that the others are compared with, by name; one that was not measured leaves a dash. */
export interface References {
  raw: string;
  memory: string;
  redis: string;
}

/** Events this much longer or shorter than ours are another load. */
const TOLERANCE = 0.05;

export function printRows(rows: readonly Row[], names: References): void {
  if (rows.length === 0) return console.log("nothing was measured");
  const find = (name: string): Row | undefined => rows.find(row => row.name === name);
  const references = [find(names.raw), find(names.memory), find(names.redis)];
  const ratios = (row: Row, name: "A" | "B"): string[] =>
    references.map(other =>
      ratio(deliveriesPerCpu(row[name].saturated), other && deliveriesPerCpu(other[name].saturated)),
    );
  printTable(
    "deliveries per CPU second of the server, and their ratio to raw uWS, Centrifuge in memory and over Redis",
    ["", "A", "/ uWS", "/ mem", "/ Redis", "B", "/ uWS", "/ mem", "/ Redis", "KB/conn", "joins/CPU s", "bytes"],
    rows.map(row => [
      row.name,
      count(deliveriesPerCpu(row.A.saturated)),
      ...ratios(row, "A"),
      count(deliveriesPerCpu(row.B.saturated)),
      ...ratios(row, "B"),
      fixed(kibEach(row.idle), 1),
      count(joinsPerCpu(row.join)),
      count(row.A.saturated.eventBytes),
    ]),
  );
  for (const name of ["A", "B"] as const) printScenario(name, rows);
  warn(rows);
}

function printScenario(name: "A" | "B", rows: readonly Row[]): void {
  printTable(
    `${name}: ${name === "A" ? "one room of 1,000, window 16" : "100 rooms of 10, window 4"}; milliseconds from send to delivery`,
    ["", "sends/s", "events/frame", "p50", "p99", "half: p50", "p99", "server", "database", "generator", "by role"],
    rows.map(({ name: subject, [name]: { saturated, half } }) => [
      subject,
      count(saturated.sends / saturated.seconds),
      fixed(saturated.eventsPerFrame, 1),
      ...[saturated.p50, saturated.p99, half.p50, half.p99].map(value => fixed(value)),
      percent(productCpu(saturated.cpu) / saturated.seconds),
      DATABASE in saturated.cpu ? percent((saturated.cpu[DATABASE] ?? 0) / saturated.seconds) : "-",
      percent(saturated.generatorCpu / saturated.seconds),
      shares(saturated.cpu),
    ]),
  );
}

/** Of the product's own time. */
function shares(cpu: ByRole): string {
  const own = Object.entries(cpu).filter(([role]) => role !== DATABASE);
  const sum = total(Object.fromEntries(own));
  const sorted = own.toSorted(([, a], [, b]) => b - a);
  return sorted.map(([role, seconds]) => `${role} ${percent(sum > 0 ? seconds / sum : 0)}`).join(", ");
}

/** What makes a row worth less than it looks. */
function warn(rows: readonly Row[]): void {
  const own = rows.find(({ name }) => name.startsWith("Rookery"))?.A.saturated.eventBytes;
  for (const { name, ...row } of rows) {
    const reports: [string, FanOutReport][] = (["A", "B"] as const).flatMap(scenario => [
      [`${name}, ${scenario}`, row[scenario].saturated],
      [`${name}, ${scenario} at half`, row[scenario].half],
    ]);
    const busy = row.join.busy + row.idle.busy;
    if (busy > 0) console.log(`${name}: ${busy} joins were told to come again later, and did`);
    for (const [where, { refused, strange, closed, eventBytes }] of reports) {
      const sockets = total(closed);
      if (refused > 0) console.log(`${where}: ${refused} sends refused`);
      if (strange > 0) console.log(`${where}: ${strange} frames looked into were no deliveries`);
      if (sockets > 0) console.log(`${where}: ${sockets} sockets closed, ${JSON.stringify(closed)}`);
      if (own && Math.abs(eventBytes / own - 1) > TOLERANCE)
        console.log(`${where}: events have ${count(eventBytes)} bytes, ours ${count(own)}`);
    }
  }
}
