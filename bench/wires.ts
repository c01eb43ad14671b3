import { parseArgs } from "node:util";
import type { FanOutReport } from "./load/order";
import type { ProtocolName } from "./load/protocols";
import { total } from "./load/proc";
import { deliveriesPerCpu, fanOut, productCpu, scenarios } from "./scenarios";
import { mustBeBuilt } from "./subjects/product";
import { peers } from "./subjects/peers";
import { GROUPS, type Subject } from "./subjects/subject";
import { pinServers } from "./support/cores";
import { groundedEmbedded } from "./support/ground";
import { count, fixed, percent, printTable } from "./support/table";
import { run } from "./support/undo";

const USAGE = `node --import tsx bench/wires.ts [--seconds 4] [--warm 6]
Deliveries of the built product, as one process, over each of its wires, beside the official servers of those wires.`;

/** Wires, and the server that others run for each. */
const WIRES: { wire: string; protocol: ProtocolName; official?: string }[] = [
  { wire: "native", protocol: "rookery" },
  { wire: "SignalR", protocol: "rookeryHub", official: "SignalR" },
  { wire: "Socket.IO", protocol: "rookeryIo", official: "Socket.IO" },
];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "4" },
      warm: { type: "string", default: "6" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return console.log(USAGE);
  mustBeBuilt();
  pinServers();
  const extent = { seconds: Number(values.seconds), warm: Number(values.warm) };
  const rows: string[][] = [];
  const take = async (name: string, subject: Subject): Promise<void> => {
    for (const scenario of ["A", "B"] as const)
      rows.push(rowOf(name, scenario, await fanOut(subject, scenarios[scenario], extent)));
  };
  const groups = { one: GROUPS.one, hundred: GROUPS.hundred };
  const product = await groundedEmbedded({ users: 1_000, groups, messages: 0 });
  for (const { wire, protocol } of WIRES) await take(`Rookery, ${wire}`, { ...product, protocol });
  await product.stop();
  for (const { official } of WIRES) {
    const peer = peers.find(({ name }) => name === official);
    if (!peer) continue;
    if (peer.missing !== undefined) {
      console.log(`${peer.name}: left out, ${peer.missing}`);
      continue;
    }
    const subject = await peer.start();
    await take(`${peer.name}, its own server`, subject);
    await subject.stop();
  }
  const head = ["", "", "deliveries/CPU s", "sends/s", "events/frame", "bytes", "p50 ms", "p99 ms", "CPU", "refused"];
  printTable("A: one room of 1,000; B: 100 rooms of 10; saturated", head, rows);
}

const rowOf = (name: string, scenario: string, report: FanOutReport): string[] => [
  name,
  scenario,
  count(deliveriesPerCpu(report)),
  count(report.sends / report.seconds),
  fixed(report.eventsPerFrame, 1),
  fixed(report.eventBytes, 0),
  fixed(report.p50),
  fixed(report.p99),
  percent(productCpu(report.cpu) / report.seconds),
  String(report.refused + total(report.closed)),
];

run(main);
